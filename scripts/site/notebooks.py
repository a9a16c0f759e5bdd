"""The notebooks as pages, with the outputs that they were committed with: nothing is run."""

import base64
import re
from typing import Any

import nbformat

from experiments.paths import REPOSITORY
from scripts.site.figures import SHOWS
from scripts.site.links import site_links
from scripts.site.sources import tracked

__all__ = ["alternative", "origins", "page", "pages"]


def pages() -> dict[str, str | bytes]:
    """A page for each notebook, and its pictures."""
    made: dict[str, str | bytes] = {}
    for path in tracked("notebooks/*.ipynb"):
        made |= page(path.stem, nbformat.read(path, as_version=4).cells)
    return made


def origins() -> dict[str, str]:
    """The notebook of each page."""
    paths = [path.relative_to(REPOSITORY).as_posix() for path in tracked("notebooks/*.ipynb")]
    return {f"tutorials/{path.split('/')[1].removesuffix('.ipynb')}.md": path for path in paths}


def page(name: str, cells: list[Any]) -> dict[str, str | bytes]:
    """The page of a notebook, and its pictures.

    Args:
        name: of the notebook, without its suffix.
        cells: of the notebook.

    Raises:
        ValueError: nobody has said what a picture shows.
    """
    text, pictures = "", {}
    for cell in cells:
        if cell.cell_type == "markdown":
            text += cell.source + "\n\n"
            continue
        text += f"```python\n{cell.source}\n```\n\n"
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                file = f"{name}_{len(pictures) + 1}.png"
                pictures[f"tutorials/{file}"] = base64.b64decode(data["image/png"])
                text += f"![{alternative(cell)}]({file}){{ loading=lazy }}\n\n"
            elif "text/markdown" in data:
                # What programs write for the README has its links.
                text += site_links(data["text/markdown"], "README.md", f"tutorials/{name}.md") + "\n\n"
            elif "text/html" in data:
                text += _table(data["text/html"]) + "\n\n"
            else:
                text += f"```text\n{output.get('text', data.get('text/plain', '')).rstrip()}\n```\n\n"
    if not text.startswith("# "):
        raise ValueError(f"the notebook {name} must begin with a title")
    title, _, rest = text.partition("\n")
    told = f"*This page is the notebook `notebooks/{name}.ipynb`, with the outputs of its last run.*\n"
    return {f"tutorials/{name}.md": f"{title}\n\n{told}\n{rest}", **pictures}


def alternative(cell: Any) -> str:
    """What the picture of a cell shows: its metadata's `alt`, or what is said of the figure that it draws.

    Raises:
        ValueError: neither is there.

    Example:
        >>> alternative(nbformat.v4.new_code_cell('shells.draw(read("shells"));'))
        'Error of each mode by distance to the edge, at edges and in corners, for the four fields'
    """
    drawn = re.search(r"^(\w+)\.draw\(", cell.source, re.MULTILINE)
    if "alt" in cell.metadata:
        return str(cell.metadata["alt"])
    if drawn and drawn[1] in SHOWS:
        return SHOWS[drawn[1]]
    raise ValueError(
        f"the picture of the cell {cell.source[:60]!r} has no words: say what it shows in the cell's metadata, "
        '{"alt": "..."}'
    )


def _table(html: str) -> str:
    """A table of pandas without its own style, on lines that Markdown takes as they are."""
    html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    html = re.sub(r' (?:class|border|style|id)="[^"]*"', "", html)
    return re.sub(r"\n\s*", "\n", re.sub(r"</?div>", "", html)).strip()
