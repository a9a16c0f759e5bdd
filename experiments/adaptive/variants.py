"""What the study of adaptive boundaries compares: the modes, polynomials of each degree, and variants of adaptive."""

from collections.abc import Iterable
from functools import partial

import torch

from diff_conv2d import conv2d
from experiments.methods import Method, seeded

__all__ = ["VARIANTS", "compared", "degree_name"]


def degree_name(degree: int) -> str:
    """Name the polynomial of some degree in the table."""
    return f"degree_{degree}"


def compared(kernel: int, generator: torch.Generator, degrees: Iterable[int] | None = None) -> dict[str, Method]:
    """Return all modes that take a kernel, and the polynomials of some degrees, 0 to k - 1 unless they are given."""
    chosen = range(kernel) if degrees is None else degrees
    polynomials = {
        degree_name(degree): partial(conv2d, padding="same", padding_mode="diff", degree=degree) for degree in chosen
    }
    return {**seeded(generator), **polynomials}


_OPTIONS: dict[str, dict[str, object]] = {
    "default": {},
    # Taps, of a fit taken as it is and of one among others.
    **{f"taps={n}": {"taps": n} for n in (2, 4, 6, 8, 12, 16)},
    **{f"taps={n}, select=False": {"taps": n, "select": False} for n in (2, 4, 6, 8, 12, 16)},
    "select=False": {"select": False},
    **{f"band={rows}": {"band": rows} for rows in (32, 64)},
    **{f"ridge={ridge:.0e}": {"ridge": ridge} for ridge in (1e-15, 1e-11, 1e-9, 1e-6, 1e-3)},
    "fit in float32": {"fit_dtype": torch.float32},
    # The crops of a field are one batch.
    "pool=batch": {"pool": "batch"},
}
VARIANTS: dict[str, Method] = {
    name: partial(conv2d, padding="same", padding_mode="adaptive", **options) for name, options in _OPTIONS.items()
}
