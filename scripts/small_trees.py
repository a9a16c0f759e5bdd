"""Small trees of the paper's data, made of nothing: `python -m scripts.small_trees /tmp/trees`.

Random pictures in the folders and the formats of Caltech 101, Cityscapes and ETOPO 2022. Programs that run on them
run on the data itself; what they measure means nothing. `make trial` runs the paper's scale on them.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from PIL import Image

from experiments.data.etopo_files import TILE_SIZE, tile_path
from experiments.sentences import in_one_sentence

__all__ = ["CITIES", "caltech101_tree", "cityscapes_tree", "etopo_tree", "main", "relief", "write_tile"]

KINDS = {"airplanes": 23, "Faces": 11, "yin_yang": 16}
CITIES = {"train": ("aachen", "bochum", "ulm", "weimar", "zurich"), "val": ("frankfurt",)}
# The tile of the paper's figure 3.
TILES = ("N45E045",)
# Labels of Cityscapes, the number plate aside.
LABELS = 34


def caltech101_tree(root: Path, kinds: Mapping[str, int] = KINDS) -> Path:
    """Make photographs of any shape, every fifth of them grey, and the folder that is no class; return the root.

    Args:
        root: Folder to make `caltech101/101_ObjectCategories` in.
        kinds: How many photographs of each class. The number of a photograph tells its rows: 20 and its number.
    """
    random = np.random.default_rng(0)
    for kind, count in {**kinds, "BACKGROUND_Google": 3}.items():
        folder = root / "caltech101" / "101_ObjectCategories" / kind
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, count + 1):
            shape = (20 + number, 30) if number % 5 == 0 else (20 + number, 30, 3)
            pixels = random.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"image_{number:04d}.jpg")
    return root


def cityscapes_tree(
    root: Path, shape: tuple[int, int] = (64, 128), cities: Mapping[str, Sequence[str]] = CITIES, scenes: int = 3
) -> Path:
    """Make street scenes in which every label occurs, a column each, over and over; return the root.

    Args:
        root: Folder to make `leftImg8bit` and `gtFine` in.
        shape: Rows and columns of a picture, 34 columns or more.
        cities: Those of each split.
        scenes: How many there are of each city; labels of scene n are shifted by n columns.
    """
    random = np.random.default_rng(0)
    numbers = np.broadcast_to(np.arange(shape[1]) % LABELS, shape).astype(np.uint8)
    for split, names in cities.items():
        for city in names:
            for number in range(scenes):
                stem = f"{city}_{number:06d}_000019"
                image = root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png"
                labels = root / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png"
                for path in (image, labels):
                    path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, 256, (*shape, 3), dtype=np.uint8)).save(image)
                Image.fromarray(np.roll(numbers, number, axis=1)).save(labels)
    return root


def etopo_tree(root: Path, tiles: Sequence[str] = TILES) -> Path:
    """Make tiles of relief, of full size, which programs insist on; return the root.

    Args:
        root: Folder of the tiles.
        tiles: Their names.
    """
    root.mkdir(parents=True, exist_ok=True)
    for seed, tile in enumerate(tiles):
        write_tile(tile_path(root, tile), relief(seed).astype(np.int16), tiled=True, blockxsize=512, blockysize=512)
    return root


def relief(seed: int) -> np.ndarray:
    """Mountains and valleys in metres, waves of random lengths along both axes: float64, (3600, 3600)."""
    random = np.random.default_rng(seed)
    rows, columns = np.arange(float(TILE_SIZE))[:, None], np.arange(float(TILE_SIZE))[None, :]
    waves = random.uniform(0.005, 0.3, 6)
    return sum(np.sin(wave * rows) * np.cos(wave * columns + number) for number, wave in enumerate(waves)) * 300


def write_tile(path: Path, elevation: np.ndarray, **options: Any) -> None:
    """Write a GeoTIFF of one band.

    Args:
        path: The file.
        elevation: In metres, (H, W).
        options: Of rasterio, such as the size of its blocks.
    """
    height, width = elevation.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": elevation.dtype}
    transform = rasterio.transform.from_origin(0, 45, 15 / 3600, 15 / 3600)
    place: dict[str, Any] = {"crs": "EPSG:4326", "transform": transform}
    with rasterio.open(path, "w", **profile, **place, compress="deflate", **options) as raster:
        raster.write(elevation, 1)


@in_one_sentence("scripts.small_trees")
def main() -> None:
    """Make the three trees, as the folders that `data.root` names below DIFF_CONV2D_DATA."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder to make caltech101, cityscapes and etopo in")
    folder = parser.parse_args().folder
    for make, name in ((caltech101_tree, "caltech101"), (cityscapes_tree, "cityscapes"), (etopo_tree, "etopo")):
        print(make(folder / name))


if __name__ == "__main__":
    main()
