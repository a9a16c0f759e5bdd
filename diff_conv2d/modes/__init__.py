"""The vocabulary of boundary modes: one name for one thing.

The samples a b c d e f, extended by two at either end:

===============  =================================  ==========================================
mode             samples                            rule
===============  =================================  ==========================================
``zeros``        ``0 0 | a b c d e f | 0 0``        nothing is there
``reflect``      ``c b | a b c d e f | e d``        mirrored at the edge sample
``symmetric``    ``b a | a b c d e f | f e``        mirrored beyond the edge sample
``replicate``    ``a a | a b c d e f | f f``        the edge sample repeated
``circular``     ``e f | a b c d e f | a b``        the other end comes next
``random``       ``? ? | a b c d e f | ? ?``        noise with the moments of the edge band
``extrapolate``  ``P P | a b c d e f | P P``        polynomial of degree k // 2 (or `degree`)
``diff``         ``P P | a b c d e f | P P``        polynomial of degree k - 1 (or `degree`)
===============  =================================  ==========================================
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args

from torch import Tensor

from diff_conv2d.arguments import Algorithm, Geometry, check_dtype
from diff_conv2d.modes.adaptive import Adaptive
from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.copying import Circular, Reflect, Replicate, Symmetric, Zeros
from diff_conv2d.modes.edge_kernels import DiffExplicit, Explicit
from diff_conv2d.modes.linear_prediction import LinearPrediction
from diff_conv2d.modes.noise import Random
from diff_conv2d.modes.partial import Partial
from diff_conv2d.modes.polynomial import Diff, Extrapolate

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
    "zeros": Zeros,
    "reflect": Reflect,
    "replicate": Replicate,
    "circular": Circular,
    "symmetric": Symmetric,
    "extrapolate": Extrapolate,
    "random": Random,
    "partial": Partial,
    "explicit": Explicit,
    "diff": Diff,
    "diff_explicit": DiffExplicit,
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


def algorithm_for(mode: Boundary, algorithm: Algorithm) -> Algorithm:
    """Resolve 'auto' for a mode: torch's own four modes keep torch's results to the bit."""
    return mode.auto if algorithm == "auto" else algorithm


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
