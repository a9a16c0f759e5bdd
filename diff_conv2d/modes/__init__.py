"""The vocabulary of boundary modes: one name for one thing.

The samples a b c d e f, extended by two at either end:

===============  =================================  ==========================================
mode             samples                            rule
===============  =================================  ==========================================
``zeros``        ``0 0 | a b c d e f | 0 0``        nothing is there
``reflect``      ``c b | a b c d e f | e d``        mirrored at the edge sample
``symmetric``    ``b a | a b c d e f | f e``        mirrored beyond the edge sample
``antireflect``  ``r q | a b c d e f | u v``        reflected oddly: q = 2 a - b, u = 2 f - e
``replicate``    ``a a | a b c d e f | f f``        the edge sample repeated
``circular``     ``e f | a b c d e f | a b``        the other end comes next
``random``       ``? ? | a b c d e f | ? ?``        noise with the moments of the edge band
``extrapolate``  ``P P | a b c d e f | P P``        polynomial of degree k // 2 (or `degree`)
``diff``         ``P P | a b c d e f | P P``        polynomial of degree k - 1 (or `degree`)
===============  =================================  ==========================================

`adaptive` and `linear_prediction` fit what they extend by to the image; `learned` and `peripheral` train it with the
layer. `partial` scales outputs; `explicit` and `diff_explicit` train kernels for those at the edge.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args

from diff_conv2d.modes.adaptive import Adaptive
from diff_conv2d.modes.antireflect import Antireflect
from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.copying import Circular, Reflect, Replicate, Symmetric, Zeros
from diff_conv2d.modes.explicit import Explicit
from diff_conv2d.modes.learned import Learned
from diff_conv2d.modes.linear_prediction import LinearPrediction
from diff_conv2d.modes.noise import Random
from diff_conv2d.modes.partial import Partial
from diff_conv2d.modes.peripheral import Peripheral
from diff_conv2d.modes.polynomial import Diff, DiffExplicit, Extrapolate

__all__ = ["MODES", "PaddingMode", "boundary"]

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
    "antireflect",
    "learned",
    "peripheral",
]

_CLASSES: tuple[type[Boundary], ...] = (
    Zeros,
    Reflect,
    Replicate,
    Circular,
    Symmetric,
    Extrapolate,
    Random,
    Partial,
    Explicit,
    Diff,
    DiffExplicit,
    LinearPrediction,
    Adaptive,
    Antireflect,
    Learned,
    Peripheral,
)
MODES = {mode.name: mode for mode in _CLASSES}
if tuple(MODES) != get_args(PaddingMode):
    raise ImportError("PaddingMode and MODES differ")

# Compilers do not look into dataclasses.
_OPTIONS = {name: tuple(field.name for field in dataclasses.fields(mode)) for name, mode in MODES.items()}


def boundary(padding_mode: str | Boundary, **options: Any) -> Boundary:
    """Return the mode of this name with these options, or one that is fitted already; None is an option's default.

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
    if isinstance(padding_mode, Boundary):
        if names := ", ".join(name for name, value in options.items() if value is not None):
            raise TypeError(f"padding_mode is fitted already and has no option; got {names}")
        return padding_mode
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
