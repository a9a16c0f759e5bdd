"""The 288 GeoTIFF tiles of ETOPO 2022 at 15 arc-seconds: names, reading, downloading."""

from collections.abc import Iterable
from pathlib import Path

import filelock
import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from experiments.data.download import download_file

__all__ = ["TILES", "TILE_SIZE", "URL", "check_tile", "download_tiles", "read_window", "tile_path"]

URL = "https://www.ngdc.noaa.gov/mgg/global/relief/ETOPO2022/data/15s/15s_surface_elev_gtif/"
TILE_SIZE = 3600
DEGREES = 15

# A tile is named by its north-western corner, from N90W180 to S75E165, row by row.
LATITUDES = tuple(f"{'N' if north >= 0 else 'S'}{abs(north):02d}" for north in range(90, -90, -DEGREES))
LONGITUDES = tuple(f"{'E' if west >= 0 else 'W'}{abs(west):03d}" for west in range(-180, 180, DEGREES))
TILES = tuple(latitude + longitude for latitude in LATITUDES for longitude in LONGITUDES)


def tile_path(root: str | Path, tile: str) -> Path:
    """Return where a tile is.

    Args:
        root: Folder of the tiles.
        tile: Its name, such as N45E045.

    Returns:
        The file.

    Raises:
        ValueError: There is no tile of this name.

    Example:
        >>> tile_path("etopo", "N45E045").name
        'ETOPO_2022_v1_15s_N45E045_surface.tif'
    """
    if tile not in TILES:
        raise ValueError(f"tile must be one of {TILES[0]}, {TILES[1]}, ..., {TILES[-1]}, got {tile!r}")
    return Path(root) / f"ETOPO_2022_v1_15s_{tile}_surface.tif"


def check_tile(path: Path, whole: bool = False) -> None:
    """Make sure that a file is a tile.

    Args:
        path: The file.
        whole: Whether to read all of it, which finds damage anywhere and takes about half a second.

    Raises:
        ValueError: The file is damaged or something else; the message names it.
    """
    try:
        with rasterio.open(path) as raster:
            shape, bands = raster.shape, raster.count
            if whole:
                raster.read(1)
    except RasterioError as error:
        raise ValueError(f"{path} is no GeoTIFF, or damaged; delete it and download it again ({error})") from error
    if shape != (TILE_SIZE, TILE_SIZE) or bands != 1:
        raise ValueError(f"{path} must have one band of {TILE_SIZE} x {TILE_SIZE}, got {bands} of {shape}")


def read_window(path: str | Path, top: int, left: int, rows: int, columns: int) -> np.ndarray:
    """Read part of a tile.

    The file is opened each time: that takes a millisecond, and no worker process inherits an open file.

    Args:
        path: The tile.
        top: First row.
        left: First column.
        rows: Number of rows.
        columns: Number of columns.

    Returns:
        Elevation in metres, float32, :math:`(rows, columns)`; below the sea it is negative.

    Raises:
        ValueError: The file is missing or damaged; the message names it.
    """
    try:
        with rasterio.open(path) as raster:
            return raster.read(1, window=Window(left, top, columns, rows), out_dtype="float32")
    except RasterioError as error:
        raise ValueError(f"{path} cannot be read: delete it and download it again ({error})") from error


def download_tiles(
    root: str | Path,
    tiles: Iterable[str] = TILES,
    url: str = URL,
    console: Console | None = None,
    pause: float = 2.0,
) -> None:
    """Download the tiles that are missing, up to 52 MB each, with a progress bar.

    Each is read from beginning to end before it gets its name. Stopped at any point, the next call goes on.

    Args:
        root: Folder to put them in.
        tiles: Their names.
        url: Folder of the server, with its last slash.
        console: Where to show progress.
        pause: Seconds to wait before trying again when a connection breaks off; doubled each time.

    Raises:
        DownloadError: A tile cannot be had.
        ValueError: A name is wrong, or what was downloaded is no tile.
    """
    console = console or Console(stderr=True)
    Path(root).mkdir(parents=True, exist_ok=True)
    # The processes of a distributed run all get here: the first downloads, the others wait and find the files.
    with filelock.FileLock(Path(root) / ".lock"):
        _download(root, tiles, url, console, pause)


def _download(root: str | Path, tiles: Iterable[str], url: str, console: Console, pause: float) -> None:
    """Download what is missing, one tile after the other."""
    missing = [path for path in (tile_path(root, tile) for tile in tiles) if not path.is_file()]
    columns = (
        TextColumn("{task.description:<40}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not missing) as bars:
        for number, path in enumerate(missing, start=1):
            bar = bars.add_task(f"{path.name.split('_')[-2]} ({number} of {len(missing)})", total=None)
            download_file(
                url + path.name,
                path,
                check=lambda part: check_tile(part, whole=True),
                progress=lambda done, total, bar=bar: bars.update(bar, completed=done, total=total),
                pause=pause,
            )
            bars.remove_task(bar)
            if not console.is_terminal:
                console.print(f"{path.name} ({number} of {len(missing)})", highlight=False)
