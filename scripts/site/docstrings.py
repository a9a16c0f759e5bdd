"""The library's docstrings as Markdown: examples, formulas, references and tables are written otherwise there."""

import re
from typing import Any

import griffe

__all__ = ["Markdowned", "as_markdown"]

_EXAMPLE = re.compile(r"^([ ]*)>>> .*(?:\n\1(?!\s*$).+)*(?:\n\n\1>>> .*(?:\n\1(?!\s*$).+)*)*", re.MULTILINE)
_FORMULA = re.compile(r"^([ ]*)\.\. math:: (.*(?:\n\1[ ]+\S.*)*)", re.MULTILINE)
_REFERENCE = re.compile(r"^([ ]*)\| (?=\S)", re.MULTILINE)
_TABLE = re.compile(r"^([ ]*)=+(?:[ ]+=+)+\n(?:.*\n)*?\1=+(?:[ ]+=+)+\n(?:.*\n)*?\1=+(?:[ ]+=+)+[ ]*$", re.MULTILINE)
_LITERAL = re.compile(r"::\n\n((?:[ ]{4,}.*(?:\n|$)|\n(?=[ ]{4,}))+)")


def as_markdown(text: str) -> str:
    r"""A docstring as Markdown reads it.

    Example:
        >>> print(as_markdown(".. math:: x^2 +\n    y\n\nwith :math:`x`"))
        $$x^2 + y$$
        <BLANKLINE>
        with $x$
    """
    text = _LITERAL.sub(lambda found: ":\n\n" + _fenced("    ", "text", found[1].rstrip()) + "\n", text)
    text = _TABLE.sub(lambda found: _fenced(found[1], "text", found[0]), text)
    text = _EXAMPLE.sub(lambda found: _fenced(found[1], "pycon", found[0]), text)
    text = _FORMULA.sub(lambda found: f"{found[1]}$${' '.join(found[2].split())}$$", text)
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text)
    return _REFERENCE.sub(r"\1- ", text)


def _fenced(indent: str, language: str, block: str) -> str:
    return f"{indent}```{language}\n{block}\n{indent}```"


class Markdowned(griffe.Extension):
    """Reads each docstring of a package as Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object when its package has been read."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
