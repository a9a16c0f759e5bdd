"""Links of pages that are read on a repository's host, too: on the site they lead to the pages of the same files."""

import posixpath
import re
from collections.abc import Callable

from scripts.site.sources import page_for

__all__ = ["linked_files", "outside_code", "site_links", "with_paths"]

README = "README.md"
_FENCE = re.compile(r"(^[ ]*(?:```|~~~).*?^[ ]*(?:```|~~~)[ ]*$)", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"(?<=\]\()([^)\s#]*)(#[^)\s]*)?(?=\))")
_OUTSIDE = re.compile(r"^[a-z]+:")
# Links as they are, blocks of code as they are, and names of files in a sentence.
_NAMED = re.compile(r"<a\b.*?</a>|<pre\b.*?</pre>|<h[1-6]\b.*?</h[1-6]>|<code>([\w./-]+)</code>", re.DOTALL)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a page's Markdown, but not its blocks of code.

    Example:
        >>> outside_code("a\\n```\\na\\n```\\na", str.upper)
        'A\\n```\\na\\n```\\nA'
    """
    parts = _FENCE.split(text)
    return "".join(part if index % 2 else change(part) for index, part in enumerate(parts))


def site_links(text: str, origin: str, page: str) -> str:
    """The Markdown with the links of a repository's file as the site has them.

    Args:
        text: that is read at `origin`.
        origin: the file's path in the repository.
        page: its path in the site's sources.

    Returns:
        The text; links that lead to no file of the repository are as they were, so that the strict build finds them.

    Example:
        >>> site_links("[a](../README.md#training) [b](x.md) [c](https://x.org)", "docs/masks.md", "masks.md")
        '[a](training.md) [b](x.md) [c](https://x.org)'
        >>> site_links("[a](#training)", "README.md", "index.md")
        '[a](training.md)'
    """

    def change(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        if not path and origin == README:
            # Its sections are on several pages.
            path = README
        found = None if not path or _OUTSIDE.match(path) else page_for(_resolved(path, origin), anchor)
        if found is None:
            return match[0]
        target, _, part = found.partition("#")
        return posixpath.relpath(target, posixpath.dirname(page) or ".") + (f"#{part}" if part else "")

    return outside_code(text, lambda part: _TARGET.sub(change, part))


def linked_files(text: str, origin: str) -> set[str]:
    """The files of the repository that a page of it links to."""
    found: set[str] = set()

    def look(part: str) -> str:
        found.update(_resolved(target, origin) for target, _ in _TARGET.findall(part) if not _OUTSIDE.match(target))
        return part

    outside_code(text, look)
    return {path for path in found if page_for(path) is not None}


def with_paths(html: str, page: str, pages: set[str]) -> str:
    """The HTML with a link around each name of a file that the site has, such as ``results/tables/filtering.csv``.

    Args:
        html: of a page.
        page: its path in the site's sources.
        pages: the paths of all pages.
    """

    def change(match: re.Match[str]) -> str:
        target = page_for(match[1].rstrip("/")) if match[1] and "/" in match[1] else None
        if target is None or target not in pages or target == page:
            return match[0]
        address = posixpath.relpath(target, posixpath.dirname(page) or ".").removesuffix(".md") + ".html"
        return f'<a href="{address}">{match[0]}</a>'

    return _NAMED.sub(change, html)


def _resolved(path: str, origin: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
