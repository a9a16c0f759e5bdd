"""The group `padding` of the configuration: every boundary mode is a choice, `padding=NAME`.

configs/padding has a file for each mode whose options are of interest; the other modes are stored here. A file of
another name is a variant: a mode with options that make it a method of its own in the tables.
"""

from collections.abc import Mapping
from typing import Any

import yaml
from hydra.core.config_store import ConfigStore

from diff_conv2d.modes import CONDITIONS, MODES
from experiments.paths import CONFIGS

__all__ = ["COMPARED", "METHODS", "VARIANTS", "method_of", "mode_name", "side_names", "store_modes"]

VARIANTS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((CONFIGS / "padding").glob("*.yaml"))
    if path.stem not in MODES
}
#: The modes that are compared: those that know nothing but the image.
COMPARED = [mode for mode in MODES if mode not in CONDITIONS]
#: What networks are trained with, by name: these modes, then the variants.
METHODS: dict[str, dict[str, Any]] = {mode: {"mode": mode} for mode in COMPARED} | VARIANTS


def store_modes() -> None:
    """Make a configuration of every mode that has no file."""
    for mode in MODES:
        if not (CONFIGS / "padding" / f"{mode}.yaml").is_file():
            ConfigStore.instance().store(mode, {"mode": mode}, group="padding")


def method_of(padding: Mapping[str, Any]) -> str:
    """Name the method: the variant whose mode and options are given, or else the mode, or the modes of the sides.

    Example:
        >>> method_of({"mode": "peripheral"}), method_of({"mode": "peripheral", "shared": True})
        ('peripheral', 'peripheral_shared')
        >>> method_of({"mode": ["circular", ["diff", "zeros"]]})
        'circular_diff_zeros'
    """
    fits = (name for name, variant in VARIANTS.items() if variant.items() <= dict(padding).items())
    return next(fits, mode_name(padding["mode"]))


def mode_name(mode: Any) -> str:
    """Name a mode, or the modes of the sides.

    Example:
        >>> mode_name("diff"), mode_name(["circular", [{"mode": "diff", "degree": 1}, "zeros"]])
        ('diff', 'circular_diff_zeros')
    """
    return "_".join(side_names(mode))


def side_names(mode: Any) -> list[str]:
    """Return the names of the modes of the sides, as they are written."""
    if isinstance(mode, Mapping):
        return side_names(mode["mode"])
    return [mode] if isinstance(mode, str) else [name for side in mode for name in side_names(side)]
