"""What could make kept predictors wrong in silence: copies, other hands on the buffers, transforms, odd batches."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.optim.swa_utils import AveragedModel

import diff_conv2d
from diff_conv2d import Conv1d, Conv2d, calibrate, convert, fit, pad
from diff_conv2d.modes.kept_predictors import Frozen

RUNNING = {"padding_mode": "adaptive", "track_running_stats": True}


def images(seed=0, shape=(4, 3, 24, 31), dtype=torch.float32):
    """Smooth random images."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).cumsum(2).cumsum(3)
    return noise / noise.std()


def layer_of(**arguments):
    torch.manual_seed(0)
    return Conv2d(3, 4, 3, **{"padding": 1, **arguments}, **RUNNING)


def trained(batches=2, first=0, **arguments):
    layer = layer_of(**arguments)
    for seed in range(batches):
        layer(images(first + seed))
    return layer.eval()


def network_of(count=2):
    torch.manual_seed(0)
    layers = [part for i in range(count) for part in (nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


# Copies, and other hands


def test_converted_in_evaluation_it_stays_there():
    network = convert(network_of().eval(), verbose=False, **RUNNING)
    assert not any(module.training for module in network.modules())
    calibrate(network, [images()])
    assert not any(module.training for module in network.modules())
    before = network(images(1))
    network(torch.randn(4, 3, 24, 31))
    assert torch.equal(network(images(1)), before)
    torch.testing.assert_close(network(images(1)[0]), before[0])


@pytest.mark.parametrize("use_buffers", [False, True])
def test_averaged_copies_have_what_their_buffers_say(use_buffers):
    layer = layer_of()
    average = AveragedModel(layer, use_buffers=use_buffers)
    for seed in range(20):
        layer(images(seed))
    average.update_parameters(layer)
    if use_buffers:
        average.update_parameters(layer)
    layer.eval(), average.eval()
    torch.testing.assert_close(average(images(99)), layer(images(99)))


@pytest.mark.parametrize("how", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_that_loads_others_has_theirs(how):
    layer, other = trained(), trained(first=7, batches=1)
    layer(images(99))
    twin = how(layer)
    assert torch.equal(twin(images(99)), layer(images(99)))
    twin.load_state_dict(other.state_dict())
    assert torch.equal(twin(images(99)), other(images(99)))


def test_buffers_of_another_are_taken_for_a_call():
    layer, other = trained(), layer_of().eval()
    state = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    other(images(99))
    assert torch.equal(functional_call(other, state, (images(99),)), layer(images(99)))
    assert torch.equal(functional_call(layer_of().eval(), state, (images(99),)), layer(images(99)))


def test_data_written_behind_the_back_is_seen_from_the_next_eval_on():
    layer, other = trained(), trained(first=7)
    layer(images(99))
    with torch.no_grad():
        for own, theirs in zip(layer.buffers(), other.buffers(), strict=True):
            own.data.copy_(theirs)
        layer.load_state_dict(dict(other.named_parameters()), strict=False)
    assert torch.equal(layer.eval()(images(99)), other(images(99)))


def test_a_file_is_as_small_as_its_buffers():
    layer = trained()
    for count in range(1, 9):
        layer(images(shape=(count, 3, 24, 31)))
    files = []
    for what in (layer, layer.state_dict()):
        files.append(io.BytesIO())
        torch.save(what, files[-1])
    assert len(files[0].getvalue()) < len(files[1].getvalue()) + 20_000


def test_reset_parameters_begins_anew():
    layer = trained()
    layer.reset_parameters()
    assert not any(buffer.any() for buffer in layer.predictors.buffers())
    own = Conv2d(3, 4, 3, padding=1, padding_mode="adaptive")
    own.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    assert torch.equal(layer(images()), own(images()))
    learned = Conv2d(3, 4, 3, padding=1, padding_mode="learned")
    nn.init.ones_(learned.predictors.weights_0)
    learned.reset_parameters()
    assert not learned.predictors.weights_0.any()


def test_a_layer_on_meta_takes_a_checkpoint():
    with torch.device("meta"):
        layer = layer_of()
    layer.load_state_dict(trained().state_dict(), assign=True)
    assert torch.equal(layer.eval()(images(99)), trained()(images(99)))


# Transforms


def test_fake_tensors_leave_nothing_behind():
    from torch._subclasses import FakeTensorMode

    layer = trained()
    expected = copy.deepcopy(layer)(images(99))
    with FakeTensorMode(allow_non_fake_inputs=True):
        layer(torch.empty(4, 3, 24, 31))
    assert torch.equal(layer(images(99)), expected)


def test_transforms_leave_nothing_behind():
    layer = trained()
    expected = copy.deepcopy(layer)(images(99))
    torch.func.grad(lambda image: layer(image).sum())(images(98))
    torch.func.jvp(layer, (images(98),), (images(97),))
    assert torch.equal(copy.deepcopy(layer)(images(99)), expected)


@pytest.mark.parametrize("mode", [RUNNING, {"padding_mode": "learned"}, {"padding_mode": "peripheral"}], ids=str)
def test_an_ensemble_sees_one_image(mode):
    layers = []
    for seed in range(3):
        torch.manual_seed(seed)
        layers.append(Conv2d(3, 4, 3, padding=1, **mode))
        layers[-1](images(seed))
        layers[-1].eval()
    parameters, buffers = torch.func.stack_module_state(layers)
    image = images(99)

    def call(parameters, buffers):
        return functional_call(layers[0], (parameters, buffers), (image,))

    expected = torch.stack([layer(image) for layer in layers])
    torch.testing.assert_close(torch.vmap(call)(parameters, buffers), expected, rtol=1e-4, atol=1e-5)


def test_batches_of_gradients():
    layer, image = trained(), images(99).requires_grad_()
    output = layer(image)
    grads = torch.randn(3, *output.shape)
    (found,) = torch.autograd.grad(output, image, grads, is_grads_batched=True, retain_graph=True)
    each = [torch.autograd.grad(output, image, grad, retain_graph=True)[0] for grad in grads]
    torch.testing.assert_close(found, torch.stack(each))


def test_a_compiler_does_not_compile_anew_for_each_batch():
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    layer, counter = layer_of(), CompileCounter()
    compiled = torch.compile(layer, backend=counter, fullgraph=True)
    for seed in range(12):
        compiled(images(seed))
    assert counter.frame_count <= 2
    assert layer.predictors.num_batches_tracked == 12


# Odd batches


def test_fits_of_many_tensors_are_averaged_whatever_their_order():
    parts = [images(seed, dtype=torch.float64) for seed in range(30)]
    alone = torch.stack([fit(part, 1).predictors[0] for part in parts])
    torch.testing.assert_close(fit(parts, 1).predictors[0], alone.mean(0))
    torch.testing.assert_close(fit(parts[::-1], 1).predictors[0], alone.mean(0))


def test_what_tells_nothing_is_left_out():
    good, bad = images(0, dtype=torch.float64), images(1, dtype=torch.float64)
    bad[:, 0, 3, 3] = torch.nan
    own = fit(good, 1).predictors
    both = fit([bad, good], 1).predictors
    torch.testing.assert_close(both[0][0], own[0][0])
    assert not torch.equal(both[0][1], own[0][1])
    tiny = images(shape=(4, 3, 2, 2), dtype=torch.float64)
    for several in ([tiny, good], [good, tiny]):
        torch.testing.assert_close(fit(several, 1).predictors[0], own[0])
    layer = layer_of(fit_every=1).double()
    layer(good)
    kept = layer.predictors.weights_0.clone()
    for _ in range(5):
        layer(bad)
    assert torch.equal(layer.predictors.weights_0[0], kept[0])
    assert layer.predictors.fits_0.tolist() == [1, 6, 6]


def test_an_empty_batch_teaches_nothing():
    layer = layer_of()
    assert layer(images()[:0]).shape == (0, 4, 24, 31)
    assert layer.predictors.num_batches_tracked == 0


def test_a_narrower_padding_trains_its_own_distances_alone():
    layer = layer_of(padding=2, fit_every=1)
    for seed in range(3):
        layer(images(seed))
    kept = layer.predictors.weights_0.clone()
    layer.padding = 1
    layer(images(3))
    assert torch.equal(layer.predictors.weights_0[:, 1], kept[:, 1])
    assert not torch.equal(layer.predictors.weights_0[:, 0], kept[:, 0])
    for name, value in (("padding", 3), ("dilation", 2)):
        changed = copy.deepcopy(layer)
        setattr(changed, name, value)
        for training in (True, False):
            with pytest.raises(ValueError, match=f"{name} must be .* along spatial axis 0, for which the predictors"):
                changed.train(training)(images())


# Options


def test_other_options_make_other_predictors():
    network = convert(network_of(), verbose=False, **RUNNING)
    network(images())
    kept = network[0].predictors
    convert(network, verbose=False, **RUNNING)
    assert network[0].predictors is kept
    convert(network, verbose=False, fit_every=3, pool="channels", **RUNNING)
    assert network[0].predictors.fit_every == 3
    assert network[0].predictors.weights_0.shape[0] == 1
    convert(network, "learned", verbose=False)
    convert(network, "learned", verbose=False, taps=8, shared=True)
    assert network[0].predictors.weights_0.shape == (1, 1, 7)


def test_parametrized_weights_are_used():
    class Halved(nn.Module):
        def forward(self, weights):
            return weights / 2

    layer = Conv2d(3, 4, 3, padding=(1, 2), padding_mode="learned")
    for weights in layer.predictors.parameters():
        nn.init.normal_(weights)
    twin = copy.deepcopy(layer)
    nn.utils.parametrize.register_parametrization(layer.predictors, "weights_0", Halved())
    with torch.no_grad():
        twin.predictors.weights_0.div_(2)
    assert torch.equal(layer(images()), twin(images()))


def test_networks_of_peripheral_differ_from_layer_to_layer():
    network = convert(network_of(3), "peripheral", verbose=False)
    first = [network[i].predictors[0][0].weight for i in (0, 2, 4)]
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])
    again = convert(network_of(3), "peripheral", verbose=False)
    assert torch.equal(again[0].predictors[0][0].weight, first[0])


# calibrate


def test_calibrate_begins_anew_and_gives_all_batches_the_same_weight():
    batches = [images(seed) for seed in range(15)]
    fresh, used = (convert(network_of(1), verbose=False, **RUNNING) for _ in range(2))
    for seed in range(50, 70):
        used(images(seed))
    calibrate(fresh, batches)
    calibrate(used, batches[::-1])
    torch.testing.assert_close(used[0].predictors.weights_0, fresh[0].predictors.weights_0)


@pytest.mark.parametrize("mode", ["diff", "partial", "explicit", "learned", "peripheral", "random", "zeros"])
def test_calibrate_compares_with_the_mode_before(mode):
    options = {"degree": 0} if mode == "diff" else {}
    network = convert(network_of(1), mode, verbose=False, **options)
    for _ in range(2):
        convert(network, verbose=False, **RUNNING)
    (gain,) = calibrate(network, [images()]).values()
    image, inside = images(), images()[..., 1:-1, 1:-1]
    before = {"diff": "replicate", "random": "random"}.get(mode, "zeros")
    new, old = (
        (pad(inside, (1, 1, 1, 1), mode=m) - image).abs().mean() for m in (network[0].predictors.extension(), before)
    )
    assert gain == pytest.approx((new / old).item(), rel=0.2 if mode == "random" else 1e-4)


def test_calibrate_measures_what_a_layer_is_given():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, image):
            image = image.clone()
            return image.add_(self.layer(input=image)).relu_()

    torch.manual_seed(0)
    network = convert(InPlace(), verbose=False, **RUNNING)
    alone = convert(nn.Sequential(network.layer), verbose=False, **RUNNING)
    (gain,) = calibrate(network, [images()]).values()
    (expected,) = calibrate(alone, [images()]).values()
    assert gain == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (lambda network: (3, [images()]), TypeError, "model must be a torch.nn.Module, got int"),
        (lambda network: (network, None), TypeError, "batches must be several batches.* got NoneType"),
        (lambda network: (network, images()), TypeError, "batches must be several batches.* got Tensor"),
        (
            lambda network: (network, [(images(), 0)]),
            TypeError,
            "batches must hold tensors, got tuple; otherwise give",
        ),
        (lambda network: (network, []), ValueError, "batches must hold at least one batch, got none"),
        (lambda network: (network_of(), [images()]), ValueError, "model must have layers that track running"),
    ],
)
def test_arguments_of_calibrate(arguments, error, message):
    network = convert(network_of(), verbose=False, **RUNNING)
    network(images())
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(error, match=message):
        calibrate(*arguments(network))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_wrong_batch_is_refused_before_it_is_fitted_and_single_images_are_taken():
    network = convert(network_of(), verbose=False, **RUNNING).eval()
    with pytest.raises(ValueError, match="input must have 3 channels"):
        calibrate(network, [images(shape=(4, 2, 24, 31))])
    assert network[0].predictors.num_batches_tracked == 0
    assert len(calibrate(network, list(images()))) == 2


# fit


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, 1), TypeError, "images must be a tensor or several of them, got NoneType"),
        ((nn.Identity(), 1), TypeError, "images must be a tensor or several of them, got Identity"),
        ((images()[:0], 1), ValueError, r"images must have samples.* got shape \(0, 3, 24, 31\)"),
        (([images(), images()[:, :1]], 1), ValueError, "and 3 channels as the first ones"),
        ((images().int(), 1), TypeError, "images must be real"),
        ((images(), -1), ValueError, "padding must be at least 0"),
    ],
)
def test_arguments_of_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        fit(*arguments)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"degree": 1}, TypeError, "fit has no option 'degree'; it has taps"),
        ({"pool": "all"}, ValueError, "pool='none' or 'channels'"),
        ({"fit_gradient": True}, ValueError, "needs fit_gradient=False"),
    ],
)
def test_options_of_fit(options, error, message):
    with pytest.raises(error, match=message):
        fit(images(), 1, **options)


def test_a_boundary_is_for_its_axes_its_dilation_and_its_width():
    two, line = fit(images(), 1), fit(images()[:, :, 0], 1)
    with pytest.raises(ValueError, match="fitted to images of 1 spatial axes, not of 2"):
        Conv2d(3, 4, 3, padding=1, padding_mode=line)
    with pytest.raises(ValueError, match="fitted to images of 2 spatial axes, not of 1"):
        Conv1d(3, 4, 3, padding=1, padding_mode=two)
    with pytest.raises(ValueError, match="fitted to images of 1 spatial axes, not of 2"):
        pad(images(), (1, 1, 1, 1), mode=line)
    with pytest.raises(ValueError, match="fitted to images of 2 spatial axes, not of 1"):
        diff_conv2d.conv1d(images()[:, :, 0], torch.ones(1, 3, 3), padding=1, padding_mode=two)
    with pytest.raises(ValueError, match="dilation must be 2 along spatial axis 0, for which the predictors are"):
        pad(images(), (1, 1, 1, 1), mode=fit(images(), 2, dilation=2))
    with pytest.raises(ValueError, match="padding must be at most 1 samples along spatial axis 0"):
        pad(images(), (0, 0, 2, 0), mode=two)


def test_a_boundary_is_small_and_says_what_it_is():
    boundary = fit(images(), 1)
    for count in range(1, 9):
        pad(images(shape=(count, 3, 24, 31)), (1, 1, 1, 1), mode=boundary)
    assert len(pickle.dumps(boundary)) < 5000
    twin = pickle.loads(pickle.dumps(boundary))
    assert isinstance(twin, Frozen)
    assert torch.equal(pad(images(), (1, 1, 1, 1), mode=twin), pad(images(), (1, 1, 1, 1), mode=boundary))
    assert repr(boundary) == "Frozen(channels=3, distances=[1, 1], dilation=[1, 1])"
    layer = Conv2d(3, 4, 3, padding=1, padding_mode=boundary)
    assert repr(layer).endswith("padding_mode=Frozen(channels=3, distances=[1, 1], dilation=[1, 1]))")


def test_fitted_without_gradients_it_serves_training():
    with torch.inference_mode():
        boundary = fit(images(), 1)
    image = images(1).contiguous(memory_format=torch.channels_last).requires_grad_()
    pad(image, (1, 1, 1, 1), mode=boundary).square().sum().backward()
    assert image.grad.isfinite().all()


def test_half_complex_images():
    boundary = fit(images(), 1)
    image = torch.complex(images(1), images(2)).to(torch.complex32)
    assert pad(image, (1, 1, 1, 1), mode=boundary).dtype == torch.complex32
