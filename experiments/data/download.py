"""Download large files over HTTP: resume, check, and give a file its name only when it is whole."""

import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

__all__ = ["DownloadError", "download_file"]

CHUNK = 1 << 20
# A server that sends nothing for so long, in seconds, counts as gone.
TIMEOUT = 60.0


class DownloadError(OSError):
    """A file could not be downloaded; the message says which, from where, and why."""


def download_file(
    url: str,
    path: str | Path,
    check: Callable[[Path], None] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    attempts: int = 5,
    pause: float = 2.0,
) -> None:
    """Download a file, unless it is there.

    Bytes are collected in ``path`` with ``.part`` appended. After a broken connection or a killed program the
    download resumes from these bytes, by an HTTP range. Only a file that has the size which the server announced,
    and that ``check`` accepts, gets its name, in one move.

    Args:
        url: Where the file is.
        path: Where to put it; folders are made.
        check: Called with the complete ``.part`` file; raises ValueError for a bad one, which is deleted.
        progress: Called with the bytes there are and their final number, ``None`` while it is unknown.
        attempts: How often in a row to try without getting a single new byte, at least 1.
        pause: Seconds before the next attempt, doubled each time.

    Raises:
        DownloadError: The file is not there, or the connection keeps breaking off.
        ValueError: ``check`` refused the file.
    """
    path = Path(path)
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    failures, most = 0, _size(part)
    while True:
        try:
            if _fetch(url, part, progress):
                break
            reason = "the connection broke off"
        # An answer from 400 on is the server's last word, except for those that say to come back.
        except HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise DownloadError(f"{url} cannot be downloaded: {error.code} {error.reason}") from error
            reason = f"{error.code} {error.reason}"
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
        # Compared with the most there ever was: a server that starts over each time must not keep us for ever.
        gained = _size(part) > most
        failures, most = (1 if gained else failures + 1), max(most, _size(part))
        if failures >= attempts:
            raise DownloadError(
                f"{url} cannot be downloaded: {reason}; what there is, in {part}, is gone on with next time"
            )
        time.sleep(pause * 2 ** (failures - 1))
    if check is not None:
        try:
            check(part)
        except ValueError:
            # Nothing tells where it is damaged: going on with it would fail for ever.
            part.unlink()
            raise
    part.replace(path)


def _fetch(url: str, part: Path, progress: Callable[[int, int | None], None] | None) -> bool:
    """Append what is missing to a file; tell whether it is complete."""
    done = _size(part)
    request = Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        # Nothing after the last byte: either all is there, or the file on the server is another one by now.
        if error.code != 416 or not done:
            raise
        if error.headers.get("Content-Range", "").rpartition("/")[2] == str(done):
            return True
        part.unlink()
        return False
    with response:
        length = response.headers.get("Content-Length")
        if response.status == 206:
            # "bytes 100-199/200": a server may answer with another stretch than was asked for.
            stretch, _, size = response.headers.get("Content-Range", "").rpartition("/")
            if not stretch.startswith(f"bytes {done}-"):
                part.unlink()
                return False
            total = int(size) if size.isdigit() else None
        else:
            # The whole file, because nothing was there or because the server knows no ranges.
            done, total = 0, int(length) if length else None
        with part.open("ab" if done else "wb") as file:
            if progress:
                progress(done, total)
            while chunk := response.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
    return total is None or done == total


def _size(part: Path) -> int:
    """Tell how many bytes there are."""
    return part.stat().st_size if part.is_file() else 0
