"""Real terrain blurred and to be restored: patches of the Himalaya from NOAA's GLOBE elevation."""

import numpy as np

from experiments.data.deblurring import BlurredPatches, InMemoryFields, blur_radius
from experiments.data.regions import Block, spatial_blocks, split_columns, window_corners
from experiments.data.splits import Splits
from experiments.data.terrain import SHAPE, load_terrain

__all__ = ["BLOCKS", "MAX_HALO", "globe"]

# Columns of the crop, from 64.4 to 90 degrees east, 120 a degree. Each split has desert or plain as well as
# mountains: two regions to train on, two to test on, one to validate on.
BLOCKS: tuple[Block, ...] = (
    ("train", 0, 1024),
    ("test", 1024, 1536),
    ("validation", 1536, 1936),
    ("train", 1936, 2672),
    ("test", 2672, 3072),
)
# Patches keep this far from the crop's edge, so that they are the same ones for every halo.
MAX_HALO = 64
# Elevation is in whole metres, whose rounding has a standard deviation of 0.3 m. Where the blurred terrain
# varies by less than this, rounding would be more than a hundredth of what there is to restore.
FLAT = 20.0
# Which patches are drawn belongs to the data set: it does not change with the seed of a run.
DRAW_SEED = 0


def globe(
    size: int = 64,
    train_patches: int | None = 2000,
    sigma: float = 3.0,
    halo: int = 0,
    normalisation: str = "input",
    augment: bool = True,
) -> Splits:
    """Patches of terrain blurred by a Gaussian, and the terrain itself, for super-resolution.

    The whole crop is blurred before patches are cut, so that the true context of every patch is known: a
    network that is given a halo of it is the control of true context. Whole blocks of
    longitude are held out, with a gap of a patch and the blur's radius to the blocks to train on.
    Training patches overlap their neighbours by half; those to validate and to test on are disjoint, so that
    each adds evidence of its own. Flat patches are left out.

    References:
        | GLOBE Task Team, Global Land One-kilometer Base Elevation, NOAA, 1999

    Args:
        size: Rows and columns of a patch, even, 16 to 192. A pixel is 30 arc-seconds.
        train_patches: How many patches to train on, drawn at random; fewer are a part of more. ``None``
            takes all. Validation and test always have all of theirs.
        sigma: Standard deviation of the blur in pixels, above 0 and up to 16.
        halo: Pixels of true context around each input patch, 0 to 64. Targets keep their size, and are the
            same for every halo.
        normalisation: ``"input"``: by mean and standard deviation of the blurred patch. ``"target_range"``:
            by minimum and maximum of the clear patch, as in the paper, which leaks the target.
        augment: Whether training patches are flipped at random, east to west and north to south.

    Returns:
        Images and targets of one channel.

    Raises:
        TypeError: ``size``, ``train_patches`` or ``halo`` is not an integer.
        ValueError: An option is out of its range, or more patches are asked for than there are.
        FileNotFoundError: The terrain file is missing.

    Example:
        >>> splits = globe(train_patches=8, halo=4)
        >>> image, target = splits.train[0]
        >>> image.shape, target.shape
        (torch.Size([1, 72, 72]), torch.Size([1, 64, 64]))
    """
    _check(size, train_patches, sigma, halo)
    radius = blur_radius(sigma)
    fields = InMemoryFields(load_terrain().numpy(), sigma)
    parts = {}
    for split, columns in split_columns(BLOCKS, gap=size + radius).items():
        corners = _corners(columns, size, radius, stride=size // 2 if split == "train" else size)
        corners = corners[_deviation(fields, corners, size) >= FLAT]
        if split == "train" and train_patches is not None:
            corners = _draw(corners, train_patches)
        parts[split] = BlurredPatches(
            fields, corners, size, halo, normalisation, augment=augment and split == "train"
        )
    wide = size + 2 * halo
    return Splits(
        "super_resolution",
        **parts,
        in_channels=1,
        image_size=(wide, wide),
        halo=halo,
        test_blocks=spatial_blocks(parts["test"].corners[:, 1:], size),
    )


def _corners(columns: list[tuple[int, int]], size: int, radius: int, stride: int) -> np.ndarray:
    """List map number, row and column of the patches whose halo and blur stay inside the crop, (N, 3)."""
    rim = MAX_HALO + radius
    inner = [(max(start, rim), min(stop, SHAPE[1] - rim)) for start, stop in columns]
    corners = window_corners((rim, SHAPE[0] - rim), inner, size, stride)
    return np.insert(corners, 0, 0, axis=1)


def _deviation(fields: InMemoryFields, corners: np.ndarray, size: int) -> np.ndarray:
    """Return the standard deviation of each blurred patch, in metres."""
    windows = (fields.window(*corner, size, size)[0] for corner in corners.tolist())
    return np.array([window.std(correction=0).item() for window in windows])


def _draw(corners: np.ndarray, count: int) -> np.ndarray:
    """Draw some of the patches."""
    if count > len(corners):
        raise ValueError(f"train_patches must be at most {len(corners)} with these options, got {count}")
    return corners[np.random.default_rng(DRAW_SEED).permutation(len(corners))[:count]]


def _check(size: int, train_patches: int | None, sigma: float, halo: int) -> None:
    """Refuse options of the wrong type or out of range."""
    for name, value in (("size", size), ("train_patches", train_patches), ("halo", halo)):
        if value is None and name == "train_patches":
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an integer, got {value!r}")
    if not 16 <= size <= 192 or size % 2:
        raise ValueError(f"size must be even and within 16 and 192, got {size}")
    if train_patches is not None and train_patches < 1:
        raise ValueError(f"train_patches must be at least 1, or null for all, got {train_patches}")
    if not 0 < sigma <= 16:
        raise ValueError(f"sigma must be above 0 and at most 16, got {sigma}")
    if not 0 <= halo <= MAX_HALO:
        raise ValueError(f"halo must be within 0 and {MAX_HALO}, got {halo}")
