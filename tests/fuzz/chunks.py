"""Kind of cases: filtering chunk by chunk."""

from __future__ import annotations

import dask.array as da
import numpy as np
import torch

from diff_conv2d.chunked import correlate
from tests.fuzz import cases, oracle
from tests.fuzz.cases import LINEAR, array, chance, choice, integer
from tests.fuzz.check import (
    CONVOLUTIONS,
    ROUNDINGS,
    ROUNDINGS_OF_A_FIT,
    compare,
    rejected,
    require,
)


def check_chunked(case):
    """Filtering chunk by chunk: what the convolution in memory gives."""
    rng = case.rng
    n = choice(rng, [1, 2, 3], [0.3, 0.6, 0.1])
    mode = choice(rng, [*(m for m in LINEAR if "explicit" not in m), "adaptive"])
    leading = integer(rng, 0, 2 if n < 3 else 1)
    most = {1: 40, 2: 18, 3: 8}[n]
    shape = (*(integer(rng, 1, 2) for _ in range(leading)), *(integer(rng, 1, most) for _ in range(n)))
    kernel = tuple(integer(rng, 1, {1: 7, 2: 5, 3: 3}[n]) for _ in range(n))
    dtype = choice(
        rng, [torch.float32, torch.float64, torch.float16, torch.complex64, torch.complex128], [4, 4, 1, 1, 1]
    )
    if mode == "adaptive" and dtype not in (torch.float32, torch.float64):
        dtype = torch.float64
    if chance(rng, 0.04):
        # Large enough for the sums in blocks, in memory and perhaps in a chunk.
        n, shape, dtype = 2, (integer(rng, 300, 360), integer(rng, 440, 500)), torch.float32
        kernel = (integer(rng, 2, 4), integer(rng, 2, 4))
    options = {}
    if mode in ("diff", "extrapolate") and chance(rng, 0.6):
        options["degree"] = cases.per_axis(rng, [integer(rng, 0, 3) for _ in range(n)])
    if mode == "adaptive" and chance(rng, 0.5):
        options = {"taps": integer(rng, 2, 8), "select": chance(rng, 0.6)}
    samples = cases.not_finite(rng) if chance(rng, 0.2) and mode != "adaptive" else ()
    order = [int(i) for i in rng.permutation(len(shape))[:n]]
    dims = None if chance(rng, 0.6) else order
    image = cases.with_samples(rng, cases.numbers(rng, shape, dtype), samples)
    if dims is not None:
        image = torch.from_numpy(np.moveaxis(image.resolve_conj().numpy(), list(range(-n, 0)), dims))
    weight = cases.numbers(rng, kernel, dtype if dtype.is_complex or chance(rng, 0.7) else torch.float64).numpy()
    chunks = tuple(_chunks(rng, size) for size in image.shape)
    case.note(
        dict(
            mode=mode,
            shape=tuple(image.shape),
            kernel=kernel,
            chunks=chunks,
            dims=dims,
            dtype=dtype,
            samples=samples,
            **options,
        )
    )
    array_ = da.from_array(image.numpy(), chunks=chunks, name=False)
    axes = dims or list(range(len(shape) - n, len(shape)))
    moved = np.moveaxis(image.numpy(), axes, range(-n, 0))
    flat = torch.from_numpy(np.ascontiguousarray(moved)).view(-1, 1, *moved.shape[len(shape) - n :])
    problem = cases.Problem(mode, flat.shape[2:], kernel, (1,) * n, (1,) * n, "same", 1, (1, 1), len(flat), dtype)

    def chunked():
        return correlate(array_, weight, mode, dims=dims, **options).compute(scheduler="synchronous")

    if not problem.has_answer:
        rejected(chunked)
        return
    result = chunked()
    require(result.dtype == image.numpy().dtype, f"the result is {result.dtype}")
    actual = np.moveaxis(result, axes, range(-n, 0)).reshape(flat.shape)
    kernels = torch.from_numpy(weight).to(dtype)[None, None]
    images, taps = array(flat), array(kernels)
    if mode == "adaptive":
        expected = array(CONVOLUTIONS[n](flat, kernels, padding="same", padding_mode=mode, **options))
        size = np.full(expected.shape, np.abs(images).max() * np.abs(taps).sum() + np.abs(expected).max())
        roundings = ROUNDINGS_OF_A_FIT if dtype == torch.float64 else 1e4
    else:
        exact = oracle.Convolution(mode, problem.geometry, oracle.degrees_of(mode, options.get("degree"), kernel))
        with np.errstate(all="ignore"):
            expected = exact.forward(images, taps)
            size = exact.magnitudes().forward(np.abs(np.where(np.isfinite(images), images, 0)), np.abs(taps))
        roundings = ROUNDINGS
    compare("in chunks", torch.from_numpy(np.ascontiguousarray(actual)), expected, size, roundings=roundings)


def _chunks(rng, size):
    """An axis cut into a few pieces, anywhere."""
    cuts = sorted({int(c) for c in rng.integers(0, size + 1, integer(rng, 0, 3))} - {0, size})
    return tuple(b - a for a, b in zip([0, *cuts], [*cuts, size], strict=True))
