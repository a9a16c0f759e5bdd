"""A boundary mode as it is written on a command line."""

from __future__ import annotations

from typing import Any

from diff_conv2d.modes import CONDITIONS, MODES, boundary
from diff_conv2d.modes.base import Boundary

__all__ = ["HELP", "UNTRAINED", "extension_of", "mode_of", "named_modes"]

#: How a mode is written.
HELP = (
    "NAME or NAME:OPTION=VALUE, as diff:degree=1 or constant:value=255; two of them with a comma between, one for "
    "the rows and one for the columns: replicate,circular"
)

# Of 'diff' where it extends an image by more than a kernel reaches: the degree would be that of a kernel as wide.
_DEGREE = 2

#: The modes that know nothing but the image, and train no weights.
UNTRAINED = tuple(
    name
    for name, mode in MODES.items()
    if name not in CONDITIONS and not (mode.trained or mode.has_edge_kernels or mode().needs_layer)
)


def named_modes(text: str) -> list[dict[str, Any]]:
    """Return the modes of rows and columns with their options, one for both or two.

    Raises:
        ValueError: the text is no mode, or one whose weights are trained in a layer.

    Example:
        >>> named_modes("diff:degree=1,circular")
        [{'mode': 'diff', 'degree': 1}, {'mode': 'circular'}]
    """
    parts = text.split(",")
    if len(parts) > 2:
        raise ValueError(f"--mode must be one mode, or two for rows and columns, got {text!r}")
    modes = []
    for part in parts:
        name, *options = part.strip().split(":")
        pairs = [option.partition("=") for option in options]
        if not all(key and equals and value for key, equals, value in pairs):
            raise ValueError(f"--mode must be {HELP}; got {text!r}")
        modes.append({"mode": name, **{key: _value(value) for key, _, value in pairs}})
        _check(modes[-1])
    return modes


def mode_of(text: str) -> Boundary:
    """Return the mode that a text names; see `named_modes`."""
    modes = named_modes(text)
    return boundary(modes[0]) if len(modes) == 1 else _checked(modes)


def extension_of(text: str) -> Boundary:
    """Return the mode that a text names, to extend an image far: 'diff' has the degree 2 of a kernel of 3 x 3.

    Raises:
        ValueError: as `named_modes`; or the mode extends no image.

    Example:
        >>> extension_of("diff"), extension_of("diff:degree=1")
        (Diff(degree=2), Diff(degree=1))
    """
    modes = [{"degree": _DEGREE, **mode} if mode["mode"] == "diff" else mode for mode in named_modes(text)]
    for mode in modes:
        if not _checked(mode).extends:
            raise ValueError(f"--mode must extend the image; {mode['mode']} scales what a filter gives: try filter")
    return _checked(modes[0] if len(modes) == 1 else modes)


def _check(mode: dict[str, Any]) -> None:
    if mode["mode"] not in MODES:
        known = [name for name in MODES if name in UNTRAINED or name in CONDITIONS]
        raise ValueError(f"--mode must be one of {', '.join(known)}; got {mode['mode']!r}")
    found = _checked(mode)
    if found.trained or found.has_edge_kernels or found.needs_layer:
        raise ValueError(f"--mode {mode['mode']} trains weights in a layer of a network, and has none for one image")


def _checked(mode: Any) -> Boundary:
    """Return the mode, with what is wrong told of `--mode`."""
    try:
        return boundary(mode)
    except (TypeError, ValueError) as error:
        raise ValueError(str(error).replace("padding_mode", "--mode")) from error


def _value(text: str) -> Any:
    """Return a number, a truth value, or the text.

    Example:
        >>> [_value(text) for text in ("2", "-0.5", "false", "sample")]
        [2, -0.5, False, 'sample']
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
