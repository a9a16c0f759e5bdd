"""The error of arguments that do not fit."""

__all__ = ["FilterError"]


class FilterError(ValueError, RuntimeError):
    """A ValueError, as everywhere in this library, and a RuntimeError, which scipy raises for some of these."""
