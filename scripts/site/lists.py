"""Lists as Python-Markdown wants them: four spaces for each level, and blank lines where it needs them."""

import re

__all__ = ["four_spaces"]

_ITEM = re.compile(r"^( *)([-*+]|\d+\.)( +)(?=\S)")
_FENCE = re.compile(r"^ *(```+|~~~+)")


def four_spaces(text: str) -> str:
    """The Markdown with its lists indented by four spaces for each level.

    Elsewhere what belongs to an item of a list is indented as far as the item's own text; and a list may follow a
    paragraph, or a loose item another, without a blank line.

    Example:
        >>> print(four_spaces("A list:\\n1. one\\n\\n   more\\n   - nested\\n2. two"))
        A list:
        <BLANKLINE>
        1. one
        <BLANKLINE>
            more
        <BLANKLINE>
            - nested
        <BLANKLINE>
        2. two
    """
    lines: list[str] = []
    # Where the text of each open item begins, outermost first; whether the innermost item has blank lines.
    columns: list[int] = []
    fence, shift, loose = "", 0, False
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        if fence:
            lines.append(_moved(line, shift))
            fence = "" if line.strip() == fence else fence
            continue
        if not line.strip():
            lines.append("")
            loose = loose or bool(columns)
            continue
        item, paragraph = _ITEM.match(line), bool(lines) and bool(lines[-1])
        # A number at the start of a line of a paragraph begins no list, unless it is 1.
        if item and paragraph and not columns and item[2] not in ("-", "*", "+", "1."):
            item = None
        # A line that goes on with a paragraph may be indented less than the item that it belongs to.
        if item or not paragraph or indent == 0:
            while columns and indent < columns[-1] and not (paragraph and not item and indent):
                columns.pop()
        if item:
            level = len(columns)
            if paragraph and (loose or (not _ITEM.match(lines[-1]) and not _in_list(lines, level))):
                lines.append("")
            columns.append(len(item[0]))
            lines.append(" " * 4 * level + f"{item[2]} {line[len(item[0]) :]}")
            continue
        if not columns:
            loose = False
        shift = 4 * len(columns) - (columns[-1] if columns else 0)
        opened = _FENCE.match(line)
        fence = opened[1] if opened else ""
        lines.append(_moved(line, shift))
    return "\n".join(lines)


def _in_list(lines: list[str], level: int) -> bool:
    """Whether the paragraph that ends here has an item of a list of this level, or of a deeper one."""
    for line in reversed(lines):
        if not line:
            return False
        if (item := _ITEM.match(line)) and len(item[1]) >= 4 * level:
            return True
    return False


def _moved(line: str, shift: int) -> str:
    spaces = len(line) - len(line.lstrip(" "))
    return " " * max(spaces + shift, 0) + line.lstrip(" ") if line.strip() else ""
