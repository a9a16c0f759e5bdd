"""Super-resolution as deblurring: patches of a clear field with the same patches of the blurred field."""

from typing import Protocol

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.utils.data import Dataset

from experiments.data.tiles import flip_together

__all__ = ["NORMALISATIONS", "BlurredPatches", "Fields", "InMemoryFields", "blur", "blur_radius"]

NORMALISATIONS = ("input", "target_range")

# A Gaussian is cut off at this many standard deviations, where it is down to 3e-4 of its peak.
TRUNCATE = 4.0


def blur_radius(sigma: float) -> int:
    """Tell how many pixels away a blur still sees.

    Args:
        sigma: Standard deviation of the Gaussian in pixels.

    Returns:
        Radius of the blur's window in pixels.

    Example:
        >>> blur_radius(3.0)
        12
    """
    return int(TRUNCATE * sigma + 0.5)


def blur(field: np.ndarray, sigma: float) -> np.ndarray:
    """Blur a field with a Gaussian, cut off at four standard deviations.

    The field's border is reflected, so that the outermost :func:`blur_radius` pixels are not what a larger
    field would give: they must not be used.

    Args:
        field: Any real numbers, :math:`(H, W)`.
        sigma: Standard deviation in pixels, positive.

    Returns:
        The blurred field, float64, :math:`(H, W)`.

    Example:
        >>> bool(np.isclose(blur(np.full((30, 30), 5.0), sigma=3.0), 5.0).all())
        True
    """
    return gaussian_filter(np.asarray(field, np.float64), sigma, truncate=TRUNCATE)


class Fields(Protocol):
    """Where patches come from: a clear field and its blur, of any number of maps."""

    def window(self, number: int, top: int, left: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Return the blurred and the clear window of map ``number``, float32, :math:`(rows, columns)` each."""


class InMemoryFields:
    """One clear field and its blur, both kept in memory.

    Args:
        clear: The field, :math:`(H, W)`.
        sigma: Standard deviation of the blur in pixels.

    Example:
        >>> blurred, clear = InMemoryFields(np.ones((40, 40)), sigma=3.0).window(0, 12, 12, 4, 4)
        >>> clear.shape
        torch.Size([4, 4])
    """

    def __init__(self, clear: np.ndarray, sigma: float):
        # Blurred before anything is cut: a patch's blur knows its true surroundings.
        self.blurred = torch.from_numpy(blur(clear, sigma).astype(np.float32))
        self.clear = torch.from_numpy(np.asarray(clear, np.float32))

    def window(self, number: int, top: int, left: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Return the blurred and the clear window; there is one map only, number 0."""
        inside = np.s_[top : top + rows, left : left + columns]
        return self.blurred[inside], self.clear[inside]


class BlurredPatches(Dataset[tuple[Tensor, Tensor]]):
    r"""Pairs of a blurred patch and the clear one, normalised by one affine map.

    With ``normalisation="input"`` the map is made of what a network may know, mean and standard deviation of
    the blurred patch :math:`b`:

    .. math:: x = \frac{b - \operatorname{mean}(b)}{\operatorname{std}(b)}, \qquad
              y = \frac{c - \operatorname{mean}(b)}{\operatorname{std}(b)}

    With ``"target_range"`` it takes minimum and maximum of the clear patch :math:`c` to -1 and 1, as the paper
    does. That gives the answer's range away with the question; it is there to rerun the paper.

    Args:
        fields: Where windows are read from.
        corners: Map number, top row and left column of each patch, int64, :math:`(N, 3)`.
        size: Rows and columns of a patch.
        halo: Pixels of true context that the *input* has more on each side. The normalisation is that of the
            patch without its halo, so that targets are the same for every halo.
        normalisation: ``"input"`` or ``"target_range"``.
        augment: Whether to flip each pair at random along both axes, with torch's random numbers.
        least_scale: What the divisor is at least, in the unit of the fields, positive: the rounding of a level
            patch must not be blown up to a picture.

    Raises:
        ValueError: ``normalisation`` is not one of the two, or ``halo`` is negative.

    Example:
        >>> fields = InMemoryFields(np.arange(1600.0).reshape(40, 40), sigma=3.0)
        >>> patches = BlurredPatches(fields, np.array([[0, 16, 16]]), size=8, halo=4)
        >>> [part.shape for part in patches[0]]
        [torch.Size([1, 16, 16]), torch.Size([1, 8, 8])]
    """

    def __init__(
        self,
        fields: Fields,
        corners: np.ndarray,
        size: int,
        halo: int = 0,
        normalisation: str = "input",
        augment: bool = False,
        least_scale: float = 1e-6,
    ):
        if normalisation not in NORMALISATIONS:
            raise ValueError(f"normalisation must be one of {', '.join(NORMALISATIONS)}, got {normalisation!r}")
        if halo < 0:
            raise ValueError(f"halo must be at least 0, got {halo}")
        self.fields, self.corners, self.size, self.halo = fields, corners, size, halo
        self.normalisation, self.augment, self.least_scale = normalisation, augment, least_scale

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        number, top, left = self.corners[index].tolist()
        halo, wide = self.halo, self.size + 2 * self.halo
        blurred, clear = self.fields.window(number, top - halo, left - halo, wide, wide)
        inside = np.s_[halo : halo + self.size, halo : halo + self.size]
        patch, clear = blurred[inside], clear[inside]
        centre, scale = self.affine(patch, clear)
        pair = ((blurred - centre) / scale)[None], ((clear - centre) / scale)[None]
        return flip_together(*pair) if self.augment else pair  # type: ignore[return-value]

    def affine(self, patch: Tensor, clear: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is subtracted from a patch, and what it is divided by then.

        Args:
            patch: The blurred patch without its halo, in the unit of the fields, :math:`(H, W)`.
            clear: The clear one.

        """
        if self.normalisation == "input":
            centre, scale = patch.mean(), patch.std(correction=0)
        else:
            least, most = clear.aminmax()
            centre, scale = (most + least) / 2, (most - least) / 2
        return centre, scale.clamp_min(self.least_scale)
