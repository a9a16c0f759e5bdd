"""The pages of the API: every public name of the library, with its docstring."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from diff_conv2d import MODES
from scripts.site.docstrings import as_markdown

__all__ = ["PAGES", "documented", "pages", "undocumented"]

#: The pages: their title, and the modules whose names they show, the first by its docstring, too.
PAGES = {
    "functions": ("Functions", ("diff_conv2d",)),
    "layers": ("Layers", ("diff_conv2d",)),
    "modes": ("Modes and their options", ("diff_conv2d.modes",)),
    "paper": ("The paper's interface", ("diff_conv2d.functional", "diff_conv2d.layers")),
    "ndimage": ("scipy's filters", ("diff_conv2d.ndimage",)),
    "fields": ("Derivatives and terrain", ("diff_conv2d.derivatives", "diff_conv2d.terrain")),
    "masks": ("Masks", ("diff_conv2d.masks",)),
    "chunked": ("Chunks", ("diff_conv2d.chunked",)),
}
#: On the page of the paper's interface; what else these modules have is on the pages of functions and layers.
_PAPER = ("DiffConv2d",)


def pages() -> dict[str, str | bytes]:
    """A page for each part of the API."""
    made: dict[str, str | bytes] = {}
    for page, (title, modules) in PAGES.items():
        text = f"# {title}\n"
        for name in modules:
            module = import_module(name)
            if name not in ("diff_conv2d", "diff_conv2d.functional"):
                text += f"\n## {name}\n\n{as_markdown(inspect.getdoc(module) or '')}\n"
            if name == "diff_conv2d":
                text += f"\nAll of these are names of `{name}`.\n"
            for place in (place for place, shown in documented(module) if page in shown):
                text += f"\n::: {place}\n"
        made[f"api/{page}.md"] = text
    return made


def documented(module: ModuleType) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The public names of a module that have a docstring: where each is defined, and the pages that show it."""
    for name in getattr(module, "__all__", ()):
        found = getattr(module, name)
        if inspect.isclass(found) or inspect.isfunction(found):
            yield f"{found.__module__}.{name}", _shown_on(module.__name__, name, found)
    if module.__name__ == "diff_conv2d.modes":
        for mode in MODES.values():
            yield f"{mode.__module__}.{mode.__name__}", ("modes",)


def _shown_on(module: str, name: str, found: Any) -> tuple[str, ...]:
    if module == "diff_conv2d":
        if name in _PAPER or name == "DiffConv2dLayer":
            return ()
        return ("layers",) if inspect.isclass(found) and name[0].isupper() else ("functions",)
    if module == "diff_conv2d.functional":
        return ("paper",) if name in _PAPER else ()
    return tuple(page for page, (_, modules) in PAGES.items() if module in modules)


def undocumented() -> Iterator[str]:
    """Yield each public name that has no docstring, public methods of the library's classes included."""
    for _, modules in PAGES.values():
        for name in modules:
            module = import_module(name)
            if not module.__doc__:
                yield f"{name} has no docstring"
            for place, _ in documented(module):
                owner, _, last = place.rpartition(".")
                found = getattr(import_module(owner), last)
                if not found.__doc__:
                    yield f"{place} has no docstring"
                if inspect.isclass(found):
                    yield from (f"{place}.{method} has no docstring" for method in _bare_methods(found))


def _bare_methods(found: type) -> list[str]:
    """Its own public methods without a docstring, unless one that they override has it."""
    return [
        name
        for name, value in vars(found).items()
        if inspect.isfunction(value) and not name.startswith("_") and not inspect.getdoc(getattr(found, name))
    ]
