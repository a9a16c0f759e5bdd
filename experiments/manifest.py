"""What the tables of a study were made from, kept beside them: `results/tables/made_from/STUDY.json`."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments.provenance import made_from
from experiments.records import replacing

__all__ = ["FOLDER", "chosen_parts", "digest", "read_manifest", "settings_of", "write_manifest"]

# Beside the tables.
FOLDER = "made_from"
# These settings do not change a result.
NOT_DECISIVE = ("output_dir", "hydra", "runs_dir", "jobs", "processes")


def write_manifest(
    study: str,
    paths: Iterable[Path],
    modules: Iterable[str],
    settings: Mapping[str, Any],
    **more: Any,
) -> Path:
    """Write what the tables of a study were made from: sources, settings, torch, machine, date.

    Args:
        study: its name, which is that of its configuration.
        paths: the tables, all in one folder.
        modules: modules of this repository that made them.
        settings: that decide the result, as written in the configuration.
        more: anything else to keep, or what is to stand in place of what is found here and now.

    Returns:
        The path of the manifest.
    """
    paths = [Path(path) for path in paths]
    path = paths[0].parent / FOLDER / f"{study}.json"
    content = {
        "tables": {table.name: digest(table) for table in paths},
        "modules": list(modules),
        "settings": dict(settings),
        **made_from(*modules),
        **more,
    }
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def settings_of(config: DictConfig) -> dict[str, Any]:
    """The settings of a study that decide its result; references such as ${repository:data} stay as they are.

    Of the sweeps that are configured, those that it is about.
    """
    nested: Any = OmegaConf.to_container(config, resolve=False)
    chosen = nested.get("sweep", "all")
    if "sweeps" in nested and chosen != "all":
        names = [chosen] if isinstance(chosen, str) else chosen
        nested["sweeps"] = {name: of_sweep for name, of_sweep in nested["sweeps"].items() if name in names}
    # As JSON gives them back: its keys are strings.
    return json.loads(json.dumps({key: value for key, value in nested.items() if key not in NOT_DECISIVE}))


def chosen_parts() -> list[str]:
    """Return the overrides of the running program, such as its seeds, except those that only place results."""
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return [override for override in overrides if override.partition("=")[0] not in NOT_DECISIVE]


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        ValueError: it is no manifest.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    kinds = {"tables": dict, "modules": list, "settings": dict, "sources": dict}
    for key, kind in kinds.items():
        if not isinstance(content, dict) or not isinstance(content.get(key), kind):
            raise ValueError(f"{path} has no {key}")
    return content


def digest(path: Path) -> str:
    """The first sixteen digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
