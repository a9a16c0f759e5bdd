"""The vocabulary of boundary modes: one name for one thing."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args

from torch import Tensor

from diff_conv2d import edge_kernels
from diff_conv2d import padding_modes as modes
from diff_conv2d.adaptive import Adaptive
from diff_conv2d.arguments import Algorithm, Geometry, check_dtype
from diff_conv2d.boundary import Boundary
from diff_conv2d.linear_prediction import LinearPrediction

__all__ = ["MODES", "PaddingMode", "algorithm_for", "boundary", "check_image"]

PaddingMode = Literal[
    "zeros",
    "reflect",
    "replicate",
    "circular",
    "symmetric",
    "extrapolate",
    "random",
    "partial",
    "explicit",
    "diff",
    "diff_explicit",
    "linear_prediction",
    "adaptive",
]

MODES: dict[str, type[Boundary]] = {
    "zeros": modes.Zeros,
    "reflect": modes.Reflect,
    "replicate": modes.Replicate,
    "circular": modes.Circular,
    "symmetric": modes.Symmetric,
    "extrapolate": modes.Extrapolate,
    "random": modes.Random,
    "partial": modes.Partial,
    "explicit": edge_kernels.Explicit,
    "diff": modes.Diff,
    "diff_explicit": edge_kernels.DiffExplicit,
    "linear_prediction": LinearPrediction,
    "adaptive": Adaptive,
}
if set(MODES) != set(get_args(PaddingMode)):
    raise ImportError("PaddingMode and MODES differ")

# Most samples at an end for modes that compute them one by one, or fit them all at once.
_MOST_COMPUTED = 4096
_COPYING = ", ".join(name for name, mode in MODES.items() if mode.copies)
# Compilers do not look into dataclasses.
_OPTIONS = {name: tuple(field.name for field in dataclasses.fields(mode)) for name, mode in MODES.items()}
_NAMES = {mode: name for name, mode in MODES.items()}
_TORCHS = {modes.Zeros, modes.Reflect, modes.Replicate, modes.Circular}


def algorithm_for(mode: Boundary, algorithm: Algorithm) -> Algorithm:
    """Resolve 'auto' for a mode: torch's own four modes keep torch's results to the bit."""
    return "direct" if algorithm == "auto" and type(mode) in _TORCHS else algorithm


def boundary(padding_mode: str, **options: Any) -> Boundary:
    """Return the mode of this name with these options; None stands for the default of an option.

    Raises:
        ValueError: if there is no such mode.
        TypeError: if the mode has no such option.

    Example:
        >>> boundary("diff", degree=2)
        Diff(degree=2)
        >>> boundary("zeros", degree=2)
        Traceback (most recent call last):
        ...
        TypeError: padding_mode='zeros' has no option 'degree'; it has none
    """
    if not isinstance(padding_mode, str):
        raise TypeError(f"padding_mode must be a string, got {padding_mode!r}; there are {', '.join(MODES)}")
    if padding_mode not in MODES:
        raise ValueError(f"padding_mode must be one of {', '.join(MODES)}; got {padding_mode!r}")
    mode = MODES[padding_mode]
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in _OPTIONS[padding_mode]:
            has = ", ".join(_OPTIONS[padding_mode]) or "none"
            raise TypeError(f"padding_mode={padding_mode!r} has no option {name!r}; it has {has}")
    return mode(**given)


def check_image(mode: Boundary, input: Tensor, geometry: Geometry) -> None:
    """Reject an image if the mode cannot compute the samples outside.

    Raises:
        TypeError: if torch cannot compute with its dtype, or it holds integers in a mode that computes samples.
        ValueError: if such a mode is to compute too many.
    """
    check_dtype(input)
    if mode.copies:
        return
    if not (input.is_floating_point() or input.is_complex()):
        raise TypeError(
            f"input must be of a floating point or complex dtype for padding_mode={_NAMES[type(mode)]!r}, which "
            f"computes samples that integers cannot hold; got {input.dtype}. Take input.float(), or one of the modes "
            f"that copy samples: {_COPYING}"
        )
    if max(*geometry.before, *geometry.after) > _MOST_COMPUTED:
        raise ValueError(
            f"padding must be at most {_MOST_COMPUTED} samples at an end for padding_mode={_NAMES[type(mode)]!r}, "
            f"got {geometry.before} before and {geometry.after} after the image; without limit: {_COPYING}"
        )
