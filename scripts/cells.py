"""The cells of a sweep's table, model by method by seed: the one run of each, or a sentence on what is wrong."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.padding_configs import METHODS
from experiments.training.finished_runs import HALO, Run
from experiments.training.run_folder import data_name
from scripts.sweeps import REFERENCE, SWEEPS, Sweep

__all__ = ["Cell", "cells_of", "rows_of", "rows_without_blocks"]


class Cell(NamedTuple):
    """A place in the table."""

    model: str
    method: str
    seed: int


def cells_of(
    name: str,
    sweep: Sweep,
    runs: list[Run],
    methods: list[str],
    seeds: list[int],
    where: Mapping[str, Any],
    more: Mapping[str, Sequence[int]] | None = None,
) -> dict[Cell, Run]:
    """Find the run of each cell.

    Args:
        name: of the experiment, for messages.
        sweep: which runs belong to it.
        runs: all there are, of the sweep's `experiment_name`.
        methods: of `experiments.padding_configs`, and `halo`.
        seeds: that every method has.
        where: settings that a run must have, `SETTING`, or `METHOD:SETTING` for the runs of one method.
        more: further seeds of some methods.

    Returns:
        The cells in the order of models, methods, seeds.

    Raises:
        ValueError: a method is unknown or named twice, a further seed has no partner among those of zeros, a cell has
            no finished run or several, or its runs differ in settings other than those that are compared.
    """
    _check(methods, seeds)
    seeds_of = _seeds_of(methods, seeds, more or {})
    found: dict[Cell, list[Run]] = defaultdict(list)
    for run in runs:
        model = _model(run, sweep)
        if model and run.seed in seeds_of.get(run.method, ()) and _meant(run, where):
            found[Cell(model, run.method, run.seed)].append(run)
    done = {cell: finished for cell, of_cell in found.items() if (finished := [r for r in of_cell if r.record])}
    _refuse_mixture(name, sweep, done)
    for cell, of_cell in done.items():
        if len(of_cell) > 1:
            folders = " and ".join(str(run.folder.path) for run in of_cell)
            raise ValueError(f"{name}: {len(of_cell)} runs of {_words(cell)}, {folders}; remove all but one")
    # A sweep without variants has the one model that its runs have.
    models = list(sweep.models) or sorted({cell.model for cell in done}) or [""]
    cells = [Cell(model, method, seed) for model in models for method in methods for seed in seeds_of[method]]
    if missing := [cell for cell in cells if cell not in done]:
        raise ValueError(_missing(name, sweep, missing, len(cells), found, where))
    return {cell: done[cell][0] for cell in cells}


def rows_of(cells: Mapping[Cell, Run]) -> list[dict[str, Any]]:
    """A row for each cell, metric and region.

    Raises:
        ValueError: a value is not finite, or a run lacks a metric or a region that another one has.
    """
    rows: list[dict[str, Any]] = []
    measured: dict[Cell, set[tuple[str, str]]] = {}
    for cell, run in cells.items():
        record = run.record or {}
        results = {(m, r): v for m, regions in record["results"].items() for r, v in regions.items()}
        measured[cell] = set(results)
        for (metric, region), value in results.items():
            if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
                raise ValueError(f"{metric} of {region} is {value} in {run.folder.record}: no number to average")
            place = {"data": data_name(run.config), **cell._asdict(), "metric": metric, "region": region}
            rows.append(place | {"value": float(value)})
    everything = set().union(*measured.values())
    for cell, has in measured.items():
        if lacks := sorted(everything - has):
            metric, region = lacks[0]
            raise ValueError(
                f"{cells[cell].folder.record} has no {metric} of {region}, which other runs have: remove this file, "
                "and the command that made the run measures it again"
            )
    return rows


def rows_without_blocks(cells: Mapping[Cell, Run]) -> list[dict[str, Any]]:
    """A row for each cell, metric, region and block of the test set: the value without this block.

    Raises:
        ValueError: some runs have values without blocks and others have none.
    """
    rows: list[dict[str, Any]] = []
    have = {cell: (run.record or {}).get("results_without_each_block") or {} for cell, run in cells.items()}
    if any(have.values()) and (lacks := [cell for cell, values in have.items() if not values]):
        raise ValueError(
            f"{cells[lacks[0]].folder.record} has no results without each block of the test set, which other runs "
            "have: remove this file, and the command that made the run measures it again"
        )
    for cell, metrics in have.items():
        for metric, regions in metrics.items():
            for region, values in regions.items():
                place = {"data": data_name(cells[cell].config), **cell._asdict(), "metric": metric, "region": region}
                if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
                    raise ValueError(
                        f"{metric} of {region} without a block is no number in {cells[cell].folder.record}"
                    )
                rows += [place | {"block": block, "value": float(value)} for block, value in enumerate(values)]
    return rows


def _check(methods: list[str], seeds: list[int]) -> None:
    allowed = (*METHODS, HALO)
    if unknown := [method for method in methods if method not in allowed]:
        raise ValueError(f"methods must be of {', '.join(allowed)}; got {unknown[0]!r}")
    for what, given in (("methods", methods), ("seeds", seeds)):
        if twice := [one for one, count in Counter(given).items() if count > 1]:
            raise ValueError(f"{what} must differ; got {twice[0]} twice")


def _seeds_of(
    methods: Sequence[str], seeds: Sequence[int], more: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """The seeds of each method."""
    if unknown := [method for method in more if method not in methods]:
        raise ValueError(f"more_seeds must be of the methods {', '.join(methods)}; got {unknown[0]!r}")
    found = {method: [*seeds, *more.get(method, ())] for method in methods}
    for method, of_method in found.items():
        if twice := [seed for seed, count in Counter(of_method).items() if count > 1]:
            raise ValueError(f"more_seeds of {method} must differ from one another and from seeds; got {twice[0]}")
        if alone := [seed for seed in of_method if seed not in found[REFERENCE]]:
            raise ValueError(
                f"more_seeds of {method} must be seeds of {REFERENCE}, too, with which it is compared; got {alone[0]}"
            )
    return found


def _model(run: Run, sweep: Sweep) -> str | None:
    """The model's name in the table; None for a run that belongs to another sweep."""
    if not sweep.models:
        return str(run.config.model.name)
    settings = run.settings
    known: dict[str, Mapping[str, Any]] = {}
    for other in (*SWEEPS.values(), sweep):
        known |= other.models if other.config == sweep.config else {}
    fits = [name for name, of_name in known.items() if all(settings.get(k) == v for k, v in of_name.items())]
    # The most exact name: a network with GroupNorm has no BatchNorm either.
    name = max(fits, key=lambda name: len(known[name]), default=None)
    return name if name in sweep.models else None


def _meant(run: Run, where: Mapping[str, Any]) -> bool:
    """Whether a run has the settings that are asked for."""
    settings = run.settings
    for key, value in where.items():
        method, colon, setting = key.rpartition(":")
        if (not colon or run.method == method) and settings.get(setting) != value:
            return False
    return True


def _refuse_mixture(name: str, sweep: Sweep, done: Mapping[Cell, list[Run]]) -> None:
    """Stop when runs differ in more than model, method and seed: their means would mean nothing."""
    compared = {key for settings in sweep.models.values() for key in settings}
    # By (method or none, setting), by value: the runs. The mode's options and the halo are settings of a method.
    by_value: dict[tuple[str, str], dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    runs = [(cell, run) for cell, of_cell in done.items() for run in of_cell]
    shared = {key for _, run in runs for key in run.settings if not _of_method(key)}
    for cell, run in runs:
        settings = run.settings
        for key in (shared | set(settings)) - compared:
            value = _written(settings[key]) if key in settings else "not given"
            by_value[cell.method if _of_method(key) else "", key][value].append(run)
    for (method, key), values in sorted(by_value.items()):
        if len(values) > 1:
            (most, _), *others = sorted(values.items(), key=lambda item: -len(item[1]))
            told = ", ".join(f"{value} in {len(of_value)}" for value, of_value in sorted(values.items()))
            setting = f"{method}:{key}" if method else key
            raise ValueError(
                f"{name}: runs{f' of {method}' if method else ''} that differ in {key} cannot share a table ({told}; "
                f"for example {others[0][1][0].folder.path}); choose with --where {setting}={most}, or remove some"
            )


def _of_method(key: str) -> bool:
    return key.startswith("padding.") or key == "data.halo"


def _missing(
    name: str,
    sweep: Sweep,
    missing: list[Cell],
    total: int,
    found: Mapping[Cell, list[Run]],
    where: Mapping[str, Any],
) -> str:
    """Say what is missing and why, and the commands that run it, as few as will do."""
    seeds: dict[tuple[str, str], list[int]] = defaultdict(list)
    for cell in missing:
        seeds[cell.model, cell.method].append(cell.seed)
    # Methods that lack the same seeds are one sweep; the control, and a method with settings of its own, are alone.
    together: dict[tuple[str, tuple[str, ...], tuple[int, ...]], list[str]] = defaultdict(list)
    for (model, method), lacking in seeds.items():
        own = tuple(f"{k.rpartition(':')[2]}={_written(v)}" for k, v in where.items() if k.startswith(f"{method}:"))
        own += (f"data.halo={sweep.halo}",) if method == HALO else ()
        together[model, own, tuple(lacking)].append("zeros" if method == HALO else method)
    common = [f"{key}={_written(value)}" for key, value in where.items() if ":" not in key]
    commands = []
    for (model, own, absent), methods in together.items():
        variant = sweep.overrides.get(model, ())
        many = ["-m"] if len(methods) * len(absent) > 1 else []
        cell_settings = [f"padding={','.join(methods)}", f"seed={','.join(map(str, absent))}"]
        overrides = [f"experiment={sweep.config}", *variant, *common, *cell_settings, *own]
        commands.append(" ".join(["python train.py", *many, *overrides]))
    text = f"{name}: {len(missing)} of {total} runs are missing, the first one {_words(missing[0])}; run\n  "
    text += "\n  ".join(commands)
    failed = [(cell, run.failure) for cell in missing for run in found.get(cell, []) if run.failure]
    return text + "".join(f"\n{_words(cell)} has failed: {reason}" for cell, reason in failed)


def _words(cell: Cell) -> str:
    return f"{cell.model} {cell.method} seed {cell.seed}".lstrip()


def _written(value: Any) -> str:
    """A value as one writes it in a command."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
