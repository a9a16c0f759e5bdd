"""ETOPO 2022: the whole Earth's relief blurred and to be restored, for super-resolution as in the paper."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from experiments.data.deblurring import BlurredPatches, blur, blur_radius
from experiments.data.etopo_files import (
    LONGITUDES,
    TILE_SIZE,
    TILES,
    URL,
    check_tile,
    download_tiles,
    read_window,
    tile_path,
)
from experiments.data.regions import SPLITS, window_corners
from experiments.data.splits import Splits

__all__ = ["MARGIN", "TileFields", "etopo"]

# Cut off each tile's edge, as in the paper: 3072 = 16 x 192 rows and columns are left. Neighbouring tiles so
# have 528 pixels, 2.2 degrees, between them.
MARGIN = 264
# Columns of tiles, 15 degrees wide, from the date line eastwards, the same thrice: 75 degrees to train, 15 to
# validate, 30 to test. Whole columns, since what lies 15 degrees further north is another climate.
COLUMN_SPLITS = ("train",) * 5 + ("validation",) + ("test",) * 2
# The divisor of a normalised patch is at least a metre: ice shelves are smoother than they are known.
LEAST_SCALE = 1.0
DRAW_SEED = 0


def etopo(
    root: str | Path,
    size: int = 192,
    test_size: int | None = None,
    train_patches: int | None = None,
    tiles: Iterable[str] | None = None,
    sigma: float = 3.0,
    halo: int = 0,
    normalisation: str = "input",
    paper_split: bool = False,
    augment: bool = False,
    download: bool = False,
) -> Splits:
    """Patches of the Earth's relief blurred by a Gaussian, and the relief itself, for super-resolution.

    Patches lie side by side in each tile, 264 pixels off its edge. They are read from the tiles when they are
    asked for, with enough around them to blur, which gives what blurring the whole tile first would give.

    References:
        | NOAA National Centers for Environmental Information, ETOPO 2022 15 Arc-Second Global Relief Model,
        | 2022, doi 10.25921/fd45-gt74

    Args:
        root: Folder of the tiles, ``ETOPO_2022_v1_15s_N90W180_surface.tif`` and so on.
        size: Rows and columns of a patch, 16 to 3072; the paper trains on 192.
        test_size: The same for the test; ``None`` takes ``size``. The paper tests on 64, 128, 192 and 256.
        train_patches: How many patches to train on, drawn at random; ``None`` takes all, 46,080 of size 192.
        tiles: Names of the tiles to use, such as N45E045; ``None`` takes all 288.
        sigma: Standard deviation of the blur in pixels, above 0 and up to 16.
        halo: Pixels of true context around each input patch, 0 to 128. Targets keep their size, and are the
            same for every halo.
        normalisation: ``"input"``: by mean and standard deviation of the blurred patch. ``"target_range"``:
            by minimum and maximum of the clear patch, as in the paper, which leaks the target.
        paper_split: Train, validate and test on all tiles, as in the paper: what is measured is not
            generalisation then. By default whole columns of tiles, 15 degrees of longitude, are held out.
        augment: Whether training patches are flipped at random, east to west and north to south.
        download: Whether to fetch tiles that are missing, up to 52 MB each, 15 GB in all.

    Returns:
        Images and targets of one channel.

    Raises:
        FileNotFoundError: Tiles are missing; the message says how to get them.
        ValueError: An option is out of its range, a tile is damaged, or a split is left without tiles.

    Example:
        >>> etopo("nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        FileNotFoundError: 288 of 288 ETOPO tiles are missing in nowhere: ...
    """
    test_size = size if test_size is None else test_size
    _check(size, test_size, train_patches, sigma, halo)
    chosen = TILES if tiles is None else tuple(tiles)
    paths = [tile_path(root, tile) for tile in chosen]
    if download:
        download_tiles(root, chosen)
    _check_files(root, paths)

    fields = TileFields(paths, sigma)
    members = _members(chosen, paper_split)
    least_scale = LEAST_SCALE if normalisation == "input" else 1e-6
    parts = {}
    for split in SPLITS:
        side = test_size if split == "test" else size
        corners = _corners(members[split], side)
        if split == "train" and train_patches is not None:
            corners = _draw(corners, train_patches)
        flips = augment and split == "train"
        parts[split] = BlurredPatches(fields, corners, side, halo, normalisation, flips, least_scale)
    wide = size + 2 * halo
    return Splits("super_resolution", **parts, in_channels=1, image_size=(wide, wide), halo=halo)


class TileFields:
    """Clear and blurred windows of tiles in files.

    Args:
        paths: The tiles.
        sigma: Standard deviation of the blur in pixels.

    Example:
        >>> len(TileFields([Path("a.tif")], sigma=3.0).paths)
        1
    """

    def __init__(self, paths: list[Path], sigma: float):
        self.paths, self.sigma = [str(path) for path in paths], sigma

    def window(self, number: int, top: int, left: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Return the blurred and the clear window of a tile, float32, :math:`(rows, columns)` each."""
        radius = blur_radius(self.sigma)
        wide = read_window(self.paths[number], top - radius, left - radius, rows + 2 * radius, columns + 2 * radius)
        inside = np.s_[radius : radius + rows, radius : radius + columns]
        blurred = blur(wide, self.sigma)[inside].astype(np.float32)
        return torch.from_numpy(blurred), torch.from_numpy(wide[inside].copy())


def _members(tiles: tuple[str, ...], paper_split: bool) -> dict[str, list[int]]:
    """List the numbers of each split's tiles."""
    if paper_split:
        return {split: list(range(len(tiles))) for split in SPLITS}
    members: dict[str, list[int]] = {split: [] for split in SPLITS}
    for number, tile in enumerate(tiles):
        # The name is three characters of latitude and four of longitude.
        column = LONGITUDES.index(tile[3:])
        members[COLUMN_SPLITS[column % len(COLUMN_SPLITS)]].append(number)
    for split, numbers in members.items():
        if not numbers:
            raise ValueError(
                f"none of the tiles is in a column to {split} on: name more tiles, or set data.paper_split=true"
            )
    return members


def _corners(numbers: list[int], size: int) -> np.ndarray:
    """List tile, row and column of the patches side by side in each tile, (N, 3)."""
    inner = (MARGIN, TILE_SIZE - MARGIN)
    corners = window_corners(inner, [inner], size, size)
    tiles = np.repeat(np.asarray(numbers, np.int64), len(corners))
    return np.column_stack([tiles, np.tile(corners, (len(numbers), 1))])


def _draw(corners: np.ndarray, count: int) -> np.ndarray:
    """Draw some of the patches."""
    if count > len(corners):
        raise ValueError(f"train_patches must be at most {len(corners)} with these options, got {count}")
    return corners[np.random.default_rng(DRAW_SEED).permutation(len(corners))[:count]]


def _check_files(root: str | Path, paths: list[Path]) -> None:
    """Refuse a folder in which tiles are missing or are something else."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(paths)} ETOPO tiles are missing in {root}: "
            f"`python -m scripts.download_etopo --root {root}` or data.download=true fetches them; without a "
            f"network, put {missing[0].name} and the others from {URL} there"
        )
    for path in paths:
        check_tile(path)


def _check(size: int, test_size: int, train_patches: int | None, sigma: float, halo: int) -> None:
    """Refuse options out of range."""
    widest = TILE_SIZE - 2 * MARGIN
    for name, value in (("size", size), ("test_size", test_size)):
        if not 16 <= value <= widest:
            raise ValueError(f"{name} must be within 16 and {widest}, got {value}")
    if train_patches is not None and train_patches < 1:
        raise ValueError(f"train_patches must be at least 1, or null for all, got {train_patches}")
    if not 0 < sigma <= 16:
        raise ValueError(f"sigma must be above 0 and at most 16, got {sigma}")
    # Halo and the blur's radius, at most 64, have to fit into the margin.
    if not 0 <= halo <= 128:
        raise ValueError(f"halo must be within 0 and 128, got {halo}")
