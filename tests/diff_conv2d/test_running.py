"""Predictors that a layer keeps: averaged over batches in training, frozen in evaluation."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

import diff_conv2d
from diff_conv2d import Conv1d, Conv2d, Conv3d, conv2d, convert, fit, pad
from diff_conv2d.extension.by_product import can_be_prepared
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes import boundary
from diff_conv2d.modes.adaptive import Adaptive
from diff_conv2d.modes.base import AxisExtension
from diff_conv2d.modes.kept_predictors import Frozen

LAYERS = {1: Conv1d, 2: Conv2d, 3: Conv3d}
SIZES = {1: (40,), 2: (24, 31), 3: (16, 17, 20)}


def layer_of(axes=2, channels=3, **arguments):
    torch.manual_seed(0)
    arguments = {"padding": 1, **arguments}
    return LAYERS[axes](channels, 4, 3, padding_mode="adaptive", track_running_stats=True, **arguments)


def images(axes=2, count=4, channels=3, seed=0, dtype=torch.float32):
    """Smooth random images."""
    noise = torch.randn(count, channels, *SIZES[axes], generator=torch.Generator().manual_seed(seed), dtype=dtype)
    for dim in range(2, 2 + axes):
        noise = noise.cumsum(dim)
    return noise / noise.std()


def buffers(layer):
    return {name: buffer.clone() for name, buffer in layer.predictors.named_buffers()}


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("arguments", [{}, {"stride": 2}, {"dilation": 2, "padding": 2}, {"padding": "same"}])
def test_the_first_batch_gives_its_own_fit(axes, arguments):
    layer, image = layer_of(axes, **arguments), images(axes)
    output = layer(image)
    expected = LAYERS[axes](3, 4, 3, padding_mode="adaptive", pool="batch", **{"padding": 1, **arguments})
    expected.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    torch.testing.assert_close(output, expected(image), rtol=1e-4, atol=1e-5)


def test_the_average_moves_by_momentum():
    layer, geometry = layer_of(momentum=0.25, fit_every=1), layer_of().geometry
    fitter = Adaptive(pool="batch")
    total = None
    for number in range(8):
        batch = images(seed=number)
        layer(batch)
        sizes = fitter.sizes(batch.shape[2], geometry, 0)
        v = fitter.weights(batch, sizes, geometry, 0)[0].float()
        rate = max(0.25, 1 / (number + 1))
        total = v if total is None else total.lerp(v, rate)
    kept = layer.predictors.weights_0[..., : total.shape[-1]]
    torch.testing.assert_close(kept, total, rtol=1e-4, atol=1e-5)
    assert layer.predictors.num_batches_tracked == 8


def test_it_is_fitted_to_the_first_batches_then_to_every_nth():
    layer, changed = layer_of(fit_every=4), []
    for number in range(13):
        before = buffers(layer)["weights_0"]
        layer(images(seed=number))
        changed.append(not torch.equal(before, layer.predictors.weights_0))
    assert [number for number, change in enumerate(changed) if change] == [0, 1, 2, 3, 4, 8, 12]


def test_evaluation_changes_nothing_and_depends_on_the_image_alone():
    layer = layer_of()
    layer(images())
    layer.eval()
    before, batch = buffers(layer), images(seed=1)
    output = layer(batch)
    assert all(torch.equal(value, buffers(layer)[name]) for name, value in before.items())
    # The convolution of a batch may be summed in another order than that of an image.
    alone = torch.cat([layer(image[None]) for image in batch])
    torch.testing.assert_close(output, alone, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output[0], layer(batch[0]), rtol=1e-5, atol=1e-5)


def test_without_a_batch_an_image_is_extended_by_its_own_fit():
    layer = layer_of().eval()
    expected = conv2d(images(), layer.weight, layer.bias, padding=1, padding_mode="adaptive")
    assert torch.equal(layer(images()), expected)


def test_a_state_dict_gives_the_same_buffers_and_outputs():
    layer = layer_of()
    for seed in range(10):
        layer(images(seed=seed))
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = layer_of()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert all(torch.equal(value, buffers(other)[name]) for name, value in buffers(layer).items())
    for one in (layer, other, copy.deepcopy(layer)):
        one.eval()
        assert torch.equal(one(images()), layer(images()))
    # Training goes on with the same batches.
    layer.train(), other.train()
    for seed in range(10, 18):
        layer(images(seed=seed)), other(images(seed=seed))
    assert torch.equal(layer.predictors.weights_1, other.predictors.weights_1)


def test_a_checkpoint_of_torchs_layer_loads():
    plain, layer = nn.Conv2d(3, 4, 3, padding=1), layer_of()
    layer.load_state_dict(plain.state_dict())
    assert torch.equal(layer.weight, plain.weight)


def test_gradients_treat_the_average_as_constant():
    layer = layer_of(channels=2).double()
    layer(images(channels=2, dtype=torch.float64))
    layer.eval()
    image = images(channels=2, dtype=torch.float64)[:1, :, :9, :10].clone().requires_grad_()
    assert gradcheck(layer, (image,), fast_mode=True)


def test_two_batches_before_their_gradients():
    layer = layer_of(fit_every=1)
    losses = [layer(images(seed=seed)).square().mean() for seed in range(3)]
    sum(losses).backward()
    assert layer.weight.grad.isfinite().all()


def test_images_of_other_sizes():
    layer = layer_of()
    for size in (40, 24, 9, 3, 2, 1):
        assert layer(torch.randn(2, 3, size, 30)).isfinite().all()
    layer.eval()
    for size in (40, 3, 1):
        constant = torch.full((1, 3, size, size), 2.0)
        extended = layer.predictors.extension().extend(constant, layer.geometry)
        torch.testing.assert_close(extended, torch.full_like(extended, 2.0))


def test_channels_share_their_predictors():
    layer = layer_of(pool="channels")
    layer(images())
    assert layer.predictors.weights_0.shape == (1, 1, 11)


def test_under_autocast():
    layer = layer_of()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(images())
    assert output.dtype is torch.bfloat16
    assert layer.predictors.weights_0.dtype is torch.float32
    exact = layer_of()
    exact(images())
    torch.testing.assert_close(layer.predictors.weights_0, exact.predictors.weights_0)


def test_a_layer_changes_to_the_mode_and_back():
    layer = Conv2d(3, 4, 3, padding=1, padding_mode="replicate")
    network = convert(nn.Sequential(layer), "adaptive", track_running_stats=True, verbose=False)
    assert boundary(network[0].predictors.mode_before) == boundary("replicate")
    network(images())
    assert set(network.state_dict()) > {"0.weight", "0.predictors.weights_0"}
    convert(network, "zeros", verbose=False)
    assert set(network.state_dict()) == {"0.weight", "0.bias"}


def test_converting_to_what_a_layer_has_keeps_the_average():
    network = nn.Sequential(layer_of())
    network(images())
    before = buffers(network[0])
    convert(network, "adaptive", track_running_stats=True, verbose=False)
    assert all(torch.equal(value, buffers(network[0])[name]) for name, value in before.items())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"momentum": 0}, ValueError, "momentum must be above 0"),
        ({"momentum": "x"}, TypeError, "momentum must be a number"),
        ({"fit_every": 0}, ValueError, "fit_every must be at least 1"),
        ({"fit_every": 1.5}, TypeError, "fit_every must be an integer"),
        ({"fit_gradient": True}, ValueError, "track_running_stats needs fit_gradient=False"),
        ({"pool": "batch"}, ValueError, "track_running_stats needs"),
    ],
)
def test_what_does_not_fit_is_said(options, error, message):
    with pytest.raises(error, match=message):
        layer_of(**options)


@pytest.mark.parametrize("call", [conv2d, pad])
def test_functions_have_nothing_to_keep_it_in(call):
    arguments = ((1, 1, 1, 1),) if call is pad else (torch.ones(4, 3, 3, 3),)
    name = "mode" if call is pad else "padding_mode"
    with pytest.raises(ValueError, match="needs a layer"):
        call(images(), *arguments, **{name: "adaptive"}, track_running_stats=True)


def test_a_fit_serves_other_images():
    field = images(count=8, dtype=torch.float64).cumsum(2).cumsum(3)
    boundary = fit(field[:6], padding=2)
    image = field[6:, :, 2:-2, 2:-2]
    extended = pad(image, (2, 2, 2, 2), mode=boundary)
    replicated = pad(image, (2, 2, 2, 2), mode="replicate")
    assert (extended - field[6:]).abs().mean() < 0.7 * (replicated - field[6:]).abs().mean()
    weight = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    expected = nn.functional.conv2d(extended, weight)
    for algorithm in ("auto", "memory"):
        found = conv2d(image, weight, padding="same", padding_mode=boundary, algorithm=algorithm)
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


def test_a_fit_of_a_set_is_the_average():
    parts = [images(seed=seed) for seed in range(3)]
    alone = [fit(part, padding=1).predictors[0] for part in parts]
    torch.testing.assert_close(fit(parts, padding=1).predictors[0], torch.stack(alone).mean(0))


def test_chunked_filtering_takes_a_fit():
    chunked = pytest.importorskip("diff_conv2d.chunked")
    da = pytest.importorskip("dask.array")
    field = images(channels=1, dtype=torch.float64)
    boundary, kernel = fit(field[1:], padding=1), torch.randn(3, 3, dtype=torch.float64)
    whole = conv2d(field[:1], kernel[None, None], padding="same", padding_mode=boundary)[0, 0]
    found = chunked.correlate(da.from_array(field[0, 0].numpy(), chunks=7), kernel.numpy(), boundary).compute()
    torch.testing.assert_close(torch.from_numpy(found), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], 1), ValueError, "images must hold at least one tensor"),
        ((torch.ones(1, 1, 9, 9).long(), 1), TypeError, "images must be real"),
        ((torch.ones(1, 1, 2, 9), 1), ValueError, "more samples along spatial axis 0"),
        ((torch.ones(1, 1, 9, 9), -1), ValueError, "padding must be at least 0"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        fit(*arguments)


def test_a_fit_for_less_is_refused():
    boundary = fit(images(), padding=1)
    with pytest.raises(ValueError, match="padding must be at most 1 samples along spatial axis 0"):
        pad(images(), (2, 2, 2, 2), mode=boundary)
    with pytest.raises(ValueError, match="input must have 3 channels"):
        pad(images(channels=2), (1, 1, 1, 1), mode=boundary)
    with pytest.raises(TypeError, match="is fitted already and has no option; got degree"):
        pad(images(), (1, 1, 1, 1), mode=boundary, degree=2)


def test_calibration_touches_the_predictors_alone():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Conv2d(4, 2, 3, padding=1)
    )
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network = convert(network, "adaptive", track_running_stats=True, verbose=False).train()
    gains = diff_conv2d.calibrate(network, (images(seed=seed) for seed in range(3)))
    assert list(gains) == ["0", "4"]
    assert 0 < gains["0"] < 0.5
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
    assert all(module.training for module in network.modules())
    assert network[0].predictors.num_batches_tracked == 3
    network.eval()
    assert torch.equal(network(images()), network(images()))


def test_calibration_without_anything_to_do_is_refused():
    with pytest.raises(ValueError, match="model must have layers that track running statistics"):
        diff_conv2d.calibrate(nn.Conv2d(1, 1, 3, padding=1), [])
    with pytest.raises(ValueError, match="batches must hold at least one batch"):
        diff_conv2d.calibrate(layer_of(), [])


def test_an_onnx_file_with_open_sizes_agrees_at_three_sizes(tmp_path):
    import onnxruntime

    layer, path = layer_of(), tmp_path / "layer.onnx"
    layer(images())
    layer.eval()
    height, width = (torch.export.Dim(name, min=12) for name in ("height", "width"))
    shapes = ({0: torch.export.Dim("batch"), 2: height, 3: width},)
    torch.onnx.export(layer, (images(),), path, dynamo=True, verbose=False, dynamic_shapes=shapes)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for size in ((1, 3, 24, 31), (2, 3, 12, 40), (5, 3, 64, 17)):
        image = torch.randn(size).cumsum(2).cumsum(3)
        (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), layer(image), rtol=1e-4, atol=1e-4)


def test_compiled_training_and_evaluation():
    layer, other = layer_of(fit_every=1), layer_of(fit_every=1)
    compiled = torch.compile(other, backend="aot_eager")
    for seed in range(3):
        torch.testing.assert_close(compiled(images(seed=seed)), layer(images(seed=seed)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(other.predictors.weights_0, layer.predictors.weights_0)
    layer.eval(), other.eval()
    torch.testing.assert_close(compiled(images()), layer(images()), rtol=1e-4, atol=1e-4)


def _train(rank, store, folder):
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    try:
        network = nn.parallel.DistributedDataParallel(nn.Sequential(layer_of(), nn.ReLU(), layer_of(channels=4)))
        for seed in range(10):
            network(images(seed=2 * seed + rank)).square().mean().backward()
        torch.save(network.module.state_dict(), folder / f"{rank}.pt")
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_end_with_the_same_buffers(tmp_path):
    torch.multiprocessing.spawn(_train, (f"file://{tmp_path / 'store'}", tmp_path), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert first["0.predictors.num_batches_tracked"] == 10


# The fast way


def frozen(channels, padding, taps, seed=0):
    """Random weights, for which the order of channels, distances and ends matters."""
    generator = torch.Generator().manual_seed(seed)
    shape = channels, max(padding), taps - 1
    return Frozen([torch.randn(shape, dtype=torch.float64, generator=generator) for _ in range(2)], (1, 1))


def plainly(boundary, image, geometry):
    """The extension axis by axis, by the rule for the samples outside."""
    return AxisExtension.extend(boundary.for_image(image, geometry), image, geometry)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("before", "after"), [((1, 1), (1, 1)), ((2, 1), (1, 3)), ((0, 2), (0, 2)), ((1, 0), (2, 0)), ((0, 2), (1, 0))]
)
def test_products_give_what_the_rule_gives(before, after, channels):
    geometry = Geometry(tuple(b + a + 1 for b, a in zip(before, after, strict=True)), (1, 1), (1, 1), before, after)
    boundary = frozen(channels, (*before, *after), 5)
    for size in ((9, 11), (5, 5), (3, 8)):
        image = torch.randn(2, 3, *size, dtype=torch.float64)
        assert can_be_prepared(image, geometry.dilation)
        torch.testing.assert_close(boundary.extend(image, geometry), plainly(boundary, image, geometry))
        assert gradcheck(lambda x: boundary.extend(x, geometry), image.requires_grad_(), fast_mode=True)
        assert gradgradcheck(lambda x: boundary.extend(x, geometry), image, fast_mode=True)


def test_products_read_no_more_than_the_rule():
    geometry = Geometry((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    boundary = frozen(2, (1, 1), 4)
    image = torch.zeros(1, 2, 12, 12, dtype=torch.float64)
    image[0, 0, 2, 6] = torch.nan
    found = boundary.extend(image, geometry).isnan()
    assert torch.equal(found, plainly(boundary, image, geometry).isnan())
    # Itself, and the sample above its column.
    assert found.sum() == 2


def test_what_was_prepared_without_gradients_serves_training():
    layer = layer_of()
    layer(images())
    layer.eval()
    with torch.inference_mode():
        layer(images(seed=1))
    image = images(seed=2).requires_grad_()
    layer(image).sum().backward()
    assert image.grad.isfinite().all()
    layer.train()(images(seed=3)).sum().backward()


def test_what_was_prepared_follows_the_buffers():
    layer = layer_of()
    layer(images())
    layer.eval()
    image = images(seed=1)
    before = layer(image)
    with torch.no_grad():
        layer.predictors.weights_0.mul_(0.5)
    changed = layer(image)
    assert not torch.equal(before, changed)
    twin = layer_of().eval()
    twin(image)
    twin.load_state_dict(layer.state_dict())
    assert torch.equal(twin(image), changed)
    precise = copy.deepcopy(layer).double()
    torch.testing.assert_close(precise(image.double()).float(), changed, rtol=1e-4, atol=1e-5)
    assert torch.equal(layer(image), changed)


def test_it_launches_no_more_than_diff():
    def launches(mode, **options):
        layer = Conv2d(8, 8, 3, padding=1, padding_mode=mode, **options)
        image = torch.randn(2, 8, 300, 300)
        layer(image)
        layer.eval()
        with torch.no_grad():
            layer(image)
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
                layer(image)
        work = ("pad", "copy_", "mul", "add", "bmm", "mkldnn_convolution", "cat", "sub", "gather", "fill_")
        return sum(any(event.name.startswith(f"aten::{name}") for name in work) for event in profile.events())

    assert launches("adaptive", track_running_stats=True) <= launches("diff")
