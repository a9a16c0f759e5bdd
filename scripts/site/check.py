"""Faults of the finished pages: links that lead nowhere, pictures without words, requests to other hosts."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Page", "faults", "read_page"]

# What a browser fetches by itself; a link that a reader follows may lead anywhere.
_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}


class Page(HTMLParser):
    """What a page holds: where its anchors are, what it links to and fetches, which pictures have no words."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.wordless: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element says."""
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "img" and not given.get("alt"):
            self.wordless.append(given.get("src", ""))
        # A page names its own address and its neighbours in the order of reading; nobody fetches those.
        if tag in _FETCHED and given.get(_FETCHED[tag]) and given.get("rel") not in ("canonical", "prev", "next"):
            self.fetched.append(given[_FETCHED[tag]])


def read_page(path: Path) -> Page:
    """Read one page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def faults(folder: str | Path) -> Iterator[str]:
    """Yield the faults of a built site, a sentence each.

    Args:
        folder: that it was built into.
    """
    root = Path(folder).resolve()
    pages = {path: read_page(path) for path in sorted(root.rglob("*.html"))}
    for path, page in pages.items():
        # Its links start at the root of a host, wherever that will be.
        if path.name == "404.html":
            continue
        name = path.relative_to(root).as_posix()
        yield from (f"{name}: the picture {picture} has no alternative text" for picture in page.wordless)
        for address in page.fetched:
            if urlsplit(address).netloc:
                yield f"{name}: fetches {address} from another host"
            elif not urlsplit(address).scheme and not _target(path, address).is_file():
                yield f"{name}: fetches {address}, which is not there"
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = _target(path, address) if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                yield f"{name}: links to {address}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name}: links to {address}, a heading that is not there"


def _target(path: Path, address: str) -> Path:
    return (path.parent / unquote(urlsplit(address).path)).resolve()
