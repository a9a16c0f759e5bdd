"""What programs write into pages that are otherwise written by hand: lines between two marks, and single numbers.

A number within a sentence stands between marks that a reader of the page does not see, with the name of what it is:
``an error of <!--=rollouts.heat.diff.100-->0.019<!--/-->``. scripts/page_numbers.py knows the names.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from experiments.records import replacing

__all__ = ["between_marks", "filled", "number_names", "update", "update_numbers", "with_numbers", "without_marks"]

_NUMBER = re.compile(r"<!--=([\w.-]+)-->(.*?)<!--/-->", re.DOTALL)
# In a notebook, a line of text is a string of JSON.
_AT_START_OF_LINE = re.compile(r"^[\s\"]*(?:(?:[-*+>]|\d+\.)\s+)*<!--[=/]", re.MULTILINE)


def between_marks(text: str, start: str, end: str) -> str:
    """What stands between two marks of a text, without the line breaks around it.

    Raises:
        ValueError: it does not have each of them once, in their order.
    """
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise ValueError(f"the text must have the lines {start} and {end}, in this order and once each")
    return text.partition(start)[2].partition(end)[0].strip("\n")


def filled(text: str, start: str, end: str, content: str) -> str:
    """The text with other lines between its marks, which stand on lines of their own.

    Raises:
        ValueError: it does not have each mark once, in their order.

    Example:
        >>> filled("a <!-- x --> old <!-- y --> b", "<!-- x -->", "<!-- y -->", "new")
        'a <!-- x -->\\nnew\\n<!-- y --> b'
    """
    between_marks(text, start, end)
    content = content.strip("\n")
    middle = f"\n{content}\n" if content else "\n"
    return text.partition(start)[0] + start + middle + end + text.partition(end)[2]


def update(page: Path, start: str, end: str, content: str) -> None:
    """Put lines between the marks of a page.

    Raises:
        ValueError: the page does not have each mark once, in their order.
    """
    text = filled(page.read_text(encoding="utf-8"), start, end, content)
    with replacing(page) as partial:
        partial.write_text(text, encoding="utf-8")


def number_names(text: str) -> list[str]:
    """The names of the numbers that a text has marks for, in their order.

    Raises:
        ValueError: a mark has no partner, or starts a line, where Markdown takes the rest of the line for HTML.

    Example:
        >>> number_names("of <!--=a.b-->1.5<!--/--> and <!--=c-->2<!--/-->")
        ['a.b', 'c']
    """
    marks = re.findall(r"<!--=|<!--/-->", _NUMBER.sub("", text))
    if marks or any(re.search(r"<!--=", shown) for _, shown in _NUMBER.findall(text)):
        raise ValueError("each mark <!--=NAME--> must be followed by its number and <!--/-->")
    wrong = _AT_START_OF_LINE.search(text)
    if wrong:
        line = text[wrong.start() :].lstrip().split("\n")[0]
        raise ValueError(f"no line may start with the mark of a number, but one does: {line[:60]!r}")
    return [name for name, _ in _NUMBER.findall(text)]


def with_numbers(text: str, numbers: Mapping[str, str]) -> str:
    """The text with a number between each pair of marks; names that ``numbers`` does not have stay as they are.

    Raises:
        ValueError: as :func:`number_names`.

    Example:
        >>> with_numbers("of <!--=a.b-->1.5<!--/--> px", {"a.b": "1.6"})
        'of <!--=a.b-->1.6<!--/--> px'
    """
    number_names(text)
    return _NUMBER.sub(lambda mark: f"<!--={mark[1]}-->{numbers.get(mark[1], mark[2])}<!--/-->", text)


def without_marks(text: str) -> str:
    """The text as its reader sees it, without the marks of numbers.

    Example:
        >>> without_marks("of <!--=a.b-->1.5<!--/--> px")
        'of 1.5 px'
    """
    return _NUMBER.sub(r"\2", text)


def update_numbers(page: Path, numbers: Mapping[str, str]) -> bool:
    """Put numbers between their marks on a page, and return whether one has changed.

    Raises:
        ValueError: as :func:`number_names`.
    """
    old = page.read_text(encoding="utf-8")
    new = with_numbers(old, numbers)
    if new != old:
        with replacing(page) as partial:
            partial.write_text(new, encoding="utf-8")
    return new != old
