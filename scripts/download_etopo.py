"""Download ETOPO 2022, 288 tiles, up to 15 GB: `python -m scripts.download_etopo`; stopped, it goes on next time."""

import argparse
from pathlib import Path

from rich.console import Console

from experiments.data.etopo_files import TILES, URL, download_tiles
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence

__all__ = ["main"]


@in_one_sentence("scripts.download_etopo", again="the next call goes on from here")
def main(arguments: list[str] | None = None) -> None:
    """Download what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    root = REPOSITORY / "data" / "etopo"
    parser.add_argument("--root", type=Path, default=root, help="folder to write to (default: %(default)s)")
    parser.add_argument("--tiles", nargs="+", default=TILES, metavar="TILE", help="such as N45E045 (default: all)")
    parser.add_argument("--url", default=URL, help="folder of the server (default: %(default)s)")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    download_tiles(options.root, options.tiles, options.url.rstrip("/") + "/", console)
    console.print(f"{len(options.tiles)} tiles in {options.root}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
