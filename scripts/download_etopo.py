"""Download ETOPO 2022, 288 tiles, up to 15 GB: `python -m scripts.download_etopo`; stopped, it goes on next time."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from experiments.data.download import DownloadError
from experiments.data.etopo_files import TILES, URL, download_tiles
from experiments.paths import REPOSITORY

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Download what is missing; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = REPOSITORY / "data" / "etopo"
    parser.add_argument("--root", type=Path, default=root, help="folder to write to (default: %(default)s)")
    parser.add_argument("--tiles", nargs="+", default=TILES, metavar="TILE", help="such as N45E045 (default: all)")
    parser.add_argument("--url", default=URL, help="folder of the server (default: %(default)s)")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        download_tiles(options.root, options.tiles, options.url.rstrip("/") + "/", console)
    except (DownloadError, ValueError) as error:
        console.print(str(error), style="red", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; the next call goes on from here.")
        return 130
    console.print(f"{len(options.tiles)} tiles in {options.root}", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
