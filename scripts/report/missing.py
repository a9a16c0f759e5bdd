"""What is not in a folder of results yet, and the command that makes it."""

from pathlib import Path
from typing import NamedTuple

from experiments.manifest import FOLDER, read_manifest
from experiments.paths import REPOSITORY
from experiments.training.cells import composed, sweep_cells
from experiments.training.run_folder import RunFolder, run_name
from scripts.manifests import sweep_config

__all__ = ["COMMANDS", "PARTS", "Missing", "missing_cells", "missing_studies"]

#: What makes the tables of each study, by the name of its manifest.
COMMANDS = {
    "filtering": "make reproduce-filtering",
    "adaptive": "make reproduce-adaptive",
    "adaptive_held_out": "make reproduce-adaptive",
    "adaptive_others": "make reproduce-adaptive",
    "adaptive_others_held_out": "make reproduce-adaptive",
    "convergence": "make reproduce-convergence",
    "shells": "make reproduce-shells",
    "regimes": "make reproduce-regimes",
    "rollouts": "make reproduce-rollouts",
    "slopes": "make reproduce-slopes",
    "masks": "make reproduce-masks",
    "launches": "make reproduce-launches",
    "classification": "make reproduce-classification",
    "segmentation": "make reproduce-segmentation",
    "super_resolution": "make reproduce-super-resolution",
    "normalization": "make reproduce-normalization",
    "super_resolution_sizes": "make reproduce-test-sizes",
    "error_maps": "make reproduce-error-maps",
    "seams": "make reproduce-seams",
    "finetuning": "make reproduce-finetuning",
    "frontier": "make reproduce-frontier",
    "frontier_cost": "make reproduce-frontier",
    "surrogate": "make reproduce-surrogate",
    "surrogate_rollouts": "make reproduce-surrogate",
    "surrogate_unrolled_rollouts": "make reproduce-surrogate-unrolled",
    "surrogate_advection_rollouts": "make reproduce-surrogate-advection",
    "position": "make reproduce-position",
    "power": "python -m scripts.power",
    "coverage": "python -m scripts.coverage",
    "walltime": "make reproduce-walltime",
    "benchmark": "make benchmark",
    "benchmark_cuda": "make benchmark-cuda",
}


#: Sweeps that have no tables of their own, and the study whose tables their networks are measured for.
PARTS = {
    "frontier_globe": "frontier",
    "frontier_landcover": "frontier",
    "surrogate_unrolled": "surrogate_unrolled_rollouts",
    "surrogate_advection": "surrogate_advection_rollouts",
}


class Missing(NamedTuple):
    """Something that is not there: what, and the command that makes it."""

    what: str
    command: str


def missing_studies(results: Path) -> list[Missing]:
    """The studies that have no table in a folder of results."""
    made = {path.stem for path in (results / "tables" / FOLDER).glob("*.json")}
    where = "" if _is_own(results) else f" RESULTS={results.resolve()}"
    return [
        Missing(
            name, command + (where if command.startswith("make") else f" --tables {results.resolve() / 'tables'}")
        )
        for name, command in COMMANDS.items()
        if name not in made
    ]


def missing_cells(results: Path, sweep: str, seeds: list[int]) -> list[Missing]:
    """The training runs of a sweep that are in no table and not done in the folder of runs.

    Args:
        results: the folder that holds `runs`, `tables` and `figures`.
        sweep: its full name.
        seeds: that are wanted.

    Returns:
        A line for all methods that lack the same seeds of a network; its command trains what is not done of them.
    """
    known: set[str] = set()
    for path in (results / "tables" / FOLDER).glob("*.json"):
        manifest = read_manifest(path)
        # A sweep's tables name their runs among the settings, those of a study of trained networks beside them.
        known.update(manifest["settings"].get("runs") or manifest.get("runs") or ())
    lacking: dict[tuple[str, str], list[int]] = {}
    for cell in sweep_cells(sweep_config(sweep, seeds)):
        name = run_name(composed(cell)).as_posix()
        if name not in known and RunFolder(results / "runs" / "train" / name).finished() is None:
            lacking.setdefault((cell.variant, cell.method), []).append(cell.seed)
    alike: dict[tuple[str, str], list[str]] = {}
    for (variant, method), of in lacking.items():
        alike.setdefault((variant, ",".join(map(str, of))), []).append(method)
    name, scale = sweep.removeprefix("paper_"), " scale=paper" if sweep.startswith("paper_") else ""
    runs = "" if _is_own(results) else f" runs_dir={results.resolve() / 'runs' / 'train'}"
    return [
        Missing(
            f"{' '.join(filter(None, [sweep, variant]))}: {', '.join(methods)}; seeds {of}",
            f"python -m experiments.reproduce sweep={name}{scale} seeds=[{of}] only=[{','.join(methods)}]{runs}",
        )
        for (variant, of), methods in alike.items()
    ]


def _is_own(results: Path) -> bool:
    return results.resolve() == REPOSITORY / "results"
