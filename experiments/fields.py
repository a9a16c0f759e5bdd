"""The four fields of the filtering experiment, image by image."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from experiments.checks import integers, mapping
from experiments.data import analytic, navier_stokes, terrain

__all__ = ["FIELDS", "Image", "field_orders", "load_field"]

# What the values of a field, and so its errors, are measured in.
FIELDS = {
    "chebyshev": "1",
    "spherical_harmonics": "1",
    "navier_stokes": "vorticity",
    "terrain": "standard deviation of the patch",
}

# Beyond it the associated Legendre function is too large for a float64; so is U_n close to 1 of much larger orders.
MOST_ORDER = {"chebyshev": 10_000, "spherical_harmonics": 322}


class Image(NamedTuple):
    """One image of a field: its order, or its number, and float64 samples, :math:`(H, W)`."""

    order: int
    samples: Tensor


def field_orders(key: str, value: object, fields: Sequence[str]) -> dict[str, list[int]]:
    """Check the orders of fields, as a check of `experiments.checks` does."""
    orders = mapping(key, value)
    wrong, found = [f"there is no field for {key}.{name}" for name in orders if name not in FIELDS], {}
    for name in fields:
        try:
            if name not in orders:
                raise ValueError(f"{key}.{name} is missing, though fields names {name}")
            # Snapshots and patches are counted where they are read.
            limit = [MOST_ORDER[name]] if name in MOST_ORDER else []
            found[name] = integers(f"{key}.{name}", orders[name], 1, *limit)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


def load_field(
    name: str, orders: Sequence[int], size: int, navier_stokes_path: Path | None = None
) -> tuple[str, Iterator[Image]]:
    """Load a field; what comes from a file is read at once, what is computed, image by image.

    Args:
        name: One of ``FIELDS``.
        orders: Orders of an analytic field; numbers, from 1, of the snapshots or the patches.
        size: Samples along each axis; the snapshots have their own.
        navier_stokes_path: The public file of snapshots instead of the project's.

    Returns:
        Where the values come from, ``formula`` or the name of a file, and the images.

    Raises:
        ValueError: The field is unknown, or a number, a size or a file cannot be used.
        FileNotFoundError: A file is missing.

    """
    if name not in FIELDS:
        raise ValueError(f"fields must be of {', '.join(FIELDS)}; got {name!r}")
    if name == "chebyshev":
        return "formula", (Image(order, analytic.chebyshev(order, size)) for order in orders)
    if name == "spherical_harmonics":
        return "formula", (Image(order, analytic.spherical_harmonics(order, size)) for order in orders)
    if name == "navier_stokes":
        path = navier_stokes.SNAPSHOTS if navier_stokes_path is None else navier_stokes_path
        return path.name, _numbered(name, orders, navier_stokes.load_snapshots(path))
    return terrain.TERRAIN.name, _numbered(name, orders, terrain.terrain_patches(size))


def _numbered(name: str, numbers: Sequence[int], images: Tensor) -> Iterator[Image]:
    """Pick images by their number, which starts at 1."""
    for number in numbers:
        if not 1 <= number <= len(images):
            raise ValueError(f"orders.{name} must lie between 1 and {len(images)}, got {number}")
    return iter([Image(number, images[number - 1]) for number in numbers])
