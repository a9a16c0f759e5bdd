"""The library's docstrings as Markdown: examples, formulas, references and tables are written otherwise there."""

import re
from typing import Any

import griffe

__all__ = ["Markdowned", "as_markdown"]

_EXAMPLE = re.compile(r"^([ ]*)>>> .*(?:\n\1(?!\s*$).+)*(?:\n\n\1>>> .*(?:\n\1(?!\s*$).+)*)*", re.MULTILINE)
_FORMULA = re.compile(r"^([ ]*)\.\. math:: (.*(?:\n\1[ ]+\S.*)*)", re.MULTILINE)
_REFERENCE = re.compile(r"^([ ]*)\| (?=\S)", re.MULTILINE)
_TABLE = re.compile(r"^([ ]*)=+(?:[ ]+=+)+\n(?:.*\n)*?\1=+(?:[ ]+=+)+\n(?:.*\n)*?\1=+(?:[ ]+=+)+[ ]*$", re.MULTILINE)
_SECTION = re.compile(r"[A-Z]\w+:$")
_LITERAL = re.compile(r"::\n\n((?:[ ]{4,}.*(?:\n|$)|\n(?=[ ]{4,}))+)")


def as_markdown(text: str) -> str:
    r"""A docstring as Markdown reads it.

    Example:
        >>> print(as_markdown(".. math:: x^2 +\n    y\n\nwith :math:`x`"))
        $$x^2 + y$$
        <BLANKLINE>
        with $x$
    """
    text = _LITERAL.sub(lambda found: f":\n\n{_fenced(found, 'text', found[1].rstrip())}\n", text)
    text = _TABLE.sub(lambda found: _fenced(found, "text", found[0]), text)
    text = _EXAMPLE.sub(lambda found: _fenced(found, "pycon", found[0]), text)
    text = _FORMULA.sub(lambda found: f"{found[1]}$${' '.join(found[2].split())}$$", text)
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text)
    return _REFERENCE.sub(r"\1- ", text)


def _fenced(found: re.Match[str], language: str, block: str) -> str:
    """A block between fences; it stays indented only where it belongs to a section, such as "Example:"."""
    own = len(block) - len(block.lstrip(" "))
    above = found.string[: found.start()].split("\n")
    outer = next((line for line in reversed(above) if line.strip() and _indent(line) < own), "")
    kept = own if _SECTION.match(outer) else _indent(outer)
    lines = [line[own - kept :] for line in block.split("\n")]
    return "\n".join([" " * kept + f"```{language}", *lines, " " * kept + "```"])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


class Markdowned(griffe.Extension):
    """Reads each docstring of a package as Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object when its package has been read."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
