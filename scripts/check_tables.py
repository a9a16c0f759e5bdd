"""Which tables are stale: `python -m scripts.check_tables`, or `make check-tables`.

Every table is named by one manifest in results/tables/made_from, which says what it was made from. A table is stale
when it is not the one that its program wrote, or when the code or the settings that made it have changed since. Quick
studies are computed again in part and compared; tables that come from other tables are computed again as a whole.
Ends with status 1 if anything is stale that is not marked so.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from experiments.manifest import FOLDER, digest, read_manifest, settings_of
from experiments.paths import CONFIGS, REPOSITORY
from experiments.provenance import sources_of
from experiments.records import replacing
from experiments.sentences import in_one_sentence
from experiments.training.cell import cell_folder
from experiments.training.cells import composed, sweep_cells
from experiments.training.pool import default_jobs, run_cells
from scripts.collect import recompute
from scripts.figures.tables import TABLES
from scripts.manifests import SWEEP, configured_runs, decisive, sweep_config

__all__ = [
    "QUICK",
    "Quick",
    "compared",
    "computed_again",
    "main",
    "stale",
    "trained_again",
    "unnamed",
]


@dataclass(frozen=True)
class Quick:
    """A part of a study that takes seconds, or a study that does.

    Attributes:
        overrides: settings that choose the part; none if it is the whole study.
        tables: name of each table that can be compared, with the columns that name a row.
        rtol: largest relative difference between machines.
        atol: largest absolute one, where an error is mere rounding.
        counts: columns of integers, which must be equal.
    """

    overrides: tuple[str, ...]
    tables: dict[str, tuple[str, ...]]
    rtol: float = 1e-4
    atol: float = 1e-8
    counts: tuple[str, ...] = ()


# Faults that a mark of being stale does not excuse.
DAMAGED = ("is not there", "is not the table that was written")
CELL = ("kernel_size", "method")
# What is trained again to confirm a sweep under new code: the plainest, the paper's, the most intricate, the control.
RETRAINED = ("zeros", "diff", "adaptive", "halo")
QUICK = {
    # In float32: what is left of an exact method is rounding.
    "filtering": Quick(
        ("kernel_sizes=[3]", "orders={chebyshev: [50], spherical_harmonics: [30], navier_stokes: [6], terrain: [6]}"),
        {"filtering": ("field", "order", *CELL), "laplacian": CELL},
        rtol=1e-2,
        atol=1e-5,
    ),
    "shells": Quick(
        ("kernel_sizes=[7]", "orders={chebyshev: [50], spherical_harmonics: [30], navier_stokes: [6], terrain: [6]}"),
        {"shells": ("field", "order", *CELL, "part", "shell")},
    ),
    "regimes": Quick(
        ("blurs=[2]", "terrain_blurs=[1]", "noise_levels=[0.01]"),
        {"regimes": ("field", "level", *CELL)},
    ),
    "rollouts": Quick(
        ("steps=100", "methods=[replicate,diff,adaptive]", "degrees=[2]"),
        {"rollouts": ("problem", *CELL, "region", "step")},
    ),
    "convergence": Quick(
        ("samples=[16,32,64,128]", "kernel_sizes=[3]"), {"convergence": ("operator", "samples", *CELL, "part")}
    ),
    "slopes": Quick(("terrains=[fault]", "sizes=[64]"), {"slopes": ("terrain", "size", "window", "method")}),
    "masks": Quick(("fields=[discs,blurred_2]", "masks=1", "kernel_sizes=[3]"), {"masks": ("field", "mask", *CELL)}),
    "adaptive": Quick(("fields=[discs,blurred_2]", "ablation_sizes=[]"), {"adaptive": ("field", "size", *CELL)}),
    "adaptive_held_out": Quick(
        ("fields=[forest]", "methods=[replicate,diff,adaptive]"),
        {"adaptive_held_out": ("field", "size", "crop", *CELL)},
    ),
    "adaptive_others": Quick(("fields=[discs,blurred_2]",), {"adaptive_others": ("field", "size", *CELL)}),
    "adaptive_others_held_out": Quick(("fields=[forest]",), {"adaptive_others_held_out": ("field", "size", *CELL)}),
    "launches": Quick((), {"launches": ("layer", "method", "device")}, counts=("forwards", "backwards")),
}


def stale(path: Path) -> list[str]:
    """Why the tables of a manifest are stale, a sentence each; none when they are not.

    Args:
        path: of the manifest, in the folder `made_from` of the tables.

    Raises:
        ValueError: it is no manifest.
    """
    manifest, tables, why = read_manifest(path), path.parent.parent, []
    for name, kept in manifest["tables"].items():
        if not (tables / name).is_file():
            why.append(f"{name} {DAMAGED[0]}")
        elif digest(tables / name) != kept:
            why.append(f"{name} {DAMAGED[1]}")
    now, then = decisive(sources_of(*manifest["modules"])), decisive(manifest["sources"])
    changed = [file for file in sorted({*now, *then}) if now.get(file) != then.get(file)]
    if changed:
        more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
        why.append(f"the code has changed since: {', '.join(changed[:4])}{more}")
    inputs: dict[str, str] = manifest.get("inputs", {})
    for name, kept in inputs.items():
        if not (tables / name).is_file() or digest(tables / name) != kept:
            why.append(f"{name}, which it was made from, has changed since")
    if manifest.get("other_sources"):
        why.append(f"its runs were made from different sources: {manifest['other_sources']} of them from others")
    return why + _other_settings(path.stem, manifest)


def _other_settings(study: str, manifest: dict[str, Any]) -> list[str]:
    """Say in what the configuration differs from what was run, a sentence each; nothing if it does not."""
    if manifest.get("kind") == SWEEP:
        settings = manifest["settings"]
        ran, asked = set(settings["runs"]), configured_runs(study, settings["seeds"], settings.get("more_seeds"))
        if ran == asked:
            return []
        one = sorted(ran ^ asked)[0]
        return [
            f"its runs are not those that configs/reproduce.yaml asks for: {len(ran ^ asked)} differ, one is {one}"
        ]
    if "program" not in manifest:
        return []
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        asked_for = settings_of(compose(manifest.get("config", manifest["program"]), manifest.get("overrides", [])))
    keys = [k for k in {*asked_for, *manifest["settings"]} if asked_for.get(k) != manifest["settings"].get(k)]
    return [f"settings have changed since: {', '.join(sorted(keys))}"] if keys else []


def unnamed(tables: Path) -> list[str]:
    """Tables that no manifest names, or several, a sentence each."""
    named: dict[str, list[str]] = {}
    for path in sorted((tables / FOLDER).glob("*.json")):
        for name in read_manifest(path)["tables"]:
            named.setdefault(name, []).append(path.stem)
    there = [path.name for path in sorted(tables.iterdir()) if path.is_file() and not path.name.startswith(".")]
    why = [f"{name}: no manifest says what it was made from" for name in there if name not in named]
    return why + [f"{name}: in the manifests {' and '.join(by)}" for name, by in named.items() if len(by) > 1]


def computed_again(study: str, tables: Path) -> str | None:
    """Compute a part of a study again, or its tables of means, and compare.

    Args:
        study: its name.
        tables: folder of the tables.

    Returns:
        What was compared, in a few words; None where nothing can be computed quickly.

    Raises:
        ValueError: something differs.
    """
    manifest = read_manifest(tables / FOLDER / f"{study}.json")
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "tables"
        if manifest.get("kind") == SWEEP:
            new.mkdir()
            for name in manifest["tables"]:
                if name != f"{study}.csv":
                    (new / name).symlink_to((tables / name).resolve())
            if recompute(study, new).read_bytes() != (tables / f"{study}.csv").read_bytes():
                raise ValueError(f"{study}.csv is not what its table of runs gives")
            return f"{study}.csv computed again from its runs, to the byte"
        if "inputs" in manifest:
            return _made_again(manifest, tables, new)
        if study not in QUICK:
            return None
        quick = QUICK[study]
        command = [
            sys.executable,
            "-m",
            f"experiments.{manifest['program']}",
            f"--config-name={manifest.get('config', manifest['program'])}",
            *quick.overrides,
            f"output_dir={folder}",
        ]
        # As `make reproduce-...` does: on nearly flat images a fit depends on how many threads share a sum.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise ValueError(f"computing again failed: {(done.stderr.strip() or done.stdout.strip())[-300:]}")
        rows, worst = 0, 0.0
        for name, keys in quick.tables.items():
            old_table, new_table = (pd.read_csv(place / f"{name}.csv") for place in (tables, new))
            if not quick.overrides:
                _same_rows(name, old_table, new_table, keys)
            count, largest = compared(name, old_table, new_table, keys, quick.rtol, quick.atol, quick.counts)
            rows, worst = rows + count, max(worst, largest)
    return f"{rows} rows computed again, largest relative difference {worst:.1g}"


def _made_again(manifest: dict[str, Any], tables: Path, folder: Path) -> str:
    """Make tables that come from other tables again, and compare them to the byte."""
    folder.mkdir()
    for name in manifest["inputs"]:
        (folder / name).symlink_to((tables / name).resolve())
    command = [sys.executable, "-m", manifest["made_by"], "--tables", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"computing again failed: {(done.stderr.strip() or done.stdout.strip())[-300:]}")
    for name in manifest["tables"]:
        if (folder / name).read_bytes() != (tables / name).read_bytes():
            raise ValueError(f"{name} is not what the tables that it is made from give")
    return f"{' and '.join(manifest['tables'])} computed again from other tables, to the byte"


def trained_again(study: str, tables: Path) -> str:
    """Train some runs of a sweep again, minutes each, and compare their results with the table of runs.

    Args:
        study: the sweep's full name.
        tables: folder of the tables.

    Returns:
        What was compared, in a few words.

    Raises:
        ValueError: something differs, or a run failed.
    """
    manifest = read_manifest(tables / FOLDER / f"{study}.json")
    kept = pd.read_csv(tables / f"{study}_runs.csv")
    seed = min(manifest["settings"]["seeds"])
    methods = [method for method in RETRAINED if method in set(kept["method"])]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cells = sweep_cells(sweep_config(study, [seed], only=methods, runs_dir=folder))
        for cell, failure, _ in run_cells(cells, default_jobs()):
            if failure:
                raise ValueError(f"{cell.name} failed: {failure}")
            record = json.loads(cell_folder(composed(cell)).record.read_text(encoding="utf-8"))
            rows += [
                {"method": cell.method, "model": cell.variant or None, "metric": metric, "region": region, "value": v}
                for metric, regions in record["results"].items()
                for region, v in regions.items()
            ]
    new = pd.DataFrame(rows)
    keys = ["method", "metric", "region", *(["model"] if new["model"].notna().all() else [])]
    count, worst = compared(f"{study}_runs", kept[kept["seed"] == seed], new.dropna(axis=1), keys, 1e-3, 1e-6)
    return (
        f"{', '.join(methods)} of seed {seed} trained again, {count} values, largest relative difference {worst:.1g}"
    )


def _same_rows(name: str, old: pd.DataFrame, new: pd.DataFrame, keys: Iterable[str]) -> None:
    """Refuse rows that a table has, and its study does not make any more, or the other way round."""
    rows = [set(table[list(keys)].itertuples(index=False, name=None)) for table in (old, new)]
    if differ := rows[0] ^ rows[1]:
        raise ValueError(f"{name}.csv and what is computed again differ in rows: {len(differ)}, one is {min(differ)}")


def compared(
    name: str,
    old: pd.DataFrame,
    new: pd.DataFrame,
    keys: Iterable[str],
    rtol: float,
    atol: float,
    counts: Iterable[str] = (),
) -> tuple[int, float]:
    """Compare the rows of a new table with those of an old one, which may have more.

    Args:
        name: of the table, for messages.
        old: the table that is kept.
        new: a part of it, computed again.
        keys: columns that name a row.
        rtol: largest relative difference.
        atol: largest absolute difference.
        counts: columns of integers, which must be equal.

    Returns:
        How many rows both have, and the largest relative difference among those beyond `atol`.

    Raises:
        ValueError: a value differs by more, or no row is in both.
    """
    keys = list(keys)
    values = [column for column in new.select_dtypes("float") if column not in keys and column in old]
    values += counts
    both = new.merge(old, on=keys, suffixes=("_new", "_old"))
    if both.empty or not values:
        raise ValueError(f"{name}.csv has none of the rows that were computed again")
    largest = 0.0
    for column in values:
        a, b = both[f"{column}_new"].to_numpy(), both[f"{column}_old"].to_numpy()
        relative = np.where(np.abs(a - b) > atol, np.abs(a - b) / np.maximum(np.abs(b), 1e-300), 0)
        largest = max(largest, float(relative.max()))
        if relative.max() > (0 if column in counts else rtol):
            row = both.loc[relative.argmax(), keys].to_dict()
            was, now = (side[relative.argmax()] for side in (b, a))
            raise ValueError(f"{name}.csv: {column} of {row} is {was:.4g}, computed again {now:.4g}")
    return len(both), largest


@in_one_sentence("scripts.check_tables")
def main() -> None:
    """Say of each study how it stands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("studies", nargs="*", help="manifests to look at (default: all)")
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder of tables (default: %(default)s)")
    parser.add_argument("--no-recompute", action="store_true", help="compare digests and settings alone: a second")
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="where the code has changed, but what is computed again agrees (of a sweep of training runs a few are "
        "trained again, some minutes each): keep the new sources in the manifest",
    )
    parser.add_argument("--mark-stale", metavar="WHY", help="mark the studies named as stale, with the reason")
    arguments = parser.parse_args()
    found = {path.stem: path for path in sorted((arguments.tables / FOLDER).glob("*.json"))}
    if missing := [study for study in arguments.studies if study not in found]:
        sys.exit(f"scripts.check_tables: studies must be of {', '.join(found)}; got {missing[0]!r}")
    if arguments.mark_stale is not None and not arguments.mark_stale.strip():
        sys.exit("scripts.check_tables: --mark-stale must say why; got an empty text")
    if arguments.mark_stale and not arguments.studies:
        sys.exit("scripts.check_tables: --mark-stale needs the names of the studies that are meant")
    bad = 0
    for study in arguments.studies or found:
        if arguments.mark_stale:
            _changed(found[study], stale=arguments.mark_stale)
        bad += not _told(study, found[study], arguments)
    for why in [] if arguments.studies else unnamed(arguments.tables):
        print(f"{why}")
        bad += 1
    sys.exit(1 if bad else 0)


def _told(study: str, path: Path, arguments: argparse.Namespace) -> bool:
    """Say how a study stands; whether it is current, or marked."""
    manifest = read_manifest(path)
    quick = study in QUICK or "inputs" in manifest or manifest.get("kind") == SWEEP
    why, again = stale(path), None
    if not arguments.no_recompute:
        try:
            again = computed_again(study, arguments.tables)
        except ValueError as error:
            why.append(str(error))
    code_alone = len(why) == 1 and why[0].startswith("the code has changed")
    if arguments.confirm and code_alone and manifest.get("kind") == SWEEP:
        try:
            again = trained_again(study, arguments.tables)
        except ValueError as error:
            why, code_alone = [str(error)], False
    if arguments.confirm and code_alone and again and quick:
        _changed(path, sources=sources_of(*manifest["modules"]), confirmed=again)
        why = []
    told = f" ({again})" if again else ""
    damaged = [reason for reason in why if reason.endswith(DAMAGED)]
    if manifest.get("stale") and not damaged:
        print(f"{study}: marked stale: {manifest['stale']}{told}")
        return True
    print(f"{study}: {'STALE: ' + '; '.join(why) if why else 'current'}{told}")
    return not why


def _changed(path: Path, **changes: Any) -> None:
    """Change entries of a manifest."""
    content = read_manifest(path) | changes
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
