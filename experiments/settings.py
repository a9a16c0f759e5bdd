"""The settings of a study: a frozen dataclass, each field of which says its name, its kind and its limits.

`setting` declares a field, `read_settings` makes the dataclass of a configuration.
"""

import dataclasses
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, TypeVar

from omegaconf import DictConfig

from experiments.checks import Reader

__all__ = ["group", "read_settings", "setting"]

Value = TypeVar("Value")
Settings = TypeVar("Settings")
# A function from the settings declared before to the limits of another setting; None skips the check.
Given = Callable[[Any], Iterable[object] | None]


def setting(check: Callable[..., Value], *limits: object, given: Given | None = None) -> Value:
    """Declare a setting as a field of a dataclass.

    Args:
        check: One of `experiments.checks`, or one like them; what it returns is the field's value.
        limits: What is allowed, as the check takes it.
        given: A function that takes the place of ``limits`` where they depend on settings declared before. It gets
            an object with those settings as attributes, None for each that cannot be used. It returns the limits, or
            None to leave the setting unchecked.

    """

    def read(reader: Reader, name: str, found: SimpleNamespace) -> Value | None:
        allowed = limits if given is None else given(found)
        if allowed is None:
            reader.known.add(name)
            return None
        value: Value | None = reader(name, check, *allowed)
        return value

    return _field(read)


def group(read: Callable[[Reader], Value]) -> Value:
    """Declare a field that a function reads from several settings."""
    return _field(lambda reader, name, found: read(reader))


def _field(read: Callable[[Reader, str, SimpleNamespace], Value | None]) -> Value:
    # To a type checker the field has the type of what is read.
    field: Any = dataclasses.field(metadata={"read": read})
    value: Value = field
    return value


def read_settings(kind: type[Settings], config: DictConfig) -> Settings:
    """Check a configuration.

    Args:
        kind: A dataclass whose fields are declared by `setting` or `group`.
        config: As composed.

    Returns:
        The settings, in the types that the program works with.

    Raises:
        ValueError: Values cannot be used, or there are settings that no field has; the sentence names all of them.

    Example:
        >>> from omegaconf import OmegaConf
        >>> from experiments.checks import integer, integers
        >>> @dataclasses.dataclass(frozen=True)
        ... class Grid:
        ...     kernels: list[int] = setting(integers)
        ...     size: int = setting(integer, given=lambda found: [max(found.kernels or [3])])
        >>> read_settings(Grid, OmegaConf.create({"kernels": [3, 5], "size": 8}))
        Grid(kernels=[3, 5], size=8)
        >>> read_settings(Grid, OmegaConf.create({"kernels": [5], "size": 4, "extra": 8}))
        Traceback (most recent call last):
        ...
        ValueError: size must be an integer of at least 5, got 4; there is no setting extra; there are kernels, size

    """
    reader, found = Reader(config), SimpleNamespace()
    for field in dataclasses.fields(kind):
        setattr(found, field.name, field.metadata["read"](reader, field.name, found))
    reader.end()
    return kind(**vars(found))
