"""What MkDocs calls while it builds the site: pages that are made of files beside docs/, links, formulas, checks."""

import logging
from typing import Any

from mkdocs.structure.files import File, Files

from experiments.paths import REPOSITORY
from scripts.site import api, figures, gallery, notebooks, readme, tables, try_data
from scripts.site.check import faults
from scripts.site.links import linked_files, site_links, with_paths
from scripts.site.markdown import as_read_elsewhere, with_formulas
from scripts.site.sources import page_for, tracked

__all__ = ["on_config", "on_files", "on_page_content", "on_page_markdown", "on_post_build"]

_log = logging.getLogger("mkdocs.hooks.site")
# Each makes the pages of a folder: their text by their path, and other files by theirs.
_MAKERS = (api, figures, gallery, notebooks, tables, try_data)
# The repository's own pages that stand in the site as they are.
_PROJECT = ("*.md", "experiments/README.md", "data/README.md", "results/README.md")
# Their tables need the room of the list of headings.
_WIDE = ("findings.md", "when.md")
#: The file of the repository that each page was made of, by the page's path.
_origins: dict[str, str] = {}
_made: dict[str, str | bytes] = {}


def on_config(config: Any) -> Any:
    """Make the pages, and put all pages of a folder where the navigation has NAME/*.md."""
    _made.clear()
    _origins.clear()
    for maker in _MAKERS:
        _made.update(maker.pages())
        _origins.update(getattr(maker, "origins", dict)())
    for page in readme.PAGES:
        _made[page], _origins[page] = readme.page_text(page), "README.md"
    for path in tracked("docs/*.md"):
        name = path.relative_to(REPOSITORY).as_posix()
        _origins[name.removeprefix("docs/")] = name
    _add_project()
    config["nav"] = _expanded(config["nav"])
    return config


def _add_project() -> None:
    """Add the repository's own pages, and the files that any page links to."""
    names = {path.relative_to(REPOSITORY).as_posix() for pattern in _PROJECT for path in tracked(f":(glob){pattern}")}
    waiting = sorted(names - {"README.md"}) + sorted(linked_files(_read("README.md"), "README.md"))
    for page, origin in _origins.items():
        waiting += sorted(linked_files(str(_made.get(page) or _read(origin)), origin))
    while waiting:
        name = waiting.pop()
        page = (page_for(name) or "").partition("#")[0]
        if not page.startswith("project/") or page in _made:
            continue
        text, _origins[page] = _read(name), name
        if name.endswith(".md"):
            _made[page] = text
            waiting += sorted(linked_files(text, name))
        else:
            _made[page] = f"# {name}\n\n````{name.rpartition('.')[2] if '.' in name else 'text'}\n{text}\n````\n"


def _read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def _expanded(entries: list[Any]) -> list[Any]:
    """The navigation with the pages of a folder in the place of NAME/*.md; its page index.md is named by itself."""
    result: list[Any] = []
    for entry in entries:
        if isinstance(entry, str) and entry.endswith("/*.md"):
            result += _of_folder(entry.removesuffix("*.md"))
        elif isinstance(entry, dict):
            ((title, value),) = entry.items()
            if isinstance(value, str) and value.endswith("/*.md"):
                value = [value]
            result.append({title: _expanded(value) if isinstance(value, list) else value})
        else:
            result.append(entry)
    return result


def _of_folder(folder: str) -> list[Any]:
    if folder == "modes/":
        return [{mode: page} for mode, page in gallery.mode_pages().items()]
    # In the order in which they were made.
    return [
        name for name in _made if name.startswith(folder) and name.endswith(".md") and name != f"{folder}index.md"
    ]


def on_files(files: Files, config: Any) -> Files:
    """Add what was made to the files of docs/."""
    for name, content in _made.items():
        files.append(File.generated(config, name, content=content))
    for path in tracked("results/figures/*.png"):
        files.append(File.generated(config, f"figures/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Complete a page, and lead its links to the pages of the site."""
    name = page.file.src_uri
    if name == readme.HOME:
        markdown = with_home(markdown)
        page.meta["hide"] = ["navigation"]
    if name in _WIDE:
        page.meta["hide"] = ["toc"]
    if name in _origins:
        markdown = site_links(markdown, _origins[name], name)
    return gallery.completed(name, as_read_elsewhere(markdown))


def with_home(markdown: str) -> str:
    """The home page with the README's sections, whose links start at another folder."""
    return readme.READ.sub(lambda mark: site_links(readme.with_sections(mark[0]), "README.md", readme.HOME), markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Draw the formulas, and link the files that a page names."""
    try:
        html = with_formulas(html)
    except ValueError as error:
        _log.warning("%s: %s", page.file.src_uri, error)
    return with_paths(html, page.file.src_uri, {file.src_uri for file in files.documentation_pages()})


def on_post_build(config: Any) -> None:
    """Warn of each fault of the finished pages; under `--strict` a warning ends the build with status 1."""
    for fault in [*api.undocumented(), *faults(config["site_dir"])]:
        _log.warning("%s", fault)
