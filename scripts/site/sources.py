"""Which page of the site each file of the repository becomes."""

import posixpath
import subprocess
from pathlib import Path

from experiments.paths import REPOSITORY
from scripts.site.readme import page_of

__all__ = ["FOLDERS", "page_for", "tracked"]

#: Folders of the repository that pages link to, and the page that shows what is in them.
FOLDERS = {
    "docs": "index.md",
    "docs/modes": "modes/index.md",
    "notebooks": "tutorials/01_quickstart.md",
    "results/figures": "figures.md",
    "results/tables": "tables.md",
}


def page_for(path: str, anchor: str = "") -> str | None:
    """The page, or the file, of the site that shows a file of the repository.

    Args:
        path: of the file, from the repository's root.
        anchor: of a heading; the README is spread over several pages.

    Returns:
        Its path in the site's sources, with the anchor; None if there is no such file in the repository.

    Example:
        >>> page_for("docs/masks.md", "#formula"), page_for("notebooks/02_filtering.ipynb")
        ('masks.md#formula', 'tutorials/02_filtering.md')
        >>> page_for("results/tables/filtering.csv"), page_for("results/figures/filtering.png")
        ('tables/filtering.md', 'figures/filtering.png')
        >>> page_for("README.md", "#the-library"), page_for("experiments/README.md"), page_for("no/such/file")
        ('library.md', 'project/experiments.md', None)
    """
    if path in FOLDERS:
        return FOLDERS[path]
    if not (REPOSITORY / path).is_file():
        return None
    if path == "README.md":
        return page_of(anchor)
    folder, name = posixpath.split(path)
    stem, suffix = posixpath.splitext(name)
    if path.startswith("docs/"):
        return path.removeprefix("docs/") + anchor
    if folder == "notebooks" and suffix == ".ipynb":
        return f"tutorials/{stem}.md"
    if folder == "results/figures" and suffix == ".png":
        return f"figures/{name}"
    if folder == "results/tables" and suffix == ".csv":
        return f"tables/{stem}.md"
    if name == "README.md":
        return f"project/{folder.replace('/', '_')}.md{anchor}"
    if suffix == ".md":
        return f"project/{stem.lower()}.md{anchor}"
    return f"project/{path.replace('/', '_')}.md"


def tracked(pattern: str) -> list[Path]:
    """The files of the repository that match a pattern, in their order; those that git ignores are left out.

    Raises:
        ValueError: git cannot list them.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"git does not list {pattern}: {done.stderr.strip()}")
    return [REPOSITORY / name for name in sorted(done.stdout.splitlines()) if (REPOSITORY / name).is_file()]
