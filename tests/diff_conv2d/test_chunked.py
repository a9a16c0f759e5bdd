"""Filtering chunk by chunk gives what filtering in memory gives."""

import importlib
import subprocess
import sys
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import torch
import xarray

import diff_conv2d
from diff_conv2d.chunked import correlate
from diff_conv2d.modes import MODES

AS_A_WHOLE = ("random", "linear_prediction", "explicit", "diff_explicit", "learned", "peripheral", "pole")
MODES_BY_CHUNK = [mode for mode in MODES if mode not in AS_A_WHOLE]
RNG = np.random.default_rng(0)


def in_memory(image, kernel, padding_mode, **options):
    """The same by the convolutions of tensors; leading axes are a batch of images with one channel."""
    convolve = (diff_conv2d.conv1d, diff_conv2d.conv2d, diff_conv2d.conv3d)[kernel.ndim - 1]
    images = torch.from_numpy(image.reshape(-1, 1, *image.shape[-kernel.ndim :]))
    weight = torch.from_numpy(kernel.astype(image.dtype))[None, None]
    output = convolve(images, weight, padding="same", padding_mode=padding_mode, **options)
    return output.numpy().reshape(image.shape)


def assert_same(image, chunks, kernel, padding_mode, scheduler="synchronous", **options):
    result = correlate(da.from_array(image, chunks=chunks), kernel, padding_mode, **options)
    computed = result.compute(scheduler=scheduler)
    assert result.shape == computed.shape == image.shape
    assert result.dtype == computed.dtype == image.dtype
    expected = in_memory(image, kernel, padding_mode, **options)
    np.testing.assert_allclose(computed, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max())


CASES = {
    "1-D, chunks smaller than the kernel": ((23,), 1, (7,)),
    "1-D, even kernel": ((23,), (4,), (4,)),
    # No halo at one side: the chunk at that edge is all there is for the mode.
    "1-D, kernel of two": ((9,), 1, (2,)),
    "2-D": ((17, 20), (5, 7), (3, 5)),
    "2-D, uneven chunks": ((17, 20), ((1, 10, 2, 4), 1), (7, 5)),
    "2-D, even kernel": ((17, 20), 6, (2, 4)),
    "2-D, one chunk": ((17, 20), -1, (5, 5)),
    "2-D, batch": ((3, 2, 40, 31), (2, 1, 7, 9), (5, 5)),
    "2-D, kernel of one axis": ((17, 20), 4, (1, 7)),
    "3-D": ((9, 10, 11), (4, 3, 5), (3, 3, 5)),
    "3-D, batch, even kernel": ((2, 9, 10, 11), (1, 1, 10, 2), (3, 4, 5)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("padding_mode", MODES_BY_CHUNK)
def test_equals_in_memory(padding_mode, case):
    shape, chunks, kernel = case
    assert_same(RNG.standard_normal(shape), chunks, RNG.standard_normal(kernel), padding_mode)


@pytest.mark.parametrize(
    "sides",
    [
        ("circular", "zeros"),
        ("replicate", ("circular", "diff")),
        (("adaptive", "zeros"), "circular"),
        ("reflect", ("antireflect", "adaptive")),
        ({"mode": "diff", "degree": 1}, {"mode": "neumann", "value": 0.5}),
    ],
    ids=str,
)
def test_a_mode_for_each_side(sides):
    for shape, chunks, kernel in (((20, 22), (7, 5), (5, 4)), ((2, 20, 22), (1, 20, 6), (3, 7))):
        assert_same(RNG.standard_normal(shape), chunks, RNG.standard_normal(kernel), sides)


def test_a_kernel_wider_than_a_periodic_image():
    assert_same(RNG.standard_normal((3, 20)), (3, 5), RNG.standard_normal((9, 3)), "circular")


@pytest.mark.parametrize("other", ["diff", "reflect", "antireflect", "zeros"])
def test_a_short_axis_that_wraps_at_one_end_alone(other):
    assert_same(np.arange(6.0) ** 2, 3, np.ones(7), [("circular", other)])
    assert_same(RNG.standard_normal((4, 12)), (2, 3), RNG.standard_normal((9, 5)), (("circular", other), other))


def test_images_that_the_mode_refuses_are_refused_at_once():
    image = da.ones((3, 40), chunks=(3, 10))
    with pytest.raises(ValueError, match="padding must be at most 3 samples"):
        correlate(image, np.ones((9, 1)), {"mode": "neumann", "value": 1.0})
    with pytest.raises(ValueError, match="has 2 numbers for 1 channels"):
        correlate(image, np.ones((3, 3)), {"mode": "constant", "value": [3.0, 4.0]})


def test_two_fits_along_one_axis_are_refused():
    sides = (({"mode": "adaptive", "taps": 3}, {"mode": "adaptive", "taps": 5}), "zeros")
    with pytest.raises(ValueError, match="must fit both ends of an axis alike"):
        correlate(da.ones((30, 30), chunks=10), np.ones((3, 3)), sides)


def test_modes_that_remain_are_rejected():
    image = da.ones((8, 8), chunks=4)
    for mode in AS_A_WHOLE:
        with pytest.raises(ValueError, match=rf"padding_mode='{mode}' does not work chunk by chunk: .*those that do"):
            correlate(image, np.ones((3, 3)), mode)


@pytest.mark.parametrize("padding_mode", MODES_BY_CHUNK)
def test_image_smaller_than_kernel(padding_mode):
    assert_same(RNG.standard_normal((2, 5)), 1, RNG.standard_normal((7, 7)), padding_mode)


@pytest.mark.parametrize("shape", [(330, 300), (3, 130, 400), (700,)], ids=str)
def test_adaptive_fits_to_the_bands_of_the_whole_image(shape):
    # Larger than the bands at both ends together, so that what is between them is left out.
    image = np.cumsum(RNG.standard_normal(shape), -1)
    assert_same(image, 60, RNG.standard_normal((5,) * min(len(shape), 2)), "adaptive")


def test_options_reach_the_mode():
    image, kernel = RNG.standard_normal((20, 20)), RNG.standard_normal((5, 5))
    for options in ({"degree": 0}, {"degree": (1, 6)}):
        assert_same(image, 6, kernel, "diff", **options)
    assert_same(image, 6, kernel, "adaptive", taps=3, select=False)


def test_odd_kernels_are_those_of_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    image, kernel = RNG.standard_normal((20, 21)), RNG.standard_normal((3, 5))
    for ours, theirs in {
        "zeros": "constant",
        "reflect": "mirror",
        "symmetric": "reflect",
        "circular": "wrap",
    }.items():
        result = correlate(da.from_array(image, chunks=6), kernel, ours).compute(scheduler="synchronous")
        np.testing.assert_allclose(result, ndimage.correlate(image, kernel, mode=theirs), atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "complex64", "complex128"])
def test_dtypes(dtype):
    image = RNG.integers(-4, 5, (12, 13)).astype(dtype)
    if image.dtype.kind == "c":
        image += 1j
    image.flags.writeable = False  # as memory-mapped files are
    result = correlate(da.from_array(image, chunks=5), np.array([[1, -2, 1]]))
    assert result.dtype == result.compute(scheduler="synchronous").dtype == image.dtype.newbyteorder("=")
    expected = in_memory(image.astype(result.dtype), np.array([[1, -2, 1]]), "diff")
    np.testing.assert_array_equal(result.compute(scheduler="synchronous"), expected)


def test_chunks_are_kept():
    image = da.ones((3, 40, 41), chunks=(1, 10, (20, 1, 20)))
    assert correlate(image, np.ones((3, 1))).chunks == image.chunks
    assert correlate(image, np.ones((3, 3))).chunks[:2] == image.chunks[:2]


@pytest.mark.parametrize("padding_mode", ["diff", "circular", "adaptive"])
def test_nothing_is_computed_before_asked_for(padding_mode):
    seen = []

    def block(block_info):
        seen.append(block_info)
        return np.ones(block_info[None]["chunk-shape"])

    image = da.map_blocks(block, chunks=((50,) * 4, (50,) * 4), meta=np.empty((0, 0)))
    result = correlate(image, np.ones((3, 3)), padding_mode)
    assert not seen
    # A corner of the result needs few chunks of the image.
    result[:10, :10].compute(scheduler="synchronous")
    assert 0 < len(seen) < 16


@pytest.mark.parametrize("padding_mode", ["diff", "circular", "adaptive"])
def test_threads(padding_mode):
    with dask.config.set(num_workers=4):
        assert_same(RNG.standard_normal((60, 61)), 9, RNG.standard_normal((5, 5)), padding_mode, "threads")


@pytest.mark.slow  # every process imports torch
def test_processes():
    with dask.config.set(num_workers=1):
        assert_same(RNG.standard_normal((60, 61)), 30, RNG.standard_normal((5, 5)), "adaptive", "processes")


@pytest.mark.parametrize("chunks", [None, 5], ids=["numpy", "dask"])
def test_data_array(chunks):
    values, kernel = RNG.standard_normal((12, 3, 15)), RNG.standard_normal((3, 5))
    image = xarray.DataArray(
        values,
        dims=("lat", "time", "lon"),
        coords={"lat": np.linspace(0, 1, 12), "area": ("lon", np.ones(15))},
        attrs={"units": "m"},
        name="height",
    )
    image.encoding = {"dtype": "int16", "scale_factor": 0.1}
    result = correlate(image if chunks is None else image.chunk(chunks), kernel, dims=("lon", "lat"))
    assert isinstance(result.data, np.ndarray if chunks is None else da.Array)
    assert result.dims == image.dims
    assert result.attrs == image.attrs
    assert result.name == image.name
    assert set(result.coords) == {"lat", "area"}
    assert not result.encoding
    assert image.encoding
    expected = in_memory(np.ascontiguousarray(values.transpose(1, 2, 0)), kernel, "diff").transpose(2, 0, 1)
    np.testing.assert_allclose(result.values, expected, atol=1e-12)


def test_numpy_and_numbered_dims():
    image, kernel = RNG.standard_normal((9, 2, 10)), RNG.standard_normal((3, 3))
    result = correlate(image, kernel, dims=(0, -1))
    assert type(result) is np.ndarray
    np.testing.assert_allclose(result[:, 1], in_memory(np.ascontiguousarray(image[:, 1]), kernel, "diff"), atol=1e-12)


ONES, KERNEL = da.ones((6, 6), chunks=3), np.ones((3, 3))
NAMED = xarray.DataArray(ONES, dims=("y", "x"))
ERRORS = {
    "tensor": (TypeError, "image must be a dask array.*Tensor; tensors go to", torch.ones(6, 6), KERNEL, {}),
    "masked": (TypeError, "numpy blocks.*MaskedArray", da.ma.masked_equal(ONES, 1), KERNEL, {}),
    "integers": (TypeError, r"dtype float16.*got int64: take image.astype", ONES.astype(int), KERNEL, {}),
    "complex kernel": (TypeError, "kernel must hold numbers.*float64; got complex", ONES, 1j * KERNEL, {}),
    "complex adaptive": (TypeError, "image must be real", ONES + 1j, KERNEL, {"padding_mode": "adaptive"}),
    "kernel axes": (ValueError, r"kernel must have 1, 2 or 3 axes.*\(1, 1, 3, 3\)", ONES, KERNEL[None, None], {}),
    "empty kernel": (ValueError, "at least one sample", ONES, np.ones((0, 3)), {}),
    "image axes": (ValueError, "kernel has 2 axes, more than the 1", ONES[0], KERNEL, {}),
    "empty image": (ValueError, "at least one sample along every filtered axis", ONES[:0], KERNEL, {}),
    "unknown chunks": (ValueError, "compute_chunk_sizes", ONES[ONES[:, 0] > 0], KERNEL, {}),
    "no sequence": (TypeError, "dims must be a sequence.*got 1", ONES, KERNEL, {"dims": 1}),
    "twice the same": (ValueError, "2 different axes", ONES, KERNEL, {"dims": (1, -1)}),
    "true or false": (ValueError, r"numbers of the image's 2 axes", ONES, KERNEL, {"dims": (False, True)}),
    "no such axis": (ValueError, r"numbers of the image's 2 axes, got \(0, 2\)", ONES, KERNEL, {"dims": (0, 2)}),
    "no such name": (ValueError, "among the image's 'y', 'x'; got 'z'", NAMED, KERNEL, {"dims": ("x", "z")}),
    "no such mode": (ValueError, "padding_mode must be one of", ONES, KERNEL, {"padding_mode": "mirror"}),
    "no such option": (TypeError, "has no option 'degree'", ONES, KERNEL, {"padding_mode": "zeros", "degree": 1}),
    "masked kernel": (TypeError, "kernel must not be masked", ONES, np.ma.masked_less(KERNEL, 0), {}),
    "kernel with a gradient": (ValueError, "must be an array", ONES, torch.ones(3, 3, requires_grad=True), {}),
    "kernel too large": (ValueError, "numbers that float16 can", ONES.astype("f2"), 70000 * KERNEL, {}),
    "pool": (ValueError, "pool must be 'none'", ONES, KERNEL, {"padding_mode": "adaptive", "pool": "batch"}),
}  # fmt: skip


@pytest.mark.parametrize(("error", "message", "image", "kernel", "arguments"), ERRORS.values(), ids=ERRORS)
def test_errors(error, message, image, kernel, arguments):
    with pytest.raises(error, match=message):
        correlate(image, kernel, **arguments)


def test_the_degree_is_limited_by_the_dtype_of_the_image():
    """Weights of 17 samples are integers of float64, and none of float32."""
    image, kernel = RNG.standard_normal(64), RNG.standard_normal(17)
    np.testing.assert_allclose(correlate(image, kernel), in_memory(image, kernel, "diff"), atol=1e-6)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(ValueError, match=r"degree must be lower .* in torch.float32"):
            correlate(da.from_array(image.astype(np.float32)), kernel)
    finally:
        torch.set_default_dtype(before)


def test_a_memory_map_is_an_array(tmp_path):
    image = RNG.standard_normal((6, 6))
    image.tofile(tmp_path / "image")
    mapped = np.memmap(tmp_path / "image", np.float64, "r", shape=(6, 6))
    assert np.array_equal(correlate(mapped, KERNEL), correlate(image, KERNEL))


def test_without_dask(monkeypatch):
    for name in ("diff_conv2d.chunked", "diff_conv2d.halos"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match=r"pip install diff-conv2d\[dask\]"):
        importlib.import_module("diff_conv2d.chunked")


def test_only_three_modules_know_dask():
    modules = Path(diff_conv2d.__file__).parent.rglob("*.py")
    users = {path.name for path in modules if "import dask" in (text := path.read_text()) or ".chunked" in text}
    assert users == {"chunked.py", "halos.py", "chunks.py"}


def test_example_of_the_readme(tmp_path, monkeypatch):
    blocks = (Path(__file__).parents[2] / "README.md").read_text().split("```python\n")
    (example,) = (block.split("```")[0] for block in blocks if "diff_conv2d.chunked" in block)
    monkeypatch.chdir(tmp_path)
    terrain = RNG.standard_normal((50, 60)).astype(np.float32)
    da.from_array(terrain, chunks=20).to_zarr("terrain.zarr")
    exec(example, {})
    expected = in_memory(terrain, np.array([[-0.5, 0, 0.5]]), "diff", degree=1)
    np.testing.assert_allclose(da.from_zarr("slope.zarr").compute(), expected, atol=1e-6)


@pytest.mark.slow
def test_image_larger_than_the_memory_of_a_worker(tmp_path):
    """Two processes that may use 220 MiB beyond what an idle one takes filter a file larger than all they may use."""
    distributed = pytest.importorskip("distributed")
    # Torch alone takes some hundred MiB, and more of them where it is built for GPUs.
    idle = "import diff_conv2d.chunked, distributed, psutil; print(psutil.Process().memory_info().rss)"
    limit = int(subprocess.check_output([sys.executable, "-c", idle])) + 220 * 2**20
    size = int((limit / 8) ** 0.5) + 100
    rows, columns = (da.arange(size, chunks=chunk, dtype=np.float64) for chunk in (100, size // 2))
    # Whole numbers below 2**53, so that the answer is exact: 2 + 4 up to the corners.
    (rows[:, None] ** 2 + 2 * columns**2).to_zarr(tmp_path / "image.zarr")
    image = da.from_zarr(tmp_path / "image.zarr")
    assert image.nbytes > limit
    laplacian = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    settings = {
        # A worker that exceeds its limit is killed; that is to fail the test rather than to be tried again,
        "distributed.scheduler.allowed-failures": 0,
        # and nothing is to be moved to the disk before.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=limit, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        result = correlate(image, laplacian)
        smallest, largest = client.gather(client.compute([result.min(), result.max()]))
    assert smallest == largest == 6


@pytest.mark.parametrize("mode", ["diff", "zeros", "adaptive"])
def test_a_damaged_sample_costs_the_same_outputs_whatever_the_chunks(mode):
    image = np.random.default_rng(0).standard_normal((700, 720)).astype(np.float32)
    image[350, 360] = np.nan
    for chunks in ((700, 720), (350, 720), (400, 400)):
        filtered = correlate(da.from_array(image, chunks=chunks), np.ones((3, 3)), mode).compute()
        assert np.argwhere(~np.isfinite(filtered)).tolist() == [
            [i, j] for i in (349, 350, 351) for j in (359, 360, 361)
        ]


@pytest.mark.parametrize("mode", ["diff", "adaptive", "circular", "zeros"])
@pytest.mark.parametrize("chunks", [((3,), (3, 0, 5), (8,)), ((0, 3), (8, 0), (4, 0, 4)), ((1, 0, 2), (8,), (8,))])
def test_empty_chunks_change_nothing(mode, chunks):
    image = np.random.default_rng(0).standard_normal((3, 8, 8))
    filtered = correlate(da.from_array(image, chunks=chunks), np.ones((3, 3)), mode).compute()
    np.testing.assert_allclose(filtered, correlate(image, np.ones((3, 3)), mode), rtol=1e-10, atol=1e-10)
