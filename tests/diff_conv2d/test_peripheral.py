"""Peripheral prediction padding, against the published procedure, sample by sample."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.func import functional_call

import diff_conv2d


def layer_of(**arguments):
    torch.manual_seed(0)
    arguments = {"kernel_size": 3, "padding": 1, **arguments}
    layer = diff_conv2d.Conv2d(2, 3, **arguments, padding_mode="peripheral", dtype=torch.float64)
    # So that no ReLU ends all of a path.
    for name, value in layer.predictors.named_parameters():
        if name.endswith("bias"):
            value.data.add_(0.5)
    return layer


def image_of(height=7, width=8):
    return torch.randn(2, 2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def predicted(network, samples):
    """A network of convolutions on the samples that it sees, (channels, rows, columns), by sums."""
    values = samples.flatten()
    for part in network:
        is_sum = isinstance(part, nn.Conv2d)
        values = part.weight.flatten(1) @ values + part.bias if is_sum else values.clamp_min(0)
    return values


def ringed(image, networks, rings, shared):
    """Widen one image (C, H, W) by rings, as the authors' code does: top, bottom, left, right, then the next ring."""
    channels, height, width = image.shape
    grown = torch.zeros(channels, height + 2 * rings, width + 2 * rings, dtype=image.dtype)
    grown[:, rings : rings + height, rings : rings + width] = image
    for ring in range(rings):
        for side, network in enumerate(networks):
            before, vertical = grown.clone(), side < 2
            size = height if vertical else width
            target = rings - 1 - ring if side in (0, 2) else rings + size + ring
            first = target + 1 if side in (0, 2) else target - 2
            view, seen = (grown, before) if vertical else (grown.mT, before.mT)
            for along in range(1, view.shape[2] - 1):
                window = seen[:, first : first + 2, along - 1 : along + 2]
                window = window if vertical else window.mT
                for channel in range(channels):
                    own = window[channel : channel + 1] if shared else window
                    view[channel, target, along] = predicted(network, own).squeeze()
    return grown


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("padding", [1, 2])
def test_it_is_the_published_procedure(padding, shared):
    layer, image = layer_of(padding=padding, shared=shared), image_of()
    with torch.no_grad():
        extended = torch.stack([ringed(one, layer.predictors, padding, shared) for one in image])
        expected = nn.functional.conv2d(extended, layer.weight, layer.bias)
        torch.testing.assert_close(layer(image), expected)
    # The corners of the outermost ring stay zero; with one ring these are all of them.
    assert (extended[..., [0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()


def test_uneven_paddings_are_cut_out_of_even_ones():
    layer, image = layer_of(kernel_size=(4, 1), padding="same"), image_of()
    with torch.no_grad():
        extended = torch.stack([ringed(one, layer.predictors, 2, False) for one in image])
        expected = nn.functional.conv2d(extended[:, :, 1:, 2:-2], layer.weight, layer.bias)
        torch.testing.assert_close(layer(image), expected)


@pytest.mark.parametrize("shared", [False, True])
def test_all_gradients(shared):
    layer = layer_of(padding=2, shared=shared)
    names, values = zip(*layer.named_parameters(), strict=True)

    def output(image, *values):
        return functional_call(layer, dict(zip(names, values, strict=True)), (image,))

    values = tuple(value.detach().requires_grad_() for value in values)
    assert gradcheck(output, (image_of().requires_grad_(), *values), fast_mode=True)


def test_equal_seeds_give_equal_kernels_whatever_the_mode():
    torch.manual_seed(0)
    plain = [nn.Conv2d(2, 3, 3, padding=1) for _ in range(2)]
    torch.manual_seed(0)
    layers = [diff_conv2d.Conv2d(2, 3, 3, padding=1, padding_mode="peripheral") for _ in range(2)]
    for one, other in zip(plain, layers, strict=True):
        assert torch.equal(one.weight, other.weight)
    first, second = (list(layer.predictors.parameters()) for layer in layers)
    assert not torch.equal(first[0], second[0])
    assert not torch.equal(first[0], first[6])


def test_its_size_is_the_published_one():
    def count(**options):
        layer = diff_conv2d.Conv2d(16, 3, 3, padding=1, padding_mode="peripheral", **options)
        return sum(p.numel() for p in layer.predictors.parameters())

    # Four sides: 6 samples a channel to 8, 8 to 8, 8 to 1, each with biases.
    assert count() == 4 * (16 * 6 * 8 + 8 + 8 * 8 + 8 + 8 + 1)
    assert count(shared=True) == 4 * (6 * 8 + 8 + 8 * 8 + 8 + 8 + 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 1)])
def test_tiny_images(size):
    assert layer_of(kernel_size=5, padding=2)(image_of(*size)).isfinite().all()


def test_complex_images_are_their_two_parts():
    layer = layer_of(bias=False)
    whole = layer_of(bias=False)
    whole.weight = nn.Parameter(layer.weight.to(torch.complex128))
    image = torch.complex(image_of(), image_of().flip(0))
    torch.testing.assert_close(whole(image), torch.complex(layer(image.real), layer(image.imag)))


def test_images_of_other_axes_and_memory_are_refused():
    with pytest.raises(ValueError, match="padding_mode='peripheral' is for images of two axes, got 1"):
        diff_conv2d.Conv1d(2, 3, 3, padding=1, padding_mode="peripheral")
    with pytest.raises(ValueError, match="predicts each ring from the ones before; got 'memory'"):
        layer_of(algorithm="memory")
    with pytest.raises(TypeError, match="shared must be True or False, got 'yes'"):
        layer_of(shared="yes")
