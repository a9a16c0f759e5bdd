"""The README's sections, each on the page of the site that it belongs to."""

import re
from functools import cache

from pymdownx.slugs import slugify

from experiments.paths import REPOSITORY

__all__ = ["PAGES", "READ", "page_of", "page_text", "sections", "with_sections"]

#: What stands before the README's first section.
OPENING = "opening"
HOME = "index.md"
#: The pages that are made of the README alone. The other sections stand on the home page, docs/index.md.
PAGES = {
    "library.md": ("The library",),
    "training.md": ("Training",),
    "when.md": ("When Diff helps, and when it does not",),
    "reproduce.md": ("From the paper to a command", "Layout"),
}
#: A line of docs/index.md that stands for a section.
READ = re.compile(r"^<!-- README: (.+) -->$", re.MULTILINE)
_SLUG = slugify(case="lower")


@cache
def sections() -> dict[str, str]:
    """The README's sections by their headings, without these; its opening without the title.

    Raises:
        ValueError: a section is on no page of the site, or a page asks for one that is not there.
    """
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    opening, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    found = {OPENING: opening.partition("\n")[2]} | dict(zip(parts[::2], parts[1::2], strict=True))
    home = READ.findall((REPOSITORY / "docs" / HOME).read_text(encoding="utf-8"))
    shown = [*home, *(heading for headings in PAGES.values() for heading in headings)]
    if sorted(shown) != sorted(found):
        wrong = sorted(set(shown) ^ set(found)) or shown
        raise ValueError(
            f"each section of the README must stand once in docs/{HOME} or in {__name__}.PAGES; not so: {wrong[0]!r}"
        )
    return found


def page_of(anchor: str) -> str:
    """The page of a section, by its anchor, such as ``#the-library``.

    Raises:
        ValueError: the README has no such section.

    Example:
        >>> page_of("#layout"), page_of("#the-library"), page_of("")
        ('reproduce.md#layout', 'library.md', 'index.md')
    """
    if not anchor:
        return HOME
    headings = {f"#{_SLUG(heading, '-')}": heading for heading in sections()}
    if anchor not in headings:
        raise ValueError(f"README.md has no section {anchor}")
    for page, shown in PAGES.items():
        if headings[anchor] in shown:
            return page if len(shown) == 1 else page + anchor
    return HOME + anchor


def page_text(page: str) -> str:
    """The Markdown of a page that is made of the README alone."""
    if len(PAGES[page]) == 1:
        return f"# {PAGES[page][0]}\n{sections()[PAGES[page][0]]}"
    return "# Run it again\n\n" + "\n".join(f"## {heading}\n{sections()[heading]}" for heading in PAGES[page])


def with_sections(text: str) -> str:
    """The Markdown of the home page, with the README's sections in the place of their marks."""
    return READ.sub(lambda mark: ("" if mark[1] == OPENING else f"## {mark[1]}\n") + sections()[mark[1]], text)
