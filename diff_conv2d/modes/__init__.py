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
``constant``     ``v v | a b c d e f | v v``        one value, or one for each channel
``antisymmetric``  ``-b -a | a b c d e f | -f -e``  mirrored beyond the edge sample, negative
``dirichlet``    ``q p | a b c d e f | u v``        a value at the edge: p = 2 v - a
``neumann``      ``q p | a b c d e f | u v``        a slope at the edge: p = a + g, q = b + 3 g
``pole``         ``b' a' | a b c d e f | f' e'``    the other side of the globe, 180 degrees on
===============  =================================  ==========================================

`adaptive` and `linear_prediction` fit what they extend by to the image; `learned` and `peripheral` train it with the
layer. `partial` scales outputs; `explicit` and `diff_explicit` train kernels for those at the edge.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args

from diff_conv2d.arguments import is_sequence
from diff_conv2d.modes.base import Boundary

__all__ = ["CONDITIONS", "MODES", "AnyMode", "PaddingMode", "boundary"]

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
    "constant",
    "antisymmetric",
    "dirichlet",
    "neumann",
    "pole",
]

#: Where each mode is: its file and its class.
_PLACES = {
    "zeros": ("copying", "Zeros"),
    "reflect": ("copying", "Reflect"),
    "replicate": ("copying", "Replicate"),
    "circular": ("copying", "Circular"),
    "symmetric": ("copying", "Symmetric"),
    "extrapolate": ("polynomial", "Extrapolate"),
    "random": ("noise", "Random"),
    "partial": ("partial", "Partial"),
    "explicit": ("explicit", "Explicit"),
    "diff": ("polynomial", "Diff"),
    "diff_explicit": ("polynomial", "DiffExplicit"),
    "linear_prediction": ("linear_prediction", "LinearPrediction"),
    "adaptive": ("adaptive", "Adaptive"),
    "antireflect": ("antireflect", "Antireflect"),
    "learned": ("learned", "Learned"),
    "peripheral": ("peripheral", "Peripheral"),
    "constant": ("conditions", "Constant"),
    "antisymmetric": ("conditions", "Antisymmetric"),
    "dirichlet": ("conditions", "Dirichlet"),
    "neumann": ("conditions", "Neumann"),
    "pole": ("pole", "Pole"),
}
#: The modes that prescribe what is known of the edge; the others make it up from the image alone.
CONDITIONS = ("constant", "antisymmetric", "dirichlet", "neumann", "pole")
if tuple(_PLACES) != get_args(PaddingMode):
    raise ImportError("PaddingMode and MODES differ")
_FILES = {mode: file for file, mode in _PLACES.values()}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load the file of a class when the class is first asked for: all of them would take most of an import."""
        if name not in _FILES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
        globals()[name] = found
        return found


class _Modes(Mapping[str, type[Boundary]]):
    """The classes of the modes by their names."""

    def __getitem__(self, name: str) -> type[Boundary]:
        # Compilers look up an attribute of a module as Python does, and so load it; other imports stop them.
        found: type[Boundary] = getattr(sys.modules[__name__], _PLACES[name][1])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)

    def __contains__(self, name: object) -> bool:
        return name in _PLACES

    def __repr__(self) -> str:
        return repr(dict(self))


MODES = _Modes()


#: A mode by its name, by its name with options (``{"mode": "diff", "degree": 1}``), or one that is fitted already.
_One = str | Mapping[str, Any] | Boundary
#: One mode; or for each axis one, or a pair of them for its low and its high end.
AnyMode = _One | Sequence[_One | Sequence[_One]]


def boundary(padding_mode: AnyMode, **options: Any) -> Boundary:
    """Return the mode of this name with these options, or one that is fitted already; None is an option's default.

    Where there are several modes, one for each axis or each end, an option goes to each mode that has it.

    Raises:
        ValueError: if there is no such mode, or it cannot be that of one side.
        TypeError: if no mode has such an option.

    Example:
        >>> boundary("diff", degree=2)
        Diff(degree=2)
        >>> boundary(("circular", ({"mode": "diff", "degree": 2}, "zeros")))
        Sided((circular, (diff, zeros)))
        >>> boundary("zeros", degree=2)
        Traceback (most recent call last):
        ...
        TypeError: padding_mode='zeros' has no option 'degree'; it has none
    """
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(padding_mode, (str, Mapping, Boundary)):
        return _one(padding_mode, given)
    if not is_sequence(padding_mode):
        raise TypeError(
            f"padding_mode must be a string, or a sequence with one for each axis, got {padding_mode!r}; there are "
            f"{', '.join(MODES)}"
        )
    used: set[str] = set()

    def side(value: Any) -> Boundary:
        if not isinstance(value, (str, Mapping, Boundary)):
            raise TypeError(
                "padding_mode must hold for each axis a name, or two for its low and its high end, such as "
                f"('circular', ('zeros', 'replicate')); got {padding_mode!r}"
            )
        taken = {name: given[name] for name in given if name in _options_of(value)}
        used.update(taken)
        return _one(value, taken)

    entries = [
        [side(end) for end in entry] if is_sequence(entry) and len(entry) == 2 else side(entry)
        for entry in padding_mode
    ]
    if not entries:
        raise ValueError("padding_mode must have one entry for each axis, got none")
    for name in given:
        if name not in used:
            raise TypeError(f"no mode of padding_mode={padding_mode!r} has an option {name!r}")
    # Few convolutions have more than one.
    from diff_conv2d.modes.sided import sided

    return sided(entries)


def _options_of(value: _One) -> tuple[str, ...]:
    """Return the options that may be given beside a mode: those that it does not have yet."""
    if isinstance(value, Mapping):
        return tuple(name for name in _options_of(value.get("mode", "")) if name not in value)
    return _options(value) if isinstance(value, str) and value in MODES else ()


def _options(name: str) -> tuple[str, ...]:
    """Return the fields of a mode, a dataclass, by the attribute that compilers can read."""
    return MODES[name].__match_args__


def _one(padding_mode: _One, given: Mapping[str, Any]) -> Boundary:
    """Return a single mode."""
    if isinstance(padding_mode, Boundary):
        if names := ", ".join(given):
            raise TypeError(f"padding_mode is fitted already and has no option; got {names}")
        return padding_mode
    if isinstance(padding_mode, Mapping):
        own = {name: value for name, value in padding_mode.items() if name != "mode" and value is not None}
        if not isinstance(padding_mode.get("mode"), str):
            raise TypeError(
                f'padding_mode must name its mode, as in {{"mode": "diff", "degree": 1}}; got {padding_mode!r}'
            )
        if twice := ", ".join(name for name in own if name in given):
            raise TypeError(f"padding_mode has its own {twice}, which is given twice")
        return _one(padding_mode["mode"], {**own, **given})
    if padding_mode not in MODES:
        raise ValueError(f"padding_mode must be one of {', '.join(MODES)}; got {padding_mode!r}")
    for name in given:
        if name not in _options(padding_mode):
            has = ", ".join(_options(padding_mode)) or "none"
            raise TypeError(f"padding_mode={padding_mode!r} has no option {name!r}; it has {has}")
    return MODES[padding_mode](**given)
