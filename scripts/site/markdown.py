"""Where Python-Markdown reads a page otherwise than a repository's host does: lists, comments, formulas."""

import html
import re

from latex2mathml.converter import convert

from scripts.site.links import outside_code
from scripts.site.lists import four_spaces

__all__ = ["BAR", "as_read_elsewhere", "with_formulas"]

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
# A bar of a code span in a table is written with a backslash, which Python-Markdown would show: this letter, which no
# page has, stands for the bar until the page is HTML.
BAR = "\ue000"
_CODE = re.compile(r"`[^`\n]*`")
_ROW = re.compile(r"^\|.*$", re.MULTILINE)


def as_read_elsewhere(text: str) -> str:
    """A page's Markdown as Python-Markdown reads it: without comments, with its lists and the bars of its tables.

    Example:
        >>> as_read_elsewhere("of <!--=a.b-->1.5<!--/--> px:\\n- one\\n- two")
        'of 1.5 px:\\n\\n- one\\n- two'
    """
    return four_spaces(outside_code(text, lambda part: _ROW.sub(_with_bars, _COMMENT.sub("", part))))


def _with_bars(row: re.Match[str]) -> str:
    return _CODE.sub(lambda code: code[0].replace("\\|", BAR), row[0])


def with_formulas(page: str) -> str:
    """The HTML with its formulas as MathML, which browsers draw themselves, and with its bars.

    Raises:
        ValueError: a formula cannot be read.

    Example:
        >>> with_formulas(r'<span class="arithmatex">\\(x_0\\)</span>')[:40]
        '<math xmlns="http://www.w3.org/1998/Math'
    """

    def change(match: re.Match[str]) -> str:
        formula = html.unescape(match[3])
        try:
            drawn = convert(formula, display="block" if match[1] == "div" else "inline")
        except Exception as error:
            raise ValueError(f"the formula {formula!r} cannot be read: {error!r}") from error
        # What the converter does not know it writes as it is.
        if "\\" in drawn or formula.count("{") != formula.count("}"):
            raise ValueError(f"the formula {formula!r} has a command that is not known, or a brace too many")
        return drawn

    return _FORMULA.sub(change, page).replace(BAR, "|")
