"""The gallery of boundary modes, and what each mode's page shows beside its text: a drawing and its errors."""

from functools import cache

import pandas as pd

from diff_conv2d import MODES
from experiments.paths import REPOSITORY
from scripts.figures.tables import TABLES, read_table
from scripts.filtering_page import FIELDS, geometric_means
from scripts.prose import significant
from scripts.site.drawings import INKS, drawing, told

__all__ = ["completed", "errors_of", "heading", "mode_pages", "pages"]


def mode_pages() -> dict[str, str]:
    """The page of each mode, in the order of the vocabulary."""
    return {mode: f"modes/{mode}.md" for mode in MODES}


def pages() -> dict[str, str | bytes]:
    """The gallery, and the drawings of all modes."""
    made: dict[str, str | bytes] = {}
    cards = ""
    for mode in MODES:
        made |= {f"modes/drawn/{mode}_{ink}.png": drawing(mode, ink) for ink in INKS}
        cards += f'<div markdown="1">\n\n**[`{mode}`]({mode}.md)** {heading(mode)}\n\n{_pictures(mode)}\n\n</div>\n\n'
    text = (
        "# The modes\n\nWhat lies beyond the edge of an image, in each mode's own way. At the left a line of "
        "terrain: the small dots are the samples that a mode sees, the coloured ones those that it adds, and "
        "the dotted line is what is truly there. At the right an image and its extension; the white rectangle is its "
        "edge. How large the error is depends on the field: [the table](#error-on-four-fields) below, and "
        "[Try it](../try.md).\n\n"
        f'<div class="gallery" markdown="1">\n\n{cards}</div>\n\n'
        "## Error on four fields\n\n" + _all_errors()
    )
    return {"modes/index.md": text, **made}


def completed(page: str, text: str) -> str:
    """The Markdown of a page; that of a mode with its drawing below the title and its errors at the end."""
    if page not in mode_pages().values():
        return text
    mode = page.removeprefix("modes/").removesuffix(".md")
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{_pictures(mode)}\n*{told(mode)}.*\n{rest}\n\n## Error on four fields\n\n{errors_of(mode)}"


@cache
def heading(mode: str) -> str:
    """What lies beyond the edge in a mode, as the title of its page says."""
    title = (REPOSITORY / "docs" / "modes" / f"{mode}.md").read_text(encoding="utf-8").partition("\n")[0]
    return title.partition(": ")[2]


def errors_of(mode: str) -> str:
    """The errors of a mode in the filtering experiment, by field and kernel size, beside the least of all modes."""
    means = _means()
    if mode not in means:
        why = "its kernels or weights are trained" if MODES[mode].trained else "it needs to know what is at the edge"
        return f"`{mode}` is not in the filtering experiment: {why}.\n"
    text = "| field | k | error | times the least | the least |\n|---|---|---|---|---|\n"
    for field, size in means.index:
        row = means.loc[(field, size)]
        text += (
            f"| {FIELDS[field]} | {size} | {significant(row[mode])} | {significant(row[mode] / row.min())} | "
            f"`{row.idxmin()}`, {significant(row.min())} |\n"
        )
    return text + f"\n{_ABOUT}\n"


_ABOUT = (
    "Mean absolute error of random k x k kernels where their window leaves the image, geometric mean over the images "
    "of a field, in the unit of the field (`results/tables/filtering.csv`)."
)


def _all_errors() -> str:
    means = _means()
    text = "| field | k | " + " | ".join(f"`{mode}`" for mode in means) + " |\n" + "|---" * (len(means.columns) + 2)
    text += "|\n"
    for field, size in means.index:
        row = means.loc[(field, size)]
        text += f"| {FIELDS[field]} | {size} | " + " | ".join(significant(value) for value in row) + " |\n"
    return f"{text}\n{_ABOUT}\n"


@cache
def _means() -> pd.DataFrame:
    means = geometric_means(read_table(TABLES / "filtering.csv", (), "make reproduce-filtering"))
    return means[[mode for mode in MODES if mode in means]].loc[list(FIELDS)]


def _pictures(mode: str) -> str:
    words = told(mode).replace("`", "")
    return "\n".join(f"![{words}](drawn/{mode}_{ink}.png#only-{ink}){{ loading=lazy }}" for ink in INKS)
