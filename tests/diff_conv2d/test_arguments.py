"""Arguments that cannot be: each is refused by its name, at once, and none is answered."""

import time

import pytest
import torch
import torch.nn.functional as F
from mode_cases import CASES, FUNCTIONAL, edge_kernels
from problems import PROBLEMS

import diff_conv2d
from diff_conv2d.modes import MODES
from diff_conv2d.modes.polynomial_weights import extrapolation_weights

IMAGE = torch.randn(1, 2, 8, 9, generator=torch.Generator().manual_seed(0))
WEIGHT = torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(1))
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
# A constant that is an integer may stand beside integers.
COPYING = ["zeros", "reflect", "replicate", "circular", "symmetric", "constant"]
COMPUTING = [mode for mode in FUNCTIONAL if mode not in COPYING]


@pytest.mark.parametrize("dtype", [*INTEGERS, torch.bool])
@pytest.mark.parametrize("mode", COPYING)
def test_modes_that_copy_keep_integers(mode, dtype):
    image = (IMAGE * 100).to(dtype)
    padded = diff_conv2d.pad(image, (1, 2, 3, 1), mode)
    assert padded.dtype == dtype
    assert torch.equal(padded, diff_conv2d.pad(image.double(), (1, 2, 3, 1), mode).to(dtype))


@pytest.mark.parametrize("dtype", [*INTEGERS, torch.bool])
@pytest.mark.parametrize("mode", [mode for mode in COMPUTING if CASES[mode].extends])
@pytest.mark.parametrize("pad", [(1, 1, 1, 1), (0, 0, 0, 0)])
def test_modes_that_compute_refuse_integers(mode, dtype, pad):
    with pytest.raises(
        TypeError, match=rf"input must be of a floating .*='{mode}'.* got {dtype}\. Take input\.float"
    ):
        diff_conv2d.pad(IMAGE.to(dtype), pad, mode)


@pytest.mark.parametrize("mode", FUNCTIONAL)
def test_a_convolution_of_integers_is_torchs_or_is_refused(mode):
    image, weight = (IMAGE * 9).to(torch.int64), (WEIGHT * 9).to(torch.int64)
    if mode in COPYING:
        actual = diff_conv2d.conv2d(image, weight, padding=1, padding_mode=mode)
        assert torch.equal(actual, F.conv2d(diff_conv2d.pad(image, (1, 1, 1, 1), mode), weight))
    else:
        with pytest.raises(TypeError, match=f"input must be of a floating .*='{mode}'"):
            diff_conv2d.conv2d(image, weight, padding=1, padding_mode=mode)


@pytest.mark.parametrize("mode", [mode for mode, case in CASES.items() if not case.functional])
def test_functions_refuse_modes_that_need_a_layer(mode):
    for call in (
        lambda: diff_conv2d.conv2d(IMAGE, WEIGHT, padding=1, padding_mode=mode),
        lambda: diff_conv2d.pad(IMAGE, (1, 1, 1, 1), mode),
    ):
        with pytest.raises(ValueError, match=f"padding_mode='{mode}' with these options needs a layer"):
            call()


@pytest.mark.parametrize("mode", COPYING)
@pytest.mark.parametrize("dtype", [*INTEGERS, torch.bool])
def test_integers_of_which_torch_has_no_convolution_are_refused(mode, dtype):
    image, weight = (IMAGE * 9).to(dtype), (WEIGHT * 9).to(dtype)
    dilated = {"padding": 2, "dilation": (1, 2), "padding_mode": mode}
    if dtype == torch.int64:
        padded = diff_conv2d.pad(image, (2, 2, 2, 2), mode)
        assert torch.equal(diff_conv2d.conv2d(image, weight, **dilated), F.conv2d(padded, weight, dilation=(1, 2)))
        return
    with pytest.raises(TypeError, match="input must"):
        diff_conv2d.conv2d(image, weight, **dilated)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bias": 0}, TypeError, "bias must be a tensor, got int"),
        ({"bias": [1.0]}, TypeError, "bias must be a tensor, got list"),
        ({"bias": torch.ones(3, dtype=torch.int32)}, TypeError, "one dtype.* bias is torch.int32"),
        ({"edge_weight": 3}, TypeError, "edge_weight must be a tensor, got int"),
        ({"edge_bias": "x"}, TypeError, "edge_bias must be a tensor, got str"),
        ({"edge_bias": torch.ones(3)}, ValueError, "edge_bias must be None: this padding_mode has no edge kernels"),
        ({"edge_weight": WEIGHT}, ValueError, "edge_weight must be None: this padding_mode has no edge kernels"),
        (
            {"padding_mode": "diff_explicit", "edge_weight": WEIGHT.double()},
            TypeError,
            "edge_weight must have the dtype of weight, torch.float32, got torch.float64",
        ),
        (
            {"padding_mode": "diff_explicit", "edge_weight": WEIGHT, "edge_bias": torch.ones(3).long()},
            TypeError,
            "edge_bias must have the dtype of weight",
        ),
        ({"padding_mode": "linear_prediction", "neighbourhood": 3}, TypeError, "neighbourhood must be two integers"),
        ({"padding_mode": "linear_prediction", "neighbourhood": "21"}, TypeError, "neighbourhood must be two"),
        ({"padding_mode": "linear_prediction", "neighbourhood": (True, 1)}, TypeError, "neighbourhood must be two"),
        ({"padding_mode": "adaptive", "ridge": "x"}, TypeError, "ridge must be a number, got 'x'"),
        ({"padding_mode": "adaptive", "ridge": float("nan")}, ValueError, "ridge must be finite and above 0"),
        (
            {"padding_mode": "adaptive", "pool": ["channels"]},
            ValueError,
            r"pool must be one of .* got \['channels'\]",
        ),
        ({"padding_mode": "adaptive", "select": "no"}, TypeError, "select must be True or False, got 'no'"),
        ({"padding_mode": "adaptive", "fit_gradient": 2}, TypeError, "fit_gradient must be True or False, got 2"),
        ({"padding_mode": "adaptive", "fit_dtype": [1]}, ValueError, "fit_dtype must be torch.float32 or"),
        ({"degree": [[1], [2]]}, TypeError, "degree must be an integer, or a sequence"),
        ({"degree": {1: 2}}, TypeError, "degree must be an integer, or a sequence"),
        ({"degree": True}, TypeError, "degree must be an integer, or a sequence"),
        ({"degree": b"11"}, TypeError, "degree must be an integer, or a sequence"),
        ({"stride": b"11"}, TypeError, "stride must be an integer or a sequence of 2, got b'11'"),
        ({"padding": bytearray(b"11")}, TypeError, "padding must be an integer or a sequence of 2"),
        ({"padding_mode": "random", "generator": "x"}, TypeError, "generator must be a torch.Generator, got 'x'"),
        ({"padding_mode": ["diff"]}, ValueError, "padding_mode must have one entry for each axis, here 2, got 1"),
        (
            {"padding_mode": 3},
            TypeError,
            "padding_mode must be a string, or a sequence .*, got 3",
        ),
        ({"algorithm": ["auto"]}, ValueError, "algorithm must be 'auto', 'direct', 'fast', 'memory' or 'fused'"),
        ({"weight": torch.ones(0, 2, 3, 3)}, ValueError, "weight must have at least one channel in and out"),
        ({"weight": torch.ones(3, 0, 3, 3), "input": torch.ones(1, 0, 5, 5)}, ValueError, "at least one channel"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_each_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        diff_conv2d.conv2d(**{"input": IMAGE, "weight": WEIGHT, "padding": 1, **arguments})


@pytest.mark.parametrize("pad", ["12", ("1", "1"), (1.5, 1), ((1, 1), (1, 1)), (2**70, 0), (True, 1), 1])
def test_pads_that_are_none(pad):
    with pytest.raises((TypeError, ValueError), match=r"^pad must"):
        diff_conv2d.pad(IMAGE[0, 0], pad)


@pytest.mark.parametrize("argument", ["include", "exclude"])
@pytest.mark.parametrize("value", [5, [3], {"a": 1}, object()])
def test_patterns_that_are_none(argument, value):
    with pytest.raises(TypeError, match=f"{argument} must be a pattern or a sequence of them"):
        diff_conv2d.convert(torch.nn.Conv2d(2, 3, 3, padding=1), **{argument: value})


@pytest.mark.parametrize(("dtype", "largest"), [(torch.float16, 13), (torch.float32, 13), (torch.float64, 25)])
def test_kernels_whose_weights_leave_the_dtype_are_refused(dtype, largest):
    """The weights of degree 12 at distance 6 are below 2^24, those of degree 14 at distance 7 are not."""
    bits = 24 if largest == 13 else 53
    line = torch.ones(1, 1, 64, dtype=dtype)
    for size in (largest, largest + 2, 31, 41, 1501):
        fits = size < 100 and max(map(abs, extrapolation_weights(size, size // 2))) <= 2**bits
        assert fits == (size == largest)
        weight = torch.full((1, 1, size), 1 / size, dtype=dtype)
        if fits:
            output = diff_conv2d.conv1d(line, weight, padding="same")
            torch.testing.assert_close(output, line, rtol=0.05 if dtype != torch.float64 else 1e-8, atol=0)
            continue
        for degree in (None, size - 1):
            with pytest.raises(ValueError, match=f"degree must be lower .* {size // 2} samples .* degree {size - 1}"):
                diff_conv2d.conv1d(line, weight, padding="same", degree=degree)
        with pytest.raises(ValueError, match="degree must be lower"):
            diff_conv2d.pad(line, (size // 2, size // 2), "diff")
        assert diff_conv2d.conv1d(line, weight, padding="same", degree=1).isfinite().all()


def test_the_papers_layer_refuses_them_too():
    with pytest.raises(ValueError, match="degree must be lower"):
        diff_conv2d.DiffConv2dLayer(1, 1, 31)(torch.ones(1, 1, 64, 64))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [10**6, 2**70])
def test_huge_paddings_end_at_once(mode, padding):
    started = time.monotonic()
    weight, image = torch.ones(1, 1, 3), torch.ones(1, 1, 16)
    quick = padding == 10**6 and mode in ("zeros", "replicate", "symmetric", "reflect", "circular")
    if quick:
        output = diff_conv2d.conv1d(image, weight, padding=padding, padding_mode=mode)
        assert output.shape == (1, 1, 2 * padding + 14)
    else:
        options = {"edge_weight": weight} if mode == "diff_explicit" else {}
        with pytest.raises(ValueError, match="padding"):
            diff_conv2d.conv1d(image, weight, padding=padding, padding_mode=mode, **options)
    # A bound against what does not end, not a measurement.
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("mode", FUNCTIONAL)
@pytest.mark.parametrize("other", [torch.float64, torch.complex64, torch.int64])
def test_autocast_casts_single_and_half_precision_alone(mode, other):
    edges = edge_kernels(mode, PROBLEMS["3x3"], WEIGHT, torch.zeros(WEIGHT.shape[0]))
    edges.pop("edge_bias", None)
    with torch.autocast("cpu", torch.bfloat16):
        output = diff_conv2d.conv2d(IMAGE.bfloat16(), WEIGHT, padding=1, padding_mode=mode, **edges)
        assert output.dtype == torch.bfloat16
        with pytest.raises(TypeError, match=f"one dtype, got: input is {other}, weight is torch.float32"):
            diff_conv2d.conv2d(IMAGE.to(other), WEIGHT, padding=1, padding_mode=mode, **edges)
