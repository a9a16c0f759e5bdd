"""The mode whose predictors are trained with the layer."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.func import functional_call

import diff_conv2d
from diff_conv2d import Conv1d, Conv2d, Conv3d

LAYERS = {1: Conv1d, 2: Conv2d, 3: Conv3d}
SIZES = {1: (20,), 2: (12, 13), 3: (7, 8, 9)}


def layer_of(axes=2, **arguments):
    torch.manual_seed(0)
    arguments = {"padding": 1, **arguments}
    return LAYERS[axes](2, 3, 3, padding_mode="learned", dtype=torch.float64, **arguments)


def image_of(axes=2):
    return torch.randn(2, 2, *SIZES[axes], dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def randomised(layer):
    generator = torch.Generator().manual_seed(1)
    for weights in layer.predictors.parameters():
        weights.data.normal_(generator=generator)
    return layer


def naively(line, v, step, width):
    """Extend one line: x(-s) = x(0) + sum of v(j) (x(j) - x(j - 1)), each lattice by itself, at both ends."""

    def outside(line):
        samples = []
        for distance in range(1, width + 1):
            s, offset = -(-distance // step), -distance % step
            lattice = line[offset::step]
            taps = min(v.shape[1] + 1, len(line) // step)
            terms = (v[s - 1, j - 1] * (lattice[j] - lattice[j - 1]) for j in range(1, taps))
            samples.append(lattice[0] + sum(terms))
        return samples

    return torch.stack([*outside(line)[::-1], *line, *outside(line.flip(0))])


@pytest.mark.parametrize(("padding", "dilation"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_it_is_the_formula(padding, dilation):
    image = image_of(1)
    layer = randomised(layer_of(1, padding=padding, dilation=dilation))
    v = layer.predictors.weights_0
    extended = torch.stack(
        [torch.stack([naively(x, v[c], dilation, padding) for c, x in enumerate(one)]) for one in image]
    )
    expected = nn.functional.conv1d(extended, layer.weight, layer.bias, dilation=dilation)
    torch.testing.assert_close(layer(image), expected)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("arguments", [{}, {"stride": 2}, {"dilation": 2, "padding": 2}, {"padding": "same"}])
def test_it_starts_as_replicate(axes, arguments):
    layer, image = layer_of(axes, **arguments), image_of(axes)
    # Of each lattice of a dilated kernel by itself, as polynomials are.
    constant = {"padding_mode": "diff", "degree": 0, "dtype": torch.float64}
    twin = LAYERS[axes](2, 3, 3, **constant, **{"padding": 1, **arguments})
    twin.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    torch.testing.assert_close(layer(image), twin(image))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_all_gradients(axes):
    layer = randomised(layer_of(axes))
    names, values = zip(*layer.named_parameters(), strict=True)

    def output(image, *values):
        return functional_call(layer, dict(zip(names, values, strict=True)), (image,))

    values = tuple(value.detach().requires_grad_() for value in values)
    assert gradcheck(output, (image_of(axes).requires_grad_(), *values), fast_mode=True)


def test_axes_and_channels_have_weights_of_their_own_or_share_them():
    layer, shared = layer_of(padding=(2, 1), taps=5), layer_of(padding=(2, 1), taps=5, shared=True)
    assert [tuple(w.shape) for w in layer.predictors.parameters()] == [(2, 2, 4), (2, 1, 4)]
    assert [tuple(w.shape) for w in shared.predictors.parameters()] == [(1, 2, 4), (1, 1, 4)]
    randomised(shared)
    with torch.no_grad():
        for own, common in zip(layer.predictors.parameters(), shared.predictors.parameters(), strict=True):
            own.copy_(common)
    assert torch.equal(layer(image_of()), shared(image_of()))


def test_constants_are_preserved_whatever_the_weights():
    layer = randomised(layer_of(bias=False))
    output = layer(torch.full((1, 2, 9, 9), 3.0, dtype=torch.float64))
    expected = 3 * layer.weight.sum((1, 2, 3)).view(1, 3, 1, 1).expand_as(output)
    torch.testing.assert_close(output, expected)


def test_a_checkpoint_of_torch_loads_and_its_own_brings_the_weights():
    torchs = nn.Conv2d(2, 3, 3, padding=1, dtype=torch.float64)
    layer = randomised(layer_of())
    kept = layer.predictors.weights_0.clone()
    layer.load_state_dict(torchs.state_dict())
    assert torch.equal(layer.predictors.weights_0, kept)
    other = layer_of()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(image_of()), layer(image_of()))
    halves = {name: value for name, value in layer.state_dict().items() if not name.endswith("weights_1")}
    with pytest.raises(RuntimeError, match=r"predictors\.weights_1"):
        other.load_state_dict(halves)


def test_short_images_use_what_there_is():
    layer = randomised(layer_of(taps=6))
    for size in (1, 2, 5):
        assert layer(torch.ones(1, 2, size, 9, dtype=torch.float64)).isfinite().all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"taps": 1}, ValueError, "taps must be at least 2, got 1"),
        ({"taps": 2.0}, TypeError, "taps must be an integer, got 2.0"),
        ({"shared": 1}, TypeError, "shared must be True or False, got 1"),
    ],
)
def test_options_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        diff_conv2d.Conv2d(2, 3, 3, padding=1, padding_mode="learned", **options)


def test_a_wider_padding_than_the_weights_are_for_is_refused():
    layer = layer_of()
    layer.padding = 2
    with pytest.raises(ValueError, match="padding must be at most 1 samples along spatial axis 0"):
        layer(image_of())
