"""Checks of single values of a configuration: what cannot be used is told in one sentence."""

from math import isfinite
from pathlib import Path
from typing import Any

__all__ = ["different", "folder", "integer", "integers", "kernel_sizes", "names", "number", "numbers"]


def integer(key: str, value: object, least: int) -> int:
    """Return an integer, or refuse what is not one or too small."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{key} must be an integer of at least {least}, got {value!r}")
    return value


def integers(key: str, value: object, least: int = 1) -> list[int]:
    """Return a list of different integers, each at least ``least``."""
    return [integer(f"each of {key}", item, least) for item in different(key, value)]


def number(key: str, value: object, least: float) -> float:
    """Return a finite number, or refuse what is not one or too small."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value) or value < least:
        raise ValueError(f"{key} must be a number of at least {least}, got {value!r}")
    return float(value)


def numbers(key: str, value: object, least: float = 0) -> list[float]:
    """Return a list of different finite numbers, each at least ``least``."""
    return [number(f"each of {key}", item, least) for item in different(key, value)]


def names(key: str, value: object, allowed: list[str]) -> list[str]:
    """Return a list of different names of a vocabulary."""
    found = different(key, value)
    for name in found:
        if name not in allowed:
            raise ValueError(f"{key} must be of {', '.join(allowed)}; got {name!r}")
    return found


def different(key: str, value: object) -> list[Any]:
    """Return a list that holds something, and nothing twice."""
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key} must be a list of at least one item, as in {key}=[...], got {value!r}")
    if any(value.count(item) > 1 for item in value):
        raise ValueError(f"{key} must not hold an item twice, got {value}")
    return value


def kernel_sizes(value: object) -> list[int]:
    """Return a list of kernel sizes that the studies have kernels and degrees for."""
    sizes = different("kernel_sizes", value)
    if any(size not in (3, 5, 7) for size in sizes):
        raise ValueError(f"kernel_sizes must be of 3, 5, 7; got {sizes}")
    return sizes


def folder(value: object) -> Path:
    """Return a path, with ~ as the home directory."""
    return Path(str(value)).expanduser()
