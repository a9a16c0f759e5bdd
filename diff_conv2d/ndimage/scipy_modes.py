"""The words of scipy.ndimage for what lies outside, and those of this library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diff_conv2d.arguments import check_dtype, is_sequence
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes.base import AxisExtension, Boundary
from diff_conv2d.ndimage.errors import FilterError

__all__ = [
    "SCIPY_MODES",
    "Sides",
    "are_fixed_matrices",
    "entries_per_axis",
    "mode_of_axes",
    "modes_per_axis",
    "sides_of",
]

#: scipy's names, and ours of the same; 'constant' and 'grid-constant' take `cval`.
SCIPY_MODES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "mirror": "reflect",
    "nearest": "replicate",
    "wrap": "circular",
    "grid-wrap": "circular",
    "constant": "constant",
    "grid-constant": "constant",
}

#: The modes of the low and the high side of an axis.
Sides = tuple[Boundary, Boundary]


@dataclass(frozen=True)
class Cval(AxisExtension):
    """scipy's 'constant': one value outside, which may be NaN, infinite or complex, unlike that of our `constant`."""

    name = "constant"
    copies = True

    value: complex = 0.0

    def outside(self, input: Tensor, axis: int, distances: range, high_end: bool, geometry: Geometry) -> list[Tensor]:
        """See `AxisExtension`."""
        shape = list(input.shape)
        shape[geometry.dims[axis]] = len(distances)
        return [torch.full(shape, self.value, dtype=input.dtype, device=input.device)]

    def check_image(self, input: Tensor, geometry: Geometry) -> None:
        """See `Boundary`: a complex value is for complex images."""
        check_dtype(input)
        if isinstance(self.value, complex) and not input.is_complex():
            raise FilterError(f"cval must be real for a real input, got {self.value!r}")


def sides_of(mode: Any, cval: complex) -> Sides:
    """Return the modes of the two sides of an axis: both alike, or of a pair.

    Example:
        >>> sides_of("mirror", 0.0)
        (Reflect(), Reflect())
        >>> sides_of(("nearest", {"mode": "reflect"}), 0.0)
        (Replicate(), Reflect())
    """
    mode = _plain(mode)
    if is_sequence(mode):
        if len(mode) != 2:
            raise FilterError(f"mode must be a name, or two for the sides of an axis, got {mode!r}")
        return _one(mode[0], cval), _one(mode[1], cval)
    one = _one(mode, cval)
    return one, one


def modes_per_axis(mode: Any, cval: complex, count: int) -> list[Sides]:
    """Return the sides of each axis: all alike, or of a sequence with an entry for each axis."""
    return [sides_of(entry, cval) for entry in entries_per_axis(mode, count)]


def entries_per_axis(mode: Any, count: int) -> list[Any]:
    """Return what is given for each axis."""
    mode = _plain(mode)
    if not is_sequence(mode):
        return [mode] * count
    if len(mode) != count:
        raise FilterError(
            "sequence argument must have length equal to input rank, or to that of axes: mode must be a name, or "
            f"hold one for each filtered axis, here {count}, got {mode!r}; two modes for the sides of one axis are a "
            "pair within it, as in [('zeros', 'diff')]"
        )
    return list(mode)


def _plain(mode: Any) -> Any:
    """Return an array of names as a list."""
    return mode.tolist() if hasattr(mode, "tolist") else mode


def mode_of_axes(sides: Sequence[Sides | None]) -> Boundary:
    """Return one mode for all axes of an image; None for an axis that is not extended."""
    # Here and not above, as the vocabulary stands on the floor of those who call this module.
    from diff_conv2d.modes import boundary
    from diff_conv2d.modes.sided import sided

    modes = {mode for ends in sides if ends is not None for mode in ends}
    if len(modes) == 1:
        return modes.pop()
    none = boundary("zeros")
    try:
        return sided([ends or none for ends in sides])
    except ValueError as error:
        raise FilterError(str(error).replace("padding_mode", "mode")) from error


def are_fixed_matrices(sides: Sequence[Sides], kernel: int) -> bool:
    """Whether each side of each axis is extended by a matrix that is the same for all images.

    Then a product of kernels along the axes may be applied at once.
    """
    geometry = Geometry((kernel,), (1,), (1,), (kernel // 2,), (kernel // 2,))
    for ends in sides:
        for high_end, mode in enumerate(ends):
            rule = getattr(mode, "rule", None)
            if rule is None or rule(0, bool(high_end), geometry, torch.float64) is None:
                return False
    return True


def _one(mode: Any, cval: Any) -> Boundary:
    """Return a single mode: by scipy's word, or by ours, a mapping with options, or one that is fitted already."""
    from diff_conv2d.modes import MODES, boundary

    if isinstance(mode, str) and mode in SCIPY_MODES:
        if mode not in ("constant", "grid-constant"):
            return boundary(SCIPY_MODES[mode])
        value = _number(cval)
        return boundary("zeros") if value == 0 else Cval(value)
    if isinstance(mode, str) and mode not in MODES:
        ours = [name for name, one in MODES.items() if name not in SCIPY_MODES and not _why_not(one())]
        raise FilterError(f"mode must be one of {', '.join([*SCIPY_MODES, *ours])}; got {mode!r}")
    try:
        found = boundary(mode)
    except (ValueError, TypeError) as error:
        kind = FilterError if isinstance(error, ValueError) else TypeError
        raise kind(str(error).replace("padding_mode", "mode")) from error
    if why := _why_not(found):
        raise FilterError(f"mode={mode!r} cannot be that of a filter: it {why}")
    return found


def _why_not(mode: Boundary) -> str:
    """Return why a mode is none for a filter, as the end of a sentence; empty if it is one."""
    if mode.has_edge_kernels:
        return "needs kernels of its own"
    return "keeps weights of its own in a layer" if mode.needs_layer or mode.trained else ""


def _number(cval: Any) -> complex:
    """Return `cval` as Python's own number."""
    if hasattr(cval, "item"):
        cval = cval.item()
    if not isinstance(cval, (int, float, complex)):
        raise TypeError(f"cval must be a number, got {cval!r}")
    return cval if isinstance(cval, complex) else float(cval)
