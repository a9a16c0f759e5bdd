"""scipy.ndimage's filters with any boundary mode: scipy's results in its modes, and pad and a naive sum in ours."""

import contextlib
import inspect
import warnings

import numpy as np
import pytest
import scipy.ndimage
import torch

import diff_conv2d
from diff_conv2d import ndimage
from diff_conv2d.ndimage import correlation

SCIPYS = ["reflect", "mirror", "nearest", "wrap", "constant", "grid-mirror", "grid-wrap", "grid-constant"]
OURS = [
    "zeros",
    {"mode": "reflect"},
    "replicate",
    "circular",
    "symmetric",
    {"mode": "extrapolate", "degree": 2},
    {"mode": "diff", "degree": 3},
    "linear_prediction",
    "adaptive",
    {"mode": "adaptive", "taps": 3},
    "antireflect",
    {"mode": "constant", "value": 2.5},
    "antisymmetric",
    {"mode": "dirichlet", "value": 0.5},
    {"mode": "neumann", "value": 0.5, "at": "sample"},
]
DTYPES = ["bool", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", "c8", "c16"]
RNG = np.random.default_rng(3)


def random_array(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) > 0.5
    if dtype.kind in "iu":
        low, high = (max(np.iinfo(dtype).min, -(2**40)), min(np.iinfo(dtype).max, 2**40))
        if rng.random() < 0.4:
            # Few values: many sums that are integers, or nearly.
            low, high = max(low, 0), 4
        return rng.integers(low, high, shape, dtype=dtype, endpoint=True)
    values = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype.kind == "c" else 0)
    return values.astype(dtype)


def random_call(rng):
    """A function of scipy.ndimage and its arguments."""
    axes = rng.integers(1, 5)
    shape = tuple(map(int, rng.integers(1, 10 if axes < 4 else 5, axes)))
    array = random_array(rng, shape, DTYPES[rng.integers(len(DTYPES))])
    output = None if rng.random() < 0.6 or array.dtype.kind == "c" else np.dtype(DTYPES[rng.integers(11)])
    mode, modes = SCIPYS[rng.integers(8)], [SCIPYS[rng.integers(8)] for _ in range(axes)]
    cval = float(rng.integers(-3, 4)) if rng.random() < 0.5 else float(rng.normal())
    size, axis, sigma = int(rng.integers(1, 12)), int(rng.integers(-axes, axes)), float(rng.uniform(0.3, 2.3))
    weights = rng.normal(size=size) if rng.random() < 0.5 else rng.integers(-3, 4, size)
    if rng.random() < 0.4:
        weights = weights + weights[::-1] * (1 if rng.random() < 0.5 else -1)
    origin = int(rng.integers(-(size // 2), (size - 1) // 2 + 1))
    sizes = tuple(map(int, rng.integers(1, 5, axes)))
    kernel = rng.normal(size=sizes) if rng.random() < 0.5 else rng.integers(-2, 3, sizes)
    origins = [int(rng.integers(-((k - 1) // 2), (k - 1) // 2 + 1)) for k in sizes]
    # scipy's running sum of integers is exact for those of float64 alone.
    whole = float(np.round(cval))
    calls = [
        ("correlate1d", array, weights, axis, output, mode, cval, origin),
        ("convolve1d", array, weights, axis, output, mode, cval),
        ("correlate", array, kernel, output, mode, cval, origins),
        ("convolve", array, kernel, output, mode, cval, origins),
        ("gaussian_filter", array, sigma, int(rng.integers(0, 3)), output, modes, cval),
        ("gaussian_filter1d", array, sigma, axis, 1, output, mode, cval),
        ("uniform_filter", array, [min(k, 5) for k in sizes], None, modes, whole),
        ("uniform_filter1d", array, size, axis, None, mode, whole, origin),
        ("sobel", array, axis, output, modes, cval),
        ("prewitt", array, axis, output, mode, cval),
        ("laplace", array, output, modes, cval),
        ("gaussian_laplace", array, sigma, output, modes, cval),
        ("gaussian_gradient_magnitude", array, sigma, output, modes, cval),
    ]
    return calls[rng.integers(len(calls))]


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@pytest.mark.parametrize("strip", [1 << 20, 7])
@pytest.mark.parametrize("seed", range(10))
def test_scipys_results(seed, strip, monkeypatch):
    monkeypatch.setattr(correlation, "_STRIP", strip)
    rng = np.random.default_rng(seed)
    for _ in range(100):
        name, *arguments = random_call(rng)
        with quiet():
            expected = getattr(scipy.ndimage, name)(*arguments)
            result = getattr(ndimage, name)(*arguments)
        assert result.dtype == expected.dtype
        assert isinstance(result, np.ndarray)
        message = f"{name}{arguments}"
        if expected.dtype.kind == "b":
            # scipy's booleans may be other bytes than 0 and 1.
            assert np.array_equal(result, expected.view(np.uint8) != 0), message
        elif expected.dtype.kind in "iu":
            assert np.array_equal(result, expected), message
        else:
            precise = expected.dtype.itemsize >= 8 and expected.dtype != np.complex64
            weights = np.abs(arguments[1]).sum() if name.startswith("co") else 8
            largest = (np.abs(arguments[0].astype(complex)).max() + 10) * (weights + 8)
            tolerance = 1e-14 if precise else 1e-6
            np.testing.assert_allclose(result, expected, tolerance, tolerance * largest, err_msg=message)


@pytest.mark.parametrize("name", ndimage.__all__)
def test_scipys_arguments_and_defaults(name):
    ours, scipys = (inspect.signature(getattr(module, name)).parameters for module in (ndimage, scipy.ndimage))
    # Besides, `edges` takes mask, nan and fill; the generic filters hand them on.
    assert [argument for argument in ours if argument != "edges"] == list(scipys)
    for argument, theirs in scipys.items():
        assert (ours[argument].default, ours[argument].kind) == (theirs.default, theirs.kind)


# The modes of this library


def extended(array, widths, mode):
    """What `pad` makes of an array; `widths` are (before, after) for each axis."""
    flat = [width for pair in reversed(widths) for width in pair]
    return diff_conv2d.pad(torch.from_numpy(array)[None, None], flat, mode=mode)[0, 0].numpy()


def naive(array, kernel, mode, origins):
    """Correlate with a kernel of all axes, window by window."""
    before = [k // 2 + o for k, o in zip(kernel.shape, origins, strict=True)]
    widths = [(b, k - 1 - b) for k, b in zip(kernel.shape, before, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(extended(array, widths, mode), kernel.shape)
    return (windows * kernel).sum(tuple(range(array.ndim, 2 * array.ndim)))


def naive_line(array, weights, axis, mode, origin=0):
    """Correlate along one axis."""
    kernel = np.reshape(weights, [-1 if n == axis else 1 for n in range(array.ndim)]).astype(float)
    return naive(array, kernel, mode, [origin if n == axis else 0 for n in range(array.ndim)])


def field(*shape):
    """Something smooth, with noise."""
    steps = np.meshgrid(*(np.arange(size) / 5 for size in shape), indexing="ij")
    return np.sin(sum((n + 1) * step for n, step in enumerate(steps))) + 0.1 * RNG.normal(size=shape)


SHAPES = [(40,), (24, 19), (1, 12), (9, 7, 8)]


def is_too_small(mode, shape):
    slope = isinstance(mode, dict) and mode["mode"] == "neumann"
    return slope and min(shape) < 4


@pytest.mark.parametrize("strip", [1 << 20, 30])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", OURS, ids=str)
def test_our_modes_are_pad_and_a_sum(mode, shape, strip, monkeypatch):
    if is_too_small(mode, shape):
        pytest.skip("the mode refuses such lines")
    monkeypatch.setattr(correlation, "_STRIP", strip)
    array, axes = field(*shape), range(len(shape))
    close = {"rtol": 1e-9, "atol": 1e-9}
    for sizes, origins in (((3, 3, 3), (0, 0, 0)), ((4, 2, 3), (-1, 0, 1)), ((1, 5, 2), (0, 2, -1))):
        kernel = RNG.normal(size=sizes[: len(shape)])
        expected = naive(array, kernel, mode, origins[: len(shape)])
        result = ndimage.correlate(array, kernel, mode=mode, origin=origins[: len(shape)])
        np.testing.assert_allclose(result, expected, **close)
        flipped, minus = np.flip(kernel), [-o - 1 + k % 2 for o, k in zip(origins, kernel.shape, strict=False)]
        np.testing.assert_allclose(ndimage.convolve(array, flipped, mode=mode, origin=minus), expected, **close)
    for axis in axes:
        weights = RNG.normal(size=4)
        expected = naive_line(array, weights, axis, mode, origin=1)
        result = ndimage.correlate1d(array, weights, axis, mode=mode, origin=1)
        np.testing.assert_allclose(result, expected, **close)
        result = ndimage.convolve1d(array, weights[::-1], axis, mode=mode, origin=-2)
        np.testing.assert_allclose(result, expected, **close)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", OURS, ids=str)
def test_filters_of_several_steps(mode, shape):
    if is_too_small(mode, shape):
        pytest.skip("the mode refuses such lines")
    array, axes = field(*shape), range(len(shape))
    close = {"rtol": 1e-9, "atol": 1e-9}

    def steps(kernels):
        result = array
        for axis, weights in kernels:
            result = naive_line(result, weights, axis, mode)
        return result

    gauss = scipy.ndimage.gaussian_filter1d(np.eye(1, 7, 3)[0], 0.7, radius=3)
    slope = -scipy.ndimage.gaussian_filter1d(np.eye(1, 7, 3)[0], 0.7, order=1, radius=3)
    bend = scipy.ndimage.gaussian_filter1d(np.eye(1, 7, 3)[0], 0.7, order=2, radius=3)
    expected = {
        "gaussian_filter": steps([(axis, gauss) for axis in axes]),
        "uniform_filter": steps([(axis, np.ones(3) / 3) for axis in axes]),
        "laplace": sum(naive_line(array, [1, -2, 1], axis, mode) for axis in axes),
        "gaussian_laplace": sum(steps([(n, bend if n == axis else gauss) for n in axes]) for axis in axes),
        "gaussian_gradient_magnitude": np.sqrt(
            sum(steps([(n, slope if n == axis else gauss) for n in axes]) ** 2 for axis in axes)
        ),
    }
    arguments = {name: {"sigma": 0.7, "radius": 3} if "gaussian" in name else {} for name in expected}
    for name, values in expected.items():
        result = getattr(ndimage, name)(array, mode=mode, **arguments[name])
        np.testing.assert_allclose(result, values, **close, err_msg=name)
    for name, across in (("sobel", [1, 2, 1]), ("prewitt", [1, 1, 1])):
        for axis in axes:
            values = steps([(axis, [-1, 0, 1]), *((n, across) for n in axes if n != axis)])
            np.testing.assert_allclose(getattr(ndimage, name)(array, axis, mode=mode), values, **close)
    for axis in axes:
        values = steps([(axis, gauss)])
        result = ndimage.gaussian_filter1d(array, 0.7, axis, radius=3, mode=mode)
        np.testing.assert_allclose(result, values, **close)
        result = ndimage.uniform_filter1d(array, 4, axis, mode=mode, origin=-1)
        np.testing.assert_allclose(result, naive_line(array, np.ones(4) / 4, axis, mode, -1), **close)


@pytest.mark.parametrize("strip", [1 << 20, 30])
@pytest.mark.parametrize(
    "mode",
    [
        ("circular", {"mode": "diff", "degree": 2}),
        (("zeros", {"mode": "diff", "degree": 2}), "circular"),
        [("adaptive", "replicate"), ("antireflect", "adaptive")],
        ("pole", "circular"),
        ["symmetric", ({"mode": "reflect"}, "circular")],
    ],
    ids=str,
)
def test_a_mode_for_each_axis_and_side(mode, strip, monkeypatch):
    monkeypatch.setattr(correlation, "_STRIP", strip)
    array, kernel = field(30, 16), RNG.normal(size=(4, 3))
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(
        ndimage.correlate(array, kernel, mode=mode), naive(array, kernel, mode, (0, 0)), **close
    )
    weights = scipy.ndimage.gaussian_filter1d(np.eye(1, 9, 4)[0], 1.0)
    first = naive_line(array, weights, 0, mode)
    np.testing.assert_allclose(
        ndimage.gaussian_filter(array, 1, mode=mode), naive_line(first, weights, 1, mode), **close
    )
    if "adaptive" in str(mode) or "pole" in mode:
        # Without the other axis each line is an image of its own.
        return
    # In the order of `axes`.
    last = ndimage.correlate1d(array, weights, 1, mode=mode[1])
    expected = ndimage.gaussian_filter(array, (0, 1), mode=mode)
    np.testing.assert_allclose(ndimage.gaussian_filter(array, [1], axes=[1], mode=[mode[1]]), last, **close)
    np.testing.assert_allclose(expected, last, **close)


def test_words_that_both_have():
    line = np.array([1.0, 2, 4])
    assert ndimage.correlate1d(line, [1, 0, 0], mode="reflect").tolist() == [1, 1, 2]
    assert ndimage.correlate1d(line, [1, 0, 0], mode={"mode": "reflect"}).tolist() == [2, 1, 2]
    assert ndimage.correlate1d(line, [1, 0, 0], mode="constant", cval=7).tolist() == [7, 1, 2]
    assert ndimage.correlate1d(line, [1, 0, 0], mode={"mode": "constant", "value": 7}).tolist() == [7, 1, 2]
    assert np.isnan(ndimage.correlate1d(line, [1, 0, 0], mode="constant", cval=np.nan)[0])


def test_random_and_partial():
    array = field(12, 9)

    def seeded():
        return {"mode": "random", "generator": torch.Generator().manual_seed(5)}

    kernel = RNG.normal(size=(3, 3))
    expected = naive(array, kernel, seeded(), (0, 0))
    np.testing.assert_allclose(ndimage.correlate(array, kernel, mode=seeded()), expected)
    share = naive(np.ones_like(array), np.ones((3, 3)), "zeros", (0, 0)) / 9
    expected = naive(array, kernel, "zeros", (0, 0)) / share
    np.testing.assert_allclose(ndimage.correlate(array, kernel, mode="partial"), expected)
    assert np.allclose(ndimage.uniform_filter(np.ones((5, 6)), 3, mode="partial"), 1)


def test_predictors_that_are_fitted_already():
    waves = torch.from_numpy(field(60, 60))[None, None]
    mode, array = diff_conv2d.fit(waves, padding=2), field(20, 30)
    kernel = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(ndimage.correlate(array, kernel, mode=mode), naive(array, kernel, mode, (0, 0)))


@pytest.mark.parametrize("mode", ["reflect", "antireflect", "adaptive", ("nearest", "wrap")], ids=str)
def test_more_than_three_axes(mode):
    array, weights = field(5, 6, 4, 7), [1.0, 2, -1, 3]
    for axis in range(4):
        front = int(np.prod(array.shape[:axis]))
        folded = array.reshape(front, array.shape[axis], -1)
        sides = mode if isinstance(mode, str) else (mode[0], mode[1])
        expected = ndimage.correlate1d(folded, weights, 1, mode=sides).reshape(array.shape)
        np.testing.assert_allclose(ndimage.correlate1d(array, weights, axis, mode=sides), expected)
    if mode == "antireflect":
        kernel, expected = RNG.normal(size=(3, 1, 2, 3)), np.zeros_like(array)
        padded = np.pad(array, [(1, 1), (0, 0), (1, 0), (1, 1)], "reflect", reflect_type="odd")
        for place in np.ndindex(kernel.shape):
            window = tuple(slice(start, start + size) for start, size in zip(place, array.shape, strict=True))
            expected += kernel[place] * padded[window]
        np.testing.assert_allclose(ndimage.correlate(array, kernel, mode=mode), expected)


@pytest.mark.parametrize("strip", [1 << 20, 30])
def test_other_axes_are_a_batch(strip, monkeypatch):
    monkeypatch.setattr(correlation, "_STRIP", strip)
    stack = np.stack([field(20, 15), 50 + field(20, 15)])
    for mode in ("adaptive", "diff", "linear_prediction"):
        kernel = np.multiply.outer([-1.0, 0, 1], [1, 2, 1])
        alike = np.stack([ndimage.correlate(image, kernel, mode=mode) for image in stack])
        np.testing.assert_allclose(ndimage.correlate(stack, kernel, mode=mode, axes=(1, 2)), alike, atol=1e-9)
        moved = ndimage.correlate(stack.transpose(1, 2, 0), kernel, mode=mode, axes=(0, 1))
        np.testing.assert_allclose(moved.transpose(2, 0, 1), alike, atol=1e-9)


def test_axes_in_any_order():
    """Weights have the array's order of axes, origins and modes that of `axes`, as in scipy."""
    array, kernel = field(9, 8, 7), RNG.normal(size=(3, 4))
    expected = scipy.ndimage.correlate(array, kernel, origin=(1, -1), axes=(2, 0))
    np.testing.assert_allclose(ndimage.correlate(array, kernel, origin=(1, -1), axes=(2, 0)), expected)
    expected = np.stack(
        [naive(image, kernel, ("circular", "replicate"), (0, 0)) for image in array.swapaxes(0, 1)], 1
    )
    result = ndimage.correlate(array, kernel, mode=("nearest", "wrap"), axes=(2, 0))
    np.testing.assert_allclose(result, expected)
    expected = scipy.ndimage.gaussian_filter(array, (1, 2), axes=(2, 0), mode=("nearest", "wrap"))
    np.testing.assert_allclose(
        ndimage.gaussian_filter(array, (1, 2), axes=(2, 0), mode=("nearest", "wrap")), expected
    )


# Integers


def test_sums_that_are_integers_but_for_rounding():
    """scipy truncates what it has summed in its order: 0.1 * 7 + 0.9 * 7 may be 6 or 7."""
    flat = np.full((1300, 1000), 7, np.uint8)
    flat[::7, ::11] = 9
    for weights in ([0.1, 0.3, 0.6], [0.1, 0.8, 0.1], np.full(10, 0.1), [0.7, 0.2, 0.1, 0.0, -0.1]):
        for axis in (0, 1):
            expected = scipy.ndimage.correlate1d(flat, weights, axis)
            assert np.array_equal(ndimage.correlate1d(flat, weights, axis), expected)
    for dtype in (np.uint8, np.int16, np.uint16):
        image = random_array(np.random.default_rng(1), (1100, 1000), dtype)
        image[:200] = image[0, 0]
        kernel = RNG.normal(size=(3, 5))
        assert np.array_equal(ndimage.correlate(image, kernel), scipy.ndimage.correlate(image, kernel))
        assert np.array_equal(ndimage.gaussian_filter(image, 2), scipy.ndimage.gaussian_filter(image, 2))
        for axis in (0, 1):
            assert np.array_equal(ndimage.sobel(image, axis), scipy.ndimage.sobel(image, axis))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
@pytest.mark.parametrize("mode", ["diff", "adaptive", "antireflect"])
def test_integers_in_modes_that_compute_samples(mode, dtype, monkeypatch):
    image, kernel = (20 * field(30, 40) + 60).astype(dtype), RNG.normal(size=(3, 3))
    expected = naive(image.astype(float), kernel, mode, (0, 0))
    for strip in (1 << 20, 30):
        monkeypatch.setattr(correlation, "_STRIP", strip)
        result = ndimage.correlate(image, kernel, mode=mode)
        assert result.dtype == dtype
        assert np.array_equal(result, np.trunc(expected).astype(np.int64).astype(dtype))


# Large images, in strips


@pytest.mark.parametrize("shape", [(1100, 1009), (70, 130, 131), (3, 1024, 1031)])
def test_large_images(shape):
    image = RNG.normal(size=shape).astype(np.float32)
    tight = {"rtol": 1e-5, "atol": 2e-6}
    for mode in ("reflect", ["wrap", "mirror", "nearest"][: image.ndim]):
        expected = scipy.ndimage.gaussian_filter(image, 1.3, mode=mode)
        np.testing.assert_allclose(ndimage.gaussian_filter(image, 1.3, mode=mode), expected, **tight)
    for axis in range(image.ndim):
        expected = scipy.ndimage.sobel(image, axis)
        np.testing.assert_allclose(ndimage.sobel(image, axis), expected, rtol=1e-5, atol=2e-5)
    kernel = RNG.normal(size=(3, 4, 2)[: image.ndim])
    expected = scipy.ndimage.correlate(image, kernel)
    np.testing.assert_allclose(ndimage.correlate(image, kernel), expected, rtol=1e-5, atol=2e-5)


def test_nan_stays_in_its_windows():
    image = RNG.normal(size=(1100, 1001)).astype(np.float32)
    image[5, 7] = np.nan
    image[700, 800:820] = np.inf
    cross = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0.0]])
    with quiet():
        for function, arguments in (("gaussian_filter", [2]), ("sobel", []), ("correlate", [cross]), ("laplace", [])):
            expected = getattr(scipy.ndimage, function)(image, *arguments)
            result = getattr(ndimage, function)(image, *arguments)
            assert np.array_equal(np.isfinite(result), np.isfinite(expected)), function
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


# Arrays of all kinds


def kinds_of_memory():
    array = field(14, 9)
    yield "negative strides", array[::-1, ::-2]
    yield "columns", np.asfortranarray(array)
    yield "every other", np.repeat(array, 3, 1)[:, ::3]
    yield "byte-swapped", array.astype(">f8")
    read_only = array.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    yield "a field of records", np.array(list(zip(array[0], array[1], strict=True)), "f8,f4")["f1"]
    yield "broadcast", np.broadcast_to(array[0], (4, 9))
    yield "list", array.tolist()
    yield "one sample", np.ones((1, 1))


@pytest.mark.parametrize(
    ("name", "array"), list(kinds_of_memory()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_arrays_in_memory_of_all_kinds(name, array):
    before = np.array(array)
    for function in (lambda f: f.gaussian_filter(array, 1), lambda f: f.laplace(array, mode="wrap")):
        expected = function(scipy.ndimage)
        result = function(ndimage)
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)
    assert np.array_equal(before, array)


def test_empty_arrays_and_numbers():
    for shape in ((0, 3), (3, 0), (0,)):
        assert ndimage.gaussian_filter(np.zeros(shape, np.int16), 1).shape == shape
        assert ndimage.correlate(np.zeros(shape), np.ones((2,) * len(shape)), mode="adaptive").shape == shape
        assert ndimage.laplace(torch.zeros(shape)).shape == shape
    assert ndimage.gaussian_filter(np.array(3.0), 1) == 3
    assert ndimage.correlate(np.array(3.0), np.array(2.0)) == 6
    with pytest.raises(ValueError, match="axis -1 is out of range"):
        ndimage.sobel(3.0)


def test_output():
    image = field(12, 10)
    for dtype in (np.float32, "float32", np.dtype("f4"), float, "int16", np.uint8):
        expected = scipy.ndimage.gaussian_filter(image * 20, 1, output=dtype)
        result = ndimage.gaussian_filter(image * 20, 1, output=dtype)
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)
    for into in (np.empty((12, 10)), np.empty((12, 10), ">f4"), np.empty((24, 10), np.int8)[::-2]):
        expected = scipy.ndimage.sobel(image, output=np.empty_like(into))
        assert ndimage.sobel(image, output=into) is into
        np.testing.assert_allclose(into, expected, rtol=1e-6, atol=1e-6)
    for function in (ndimage.sobel, lambda x, output=None: ndimage.gaussian_filter(x, 1, output=output)):
        expected, itself = function(image), image.copy()
        function(itself, output=itself)
        np.testing.assert_allclose(itself, expected)
    with pytest.raises(RuntimeError, match=r"output shape not correct.*\(12, 10\), got \(3, 3\)"):
        ndimage.sobel(image, output=np.empty((3, 3)))
    with pytest.raises(TypeError, match="output must be a dtype, or of the kind of input, ndarray; got Tensor"):
        ndimage.sobel(image, output=torch.empty(12, 10))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32])
def test_tensors(dtype):
    image = torch.from_numpy(20 * field(12, 10)).to(dtype)
    for mode in ("reflect", {"mode": "diff", "degree": 1}, "adaptive"):
        result = ndimage.gaussian_filter(image, 1, mode=mode)
        assert isinstance(result, torch.Tensor)
        assert result.dtype is dtype
        wide = ndimage.gaussian_filter(image.double().numpy(), 1, mode=mode)
        tolerance = {torch.bfloat16: 0.5, torch.float16: 0.1, torch.int32: 3}.get(dtype, 1e-4)
        np.testing.assert_allclose(result.double().numpy(), wide, atol=tolerance)
    into = torch.empty(12, 10, dtype=torch.float64)
    assert ndimage.laplace(image, output=into) is into
    assert ndimage.sobel(image, output=torch.float64).dtype is torch.float64
    assert ndimage.sobel(image, output="float32").dtype is torch.float32


@pytest.mark.parametrize("mode", ["reflect", "wrap", "diff", "adaptive", ("zeros", "antireflect")], ids=str)
def test_gradients(mode):
    image = torch.from_numpy(field(9, 8)).requires_grad_()
    weights, kernel = torch.randn(3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)

    def second(input, axis, output, mode, cval):
        return ndimage.correlate1d(input, [1, -2, 1], axis, output, mode, cval)

    single = mode if isinstance(mode, str) else mode[0]
    for function in (
        lambda x: ndimage.gaussian_filter(x, 0.4, mode=mode),
        lambda x: ndimage.sobel(x, 0, mode=mode),
        lambda x: ndimage.laplace(x, mode=mode),
        lambda x: ndimage.generic_laplace(x, second, mode=mode),
        lambda x: ndimage.gaussian_gradient_magnitude(x, 0.4, mode=mode),
        lambda x: ndimage.uniform_filter(x, 3, mode=mode),
    ):
        if mode == "adaptive":
            # Its weights are constants to the gradient.
            function(image).sum().backward()
        else:
            assert torch.autograd.gradcheck(function, (image,))
    weights.requires_grad_(), kernel.requires_grad_()
    assert torch.autograd.gradcheck(lambda w: ndimage.convolve1d(image.detach(), w, 0, mode=single), (weights,))
    assert torch.autograd.gradcheck(lambda w: ndimage.correlate(image.detach(), w, mode=mode), (kernel,))


def test_autocast_rounds_nothing():
    image, kernel = torch.randn(400, 420), RNG.normal(size=(3, 3))
    with torch.autocast("cpu"):
        results = ndimage.gaussian_filter(image, 1), ndimage.correlate(image, kernel)
    expected = ndimage.gaussian_filter(image, 1), ndimage.correlate(image, kernel)
    for result, right in zip(results, expected, strict=True):
        torch.testing.assert_close(result, right, rtol=1e-5, atol=1e-5)


def chunked(array, chunks):
    return pytest.importorskip("dask.array").from_array(array, chunks)


CHUNKED = [mode for mode in OURS if mode != "linear_prediction"]


LINE = {"mode": "diff", "degree": 1}
CHUNKED += [*SCIPYS, "partial", ("wrap", LINE), (("zeros", LINE), "wrap")]


@pytest.mark.parametrize("dtype", ["f8", "f4", "u1", "i2", ">f8"])
@pytest.mark.parametrize("mode", CHUNKED, ids=str)
def test_chunks_are_the_whole(mode, dtype):
    image = (30 * field(40, 33) + 50).astype(dtype)
    parts = chunked(image, (17, 12))
    kernel = RNG.normal(size=(3, 4))
    for function in (
        lambda x: ndimage.gaussian_filter(x, 1, mode=mode, cval=1),
        lambda x: ndimage.sobel(x, 0, mode=mode, cval=2),
        lambda x: ndimage.correlate(x, kernel, mode=mode, origin=(1, -1)),
        lambda x: ndimage.gaussian_laplace(x, 1, mode=mode, output=np.float64),
        lambda x: ndimage.gaussian_gradient_magnitude(x.astype("f8"), 1, mode=mode),
    ):
        whole, result = function(image), function(parts)
        assert type(result) is type(parts)
        assert result.dtype == whole.dtype
        values = result.compute(scheduler="threads")
        assert values.dtype == whole.dtype
        if whole.dtype.kind in "iu":
            assert np.array_equal(values, whole)
        else:
            tolerance = 1e-12 if whole.dtype.itemsize == 8 else 1e-6
            np.testing.assert_allclose(values, whole, tolerance, tolerance * np.abs(whole).max())


def test_what_chunks_cannot():
    parts = chunked(field(40, 33), 16)
    for mode in ("linear_prediction", "random"):
        with pytest.raises(ValueError, match=f"mode='{mode}' does not work chunk by chunk: it "):
            ndimage.gaussian_filter(parts, 1, mode=mode)
    with pytest.raises(ValueError, match="does not work chunk by chunk: it reads the samples on the other side"):
        ndimage.gaussian_filter(chunked(field(40, 30), 16), 1, mode=("pole", "circular"))
    with pytest.raises(TypeError, match="output must be a dtype where input is a dask array"):
        ndimage.sobel(parts, output=np.empty((40, 33)))
    with pytest.raises(ValueError, match="at most 3 axes of an image"):
        ndimage.sobel(chunked(np.zeros((2, 2, 2, 2)), 1))
    with pytest.raises(ValueError, match=r"call input\.compute_chunk_sizes"):
        ndimage.sobel(parts[parts > 0])


def test_data_arrays():
    xarray = pytest.importorskip("xarray")
    image = field(12, 10)
    array = xarray.DataArray(image, dims=("y", "x"), coords={"y": np.arange(12)}, attrs={"unit": "m"}, name="height")
    for data in (array, array.chunk(5)):
        result = ndimage.gaussian_filter(data, 1, mode="diff")
        assert (result.name, result.attrs, result.dims) == ("height", {"unit": "m"}, ("y", "x"))
        assert result.y.equals(array.y)
        np.testing.assert_allclose(result.values, ndimage.gaussian_filter(image, 1, mode="diff"), atol=1e-9)
        np.testing.assert_allclose(ndimage.sobel(data, "y").values, ndimage.sobel(image, 0), atol=1e-12)
        result = ndimage.gaussian_filter(data, (2, 1), axes=("x", "y"))
        np.testing.assert_allclose(result.values, ndimage.gaussian_filter(image, (1, 2)), atol=1e-12)
        result = ndimage.laplace(data, axes=["x"])
        np.testing.assert_allclose(result.values, ndimage.laplace(image, axes=[1]), atol=1e-12)
        assert result.attrs == {"unit": "m"}
    with pytest.raises(TypeError, match=r"axis must be the number of an axis, or its name, one of 'y', 'x', got 'z'"):
        ndimage.sobel(array, "z")


def test_what_is_refused():
    image = field(12, 10)
    for mode, why in (
        ("explicit", "needs kernels of its own"),
        ("diff_explicit", "needs kernels of its own"),
        ("learned", "keeps weights of its own in a layer"),
        ("peripheral", "keeps weights of its own in a layer"),
        ({"mode": "adaptive", "track_running_stats": True}, "keeps weights of its own in a layer"),
    ):
        with pytest.raises(ValueError, match=rf"mode=.* cannot be that of a filter: it {why}"):
            ndimage.gaussian_filter(image, 1, mode=mode)
    with pytest.raises(RuntimeError, match=r"mode must be one of reflect, grid-mirror, .*, diff, .*; got 'reflec'"):
        ndimage.gaussian_filter(image, 1, mode="reflec")
    with pytest.raises(TypeError, match="has no option 'degrees'"):
        ndimage.sobel(image, mode={"mode": "diff", "degrees": 2})
    with pytest.raises(ValueError, match="mode must be a name, or hold one for each filtered axis, here 2"):
        ndimage.sobel(image, mode=["wrap"])
    with pytest.raises(ValueError, match="cannot have 'partial' at one side"):
        ndimage.correlate(image, np.ones((3, 3)), mode=("partial", "wrap"))
    with pytest.raises(TypeError, match="input must not be masked"):
        ndimage.sobel(np.ma.masked_less(image, 0))
    with pytest.raises(RuntimeError, match="array type float128 not supported"):
        ndimage.sobel(image.astype(np.longdouble))
    with pytest.raises(
        ValueError, match="Invalid origin; origin must satisfy -1 <= origin <= 1 for 3 weights, got 2"
    ):
        ndimage.correlate1d(image, [1, 2, 3], origin=2)
    with pytest.raises(TypeError, match=r"size must be an integer, got 2\.5"):
        ndimage.uniform_filter1d(image, 2.5)
    with pytest.raises(ValueError, match=r"Radius must be a nonnegative integer, got radius=1.5"):
        ndimage.gaussian_filter(image, 1, radius=1.5)
    with pytest.raises(TypeError, match="sigma must be a number, got 'wide'"):
        ndimage.gaussian_filter(image, "wide")
    with pytest.raises(ValueError, match="sigma must be finite, got nan"):
        ndimage.gaussian_filter(image, np.nan)
    with pytest.raises(TypeError, match=r"order must be an integer, got 0\.5"):
        ndimage.gaussian_filter(image, 1, order=0.5)
    with pytest.raises(TypeError, match="output must be a dtype or an array, got 'abc'"):
        ndimage.gaussian_filter(image, 1, output="abc")
    with pytest.raises(ValueError, match="array type object not supported"):
        ndimage.gaussian_filter(None, 1)
    with pytest.raises(TypeError, match="weights must hold numbers, got <U1"):
        ndimage.correlate1d(image, ["a"])
    with pytest.raises(ValueError, match="axes must be unique"):
        ndimage.laplace(image, axes=(0, -2))
    with pytest.raises(ValueError, match="cval must be real for a real input"):
        ndimage.correlate1d(image, [1j, 2], mode="constant", cval=1j)
    with pytest.raises(ValueError, match="another one for more than three axes"):
        ndimage.correlate1d(np.ones((3, 3, 3, 3)), [1, 2], mode="partial")


def test_no_mode_is_forgotten():
    names = {mode if isinstance(mode, str) else mode["mode"] for mode in OURS} | {"random", "partial", "pole"}
    assert {*diff_conv2d.MODES} - names == {"explicit", "diff_explicit", "learned", "peripheral"}
