"""Variants of the adaptive mode: one option changed at a time."""

from functools import partial

import torch

from diff_conv2d import conv2d
from experiments.methods import Method

__all__ = ["VARIANTS"]


_OPTIONS: dict[str, dict[str, object]] = {
    "default": {},
    # The number of taps, first with the choice among candidates, then without it.
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
