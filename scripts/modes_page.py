"""The README's table of boundary modes, made from the headings of docs/modes: `python -m scripts.modes_page`."""

from diff_conv2d import MODES
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.style import METHODS
from scripts.pages import update

__all__ = ["END", "START", "main", "markdown"]

START, END = "<!-- boundary modes -->", "<!-- end of boundary modes -->"


def markdown() -> str:
    """Write the table: a mode, what its page says in its heading, its name in figures.

    Raises:
        ValueError: a page has no heading of the form ``# `NAME`: what it does``.
    """
    text = "| mode | beyond the edge | in figures |\n|---|---|---|\n"
    for mode in MODES:
        page = f"docs/modes/{mode}.md"
        heading = (REPOSITORY / page).read_text(encoding="utf-8").partition("\n")[0]
        start = f"# `{mode}`: "
        if not heading.startswith(start):
            raise ValueError(f"{page} must begin with {start!r} and what is beyond the edge, got {heading!r}")
        label = METHODS[mode].label if mode in METHODS else ""
        text += f"| [`{mode}`]({page}) | {heading.removeprefix(start)} | {label} |\n"
    return text


@in_one_sentence("scripts.modes_page")
def main() -> None:
    """Bring the README up to date."""
    update(REPOSITORY / "README.md", START, END, markdown())


if __name__ == "__main__":
    main()
