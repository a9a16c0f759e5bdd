"""Land cover seen from space: NASA's Blue Marble with MODIS classes, for segmentation and classification."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from experiments.data.embedded import DATA, read_embedded
from experiments.data.regions import SPLITS, Block, spatial_blocks, split_columns, window_corners
from experiments.data.splits import Splits
from experiments.data.tiles import Tiles, channel_moments

__all__ = ["CLASSES", "SCENES", "landcover", "landcover_scenes", "load_maps"]

FOLDER = DATA / "landcover"
IMAGE = FOLDER / "blue_marble.jpg"
LABELS = FOLDER / "classes.png"

# Both maps have 15 pixels a degree; row 0 begins at 90 N, column 0 at 180 W.
SHAPE = (2700, 5400)
PIXELS_PER_DEGREE = 15
CLASSES = ("water", "forest", "shrub", "savanna", "grass", "crop", "snow", "barren")
# Water is told by its colour alone, and no more than two tiles in a hundred, all of Greenland, are snow.
SCENES = ("forest", "shrub", "savanna", "grass", "crop", "barren")

# A pixel's width shrinks with the cosine of the latitude: at 72 degrees it is a third of its height. Further
# south than 56 degrees there is only Antarctica.
NORTH, SOUTH = 72, -56
# From the date line eastwards, the same thrice: 72 degrees to train, 20 to validate, 28 to test. Each split
# so has parts of several continents, and every class: the test has the Andes and the east of North America,
# Arabia and the Horn of Africa, New Zealand and Kamchatka.
BLOCKS: tuple[Block, ...] = tuple(
    (split, (start + west) * PIXELS_PER_DEGREE, (start + east) * PIXELS_PER_DEGREE)
    for start in (0, 120, 240)
    for split, west, east in (("train", 0, 72), ("validation", 72, 92), ("test", 92, 120))
)
# Of neighbouring tiles of 64 pixels three quarters are shared; disjoint ones would be too few to train on.
STRIDES_PER_TILE = 4
# Which tiles are drawn belongs to the data set: it does not change with the seed of a run.
DRAW_SEED = 0


def landcover(
    tile: int = 64,
    train_tiles: int = 2000,
    validation_tiles: int = 400,
    test_tiles: int = 600,
    max_water: float = 0.8,
    halo: int = 0,
    augment: bool = True,
) -> Splits:
    """Tiles of the Blue Marble with the land cover class of every pixel, for segmentation.

    Tiles are drawn at random from those between 72 degrees north and 56 south that are not nearly all water.
    Whole blocks of longitude are held out, with a tile's width between them and the blocks to train on, across
    the date line too.
    Images are normalised by mean and standard deviation of the training tiles, per channel.

    References:
        | R. Stöckli et al., The Blue Marble Next Generation, NASA Earth Observatory, 2005
        | M. Friedl and D. Sulla-Menashe, MCD12C1 MODIS/Terra+Aqua Land Cover Type Yearly L3 Global 0.05Deg
        | CMG V006, NASA LP DAAC, 2015, doi 10.5067/MODIS/MCD12C1.006

    Args:
        tile: Rows and columns of a tile, a multiple of 4, at least 16. A pixel is 1/15 degree.
        train_tiles: How many to train on. Fewer are a part of more. Tiles of one split may overlap.
        validation_tiles: How many to validate on.
        test_tiles: How many to test on.
        max_water: Largest share of water in a tile, 0 to 1.
        halo: Pixels of true context around each image, 0 to half a tile, so that contexts of different splits do
            not meet. Tiles, targets and normalisation are those without it.
        augment: Whether training tiles are flipped at random, east to west and north to south.

    Returns:
        Images of 3 channels, targets of 8 classes.

    Raises:
        TypeError: An option is of the wrong type.
        ValueError: An option is out of its range, or more tiles are asked for than there are.
        FileNotFoundError: A file is missing.

    Example:
        >>> splits = landcover(train_tiles=8, validation_tiles=4, test_tiles=4)
        >>> image, target = splits.train[0]
        >>> image.shape, target.shape
        (torch.Size([3, 64, 64]), torch.Size([64, 64]))
    """
    _check_share("max_water", max_water)
    counts = _check_counts(tile, train_tiles, validation_tiles, test_tiles)
    _check_halo(halo, tile)
    image, labels = load_maps()
    chosen = {}
    for split, (corners, shares) in _candidates(labels, tile).items():
        eligible = np.flatnonzero(shares[:, CLASSES.index("water")] <= max_water)
        chosen[split] = corners[_draw([eligible], counts[split], split)]
    targets = {split: _cut(labels, corners, tile) for split, corners in chosen.items()}
    parts = _tiles(image, chosen, targets, tile, halo, augment)
    return _splits("segmentation", parts, CLASSES, chosen["test"], tile, halo)


def landcover_scenes(
    tile: int = 64,
    train_tiles: int = 2000,
    validation_tiles: int = 400,
    test_tiles: int = 600,
    dominance: float = 0.6,
    halo: int = 0,
    augment: bool = True,
) -> Splits:
    """Tiles of the Blue Marble with the one class that covers most of them, for classification.

    Only tiles of land, and only those that one class clearly dominates. Classes are drawn in turn, so that
    they are as even as the map allows: a network that always answers the most frequent class is right in
    about one case of five. Regions, draw and normalisation are those of :func:`landcover`.

    Args:
        tile: Rows and columns of a tile, a multiple of 4, at least 16.
        train_tiles: How many to train on. Fewer are a part of more. Tiles of one split may overlap.
        validation_tiles: How many to validate on.
        test_tiles: How many to test on.
        dominance: Least share of a tile's pixels that its class covers, above 0.5 and up to 1.
        halo: Pixels of true context around each image, 0 to half a tile, so that contexts of different splits do
            not meet. Tiles, targets and normalisation are those without it.
        augment: Whether training tiles are flipped at random, east to west and north to south.

    Returns:
        Images of 3 channels, targets of 6 classes.

    Raises:
        TypeError: An option is of the wrong type.
        ValueError: An option is out of its range, or more tiles are asked for than there are.
        FileNotFoundError: A file is missing.

    Example:
        >>> splits = landcover_scenes(train_tiles=12, validation_tiles=6, test_tiles=6)
        >>> image, target = splits.test[0]
        >>> image.shape, splits.classes[target]
        (torch.Size([3, 64, 64]), 'forest')
    """
    _check_share("dominance", dominance)
    if dominance <= 0.5:
        raise ValueError(f"dominance must be above 0.5, or two classes could dominate one tile, got {dominance}")
    counts = _check_counts(tile, train_tiles, validation_tiles, test_tiles)
    _check_halo(halo, tile)
    image, labels = load_maps()
    chosen, targets = {}, {}
    for split, (corners, shares) in _candidates(labels, tile).items():
        # More than half can be covered by one class only, so that no tile is in two groups.
        groups = [np.flatnonzero(shares[:, CLASSES.index(name)] >= dominance) for name in SCENES]
        drawn = _draw(groups, counts[split], split)
        chosen[split] = corners[drawn]
        scene_shares = shares[drawn][:, [CLASSES.index(name) for name in SCENES]]
        targets[split] = torch.from_numpy(scene_shares.argmax(axis=1))
    parts = _tiles(image, chosen, targets, tile, halo, augment)
    return _splits("classification", parts, SCENES, chosen["test"], tile, halo)


def load_maps() -> tuple[np.ndarray, np.ndarray]:
    """Load the picture and its classes.

    Returns:
        The Blue Marble, uint8, :math:`(2700, 5400, 3)`, and the index in ``CLASSES`` of every pixel, uint8,
        :math:`(2700, 5400)`.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file holds something else.

    Example:
        >>> image, labels = load_maps()
        >>> CLASSES[labels[(90 - 25) * 15, (180 + 10) * 15]]  # 25 N, 10 E: the Sahara
        'barren'
    """
    image, labels = _read(IMAGE, "RGB"), _read(LABELS, "P")
    if labels.max() >= len(CLASSES):
        raise ValueError(f"{LABELS} must hold classes 0 to {len(CLASSES) - 1}, got {labels.max()}")
    return image, labels


def _read(path: Path, mode: str) -> np.ndarray:
    """Read a map of the expected kind, or say what is wrong with it."""
    if not path.is_file():
        raise FileNotFoundError(f"no land cover data at {path}; `python -m scripts.prepare_landcover` makes it")
    content = read_embedded(path)
    try:
        with Image.open(io.BytesIO(content)) as picture:
            kind, pixels = picture.mode, np.array(picture)
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise ValueError(f"{path} is damaged; `python -m scripts.prepare_landcover` makes it again") from error
    if kind != mode or pixels.shape[:2] != SHAPE:
        raise ValueError(f"{path} must be {mode} of shape {SHAPE}, got {kind} of shape {pixels.shape[:2]}")
    return pixels


def _candidates(labels: np.ndarray, tile: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """List every tile's corner, (N, 2), and its share of each class, (N, classes), for each split."""
    top, bottom = ((90 - latitude) * PIXELS_PER_DEGREE for latitude in (NORTH, SOUTH))
    corners = {
        split: window_corners((top, bottom), columns, tile, tile // STRIDES_PER_TILE)
        for split, columns in split_columns(BLOCKS, gap=tile, cyclic=True).items()
    }
    shares = {split: np.empty((len(corners[split]), len(CLASSES))) for split in SPLITS}
    for number in range(len(CLASSES)):
        # Sums over rectangles from the sum over everything above and to the left: any tile costs four look-ups.
        sums = np.zeros((SHAPE[0] + 1, SHAPE[1] + 1), np.int32)
        sums[1:, 1:] = labels == number
        sums.cumsum(axis=0, out=sums)
        sums.cumsum(axis=1, out=sums)
        for split in SPLITS:
            rows, columns = corners[split].T
            inside = sums[rows + tile, columns + tile] - sums[rows, columns + tile]
            inside += sums[rows, columns] - sums[rows + tile, columns]
            shares[split][:, number] = inside / tile**2
    return {split: (corners[split], shares[split]) for split in SPLITS}


def _draw(groups: list[np.ndarray], count: int, split: str) -> np.ndarray:
    """Draw indices from groups in turn, each group in a random order of its own, until there are enough."""
    available = sum(map(len, groups))
    if count > available:
        raise ValueError(f"{split}_tiles must be at most {available} with these options, got {count}")
    random = np.random.default_rng(DRAW_SEED)
    indices = np.concatenate([random.permutation(group) for group in groups])
    turns = np.concatenate([np.arange(len(group)) for group in groups])
    # A stable sort by turn puts the first of every group first; an exhausted group drops out.
    return indices[np.argsort(turns, kind="stable")][:count]


def _cut(pixels: np.ndarray, corners: np.ndarray, tile: int, halo: int = 0) -> torch.Tensor:
    """Cut tiles with their halo, (N, tile + 2 halo, tile + 2 halo, ...), from a map."""
    wide = tile + 2 * halo
    windows = []
    for top, left in corners - halo:
        # East of the map's last column lies its first: the Earth is round.
        columns = np.arange(left, left + wide) % pixels.shape[1]
        windows.append(pixels[top : top + wide, columns])
    return torch.from_numpy(np.stack(windows))


def _tiles(
    image: np.ndarray,
    chosen: dict[str, np.ndarray],
    targets: dict[str, torch.Tensor],
    tile: int,
    halo: int,
    augment: bool,
) -> dict[str, Tiles]:
    """Cut the images and make the three data sets, normalised by the training tiles without their halo."""
    images = {s: _cut(image, corners, tile, halo).permute(0, 3, 1, 2).contiguous() for s, corners in chosen.items()}
    mean, std = channel_moments(images["train"][..., halo : halo + tile, halo : halo + tile])
    flips = {split: (-2, -1) if augment and split == "train" else () for split in SPLITS}
    return {split: Tiles(images[split], targets[split], mean, std, flips[split]) for split in SPLITS}


def _splits(
    task: str, parts: dict[str, Tiles], classes: tuple[str, ...], test_corners: np.ndarray, tile: int, halo: int
) -> Splits:
    """Put the three parts together."""
    wide = tile + 2 * halo
    blocks = spatial_blocks(test_corners, tile)
    return Splits(
        task, **parts, in_channels=3, image_size=(wide, wide), classes=classes, halo=halo, test_blocks=blocks
    )


def _check_counts(tile: int, train: int, validation: int, test: int) -> dict[str, int]:
    """Return the number of tiles of each split, or refuse what is not a size or a count."""
    if isinstance(tile, bool) or not isinstance(tile, int):
        raise TypeError(f"tile must be an integer, got {tile!r}")
    if tile < 16 or tile % STRIDES_PER_TILE:
        raise ValueError(f"tile must be a multiple of {STRIDES_PER_TILE} of at least 16, got {tile}")
    counts = dict(zip(SPLITS, (train, validation, test), strict=True))
    for split, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"{split}_tiles must be an integer, got {count!r}")
        if count < 1:
            raise ValueError(f"{split}_tiles must be at least 1, got {count}")
    return counts


def _check_halo(halo: int, tile: int) -> None:
    """Refuse what is not a width of context that the map and the gaps between splits have room for."""
    if isinstance(halo, bool) or not isinstance(halo, int):
        raise TypeError(f"halo must be an integer, got {halo!r}")
    # Beyond the northernmost tiles there are 18 degrees of map, beyond the southernmost more.
    widest = min(tile // 2, (90 - NORTH) * PIXELS_PER_DEGREE)
    if not 0 <= halo <= widest:
        raise ValueError(f"halo must be within 0 and {widest} for tiles of {tile}, got {halo}")


def _check_share(name: str, share: float) -> None:
    """Refuse what is not a number from 0 to 1."""
    if isinstance(share, bool) or not isinstance(share, (int, float)):
        raise TypeError(f"{name} must be a number, got {share!r}")
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must be within 0 and 1, got {share}")
