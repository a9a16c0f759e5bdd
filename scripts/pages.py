"""What programs write into pages that are otherwise written by hand: the lines between two marks."""

from pathlib import Path

from experiments.records import replacing

__all__ = ["between_marks", "filled", "update"]


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
