"""What the tables of a sweep were made from, as its runs tell; and which runs the configuration asks for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from experiments.manifest import write_manifest
from experiments.paths import CONFIGS
from experiments.provenance import modules_named
from experiments.training.cells import composed, sweep_cells
from experiments.training.finished_runs import Run
from experiments.training.run_folder import run_name
from scripts.sweeps import PAPER

__all__ = ["NO_INFLUENCE", "SWEEP", "configured_runs", "decisive", "sweep_config", "write_sweep_manifest"]

# The kind of a manifest whose tables come from training runs.
SWEEP = "sweep"
# These say how things are told or kept, and decide no number.
NO_INFLUENCE = (
    # Its version, and which of its files has which name.
    "diff_conv2d/__init__.py",
    "experiments/__init__.py",
    "experiments/checks.py",
    "experiments/hydra_program.py",
    "experiments/interrupts.py",
    "experiments/manifest.py",
    "experiments/paths.py",
    "experiments/program.py",
    "experiments/progress.py",
    "experiments/provenance.py",
    "experiments/sentences.py",
    "experiments/settings.py",
    "experiments/training/arguments.py",
    "experiments/training/loggers.py",
    "experiments/training/quiet.py",
    "scripts/figures/tables.py",
)


def decisive(sources: Mapping[str, str]) -> dict[str, str]:
    """The digests of sources that can change a result, by path.

    Args:
        sources: digests of all sources, as `experiments.provenance.sources_of` gives them.

    Example:
        >>> decisive({"experiments/progress.py": "0c11", "experiments/shells/program.py": "5a3e"})
        {'experiments/shells/program.py': '5a3e'}
    """
    return {path: digest for path, digest in sources.items() if path not in NO_INFLUENCE}


def write_sweep_manifest(name: str, paths: Iterable[Path], runs: Iterable[Run]) -> Path | None:
    """Write the manifest of a sweep: sources, machines and dates are those of its runs, not those of the collecting.

    Args:
        name: of the sweep.
        paths: its tables.
        runs: that they were made of.

    Returns:
        The path of the manifest; None where the runs do not say what they were made from.
    """
    runs = list(runs)
    made = [one for run in runs if (one := (run.record or {}).get("made_from"))]
    if len(made) < len(runs):
        return None
    kinds: list[Mapping[str, str]] = []
    for one in made:
        if decisive(one["sources"]) not in map(decisive, kinds):
            kinds.append(one["sources"])
    counts = [sum(decisive(one["sources"]) == decisive(kind) for one in made) for kind in kinds]
    most = kinds[counts.index(max(counts))]
    return write_manifest(
        name,
        paths,
        ["experiments.training.train", *modules_named(*(run.config for run in runs))],
        {"runs": sorted(run_name(run.config).as_posix() for run in runs), **_seeds(runs)},
        kind=SWEEP,
        sources=dict(most),
        other_sources=len(runs) - max(counts),
        torch=_all(one["torch"] for one in made),
        machine=_all(one["machine"] for one in made),
        date=_all(one["date"] for one in made),
    )


def configured_runs(name: str, seeds: list[int], more: Mapping[str, list[int]] | None = None) -> set[str]:
    """The names of the runs that `configs/reproduce.yaml` asks for, for a sweep by its full name.

    Args:
        name: of the sweep.
        seeds: of every method.
        more: further seeds of some methods.
    """
    cells = sweep_cells(sweep_config(name, seeds))
    for method, of_method in (more or {}).items():
        cells += sweep_cells(sweep_config(name, of_method, only=[method]))
    return {run_name(composed(cell)).as_posix() for cell in cells}


def sweep_config(name: str, seeds: list[int], **others: Any) -> DictConfig:
    """The configuration of a sweep by its full name, as `configs/reproduce.yaml` has it; other settings by name."""
    scale = PAPER if name.startswith("paper_") else "embedded"
    overrides = [f"sweep={name.removeprefix('paper_')}", f"scale={scale}", f"seeds={seeds}"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("reproduce", overrides)
    for key, value in others.items():
        config[key] = value
    return config


def _seeds(runs: list[Run]) -> dict[str, Any]:
    """The seeds that every method has, and further ones of some."""
    of_method: dict[str, set[int]] = defaultdict(set)
    for run in runs:
        of_method[run.method].add(run.seed)
    common = set.intersection(*of_method.values())
    more = {method: sorted(seeds - common) for method, seeds in sorted(of_method.items()) if seeds > common}
    return {"seeds": sorted(common), **({"more_seeds": more} if more else {})}


def _all(values: Iterable[str]) -> str:
    """Every value that occurs, in order."""
    return "; ".join(sorted(set(values)))
