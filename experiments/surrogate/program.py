"""The surrogate: `python -m experiments.surrogate only=[zeros,adaptive] seeds=[0]`, see configs/surrogate.yaml."""

import pandas as pd
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from experiments.checks import writable
from experiments.data.flow_windows import FlowSplits
from experiments.data.load import load_data
from experiments.hydra_program import hydra_program
from experiments.manifest import chosen_parts, settings_of, write_manifest
from experiments.paths import REPOSITORY
from experiments.progress import progress_bar
from experiments.provenance import modules_named
from experiments.records import write_together
from experiments.settings import read_settings
from experiments.surrogate.measures import bounded_time, held
from experiments.surrogate.rollouts import cut, on_domain, persistence, predicted, stepping, wrapping
from experiments.surrogate.rows import DOMAIN, PERSISTENCE, WINDOW, Rows, by_flow, rows_of, tables_of
from experiments.surrogate.settings import Settings
from experiments.trained_cells import trained_cells
from experiments.trained_networks import about, trained_weights
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.run_folder import run_name

__all__ = ["main", "measure", "run"]


def measure(cell: Cell, data: FlowSplits, settings: Settings) -> Rows:
    """Roll a network out in windows, on the domain, and in windows for long."""
    config, weights, flows = composed(cell), trained_weights(cell), data.test.flows
    size = config.data.size
    windows = cut(flows, settings.starts, settings.steps, size, config.data.halo)
    task = stepping(config, data, weights, settings.steps).to(settings.device)
    place, rows = about(cell, config), Rows([], [], [])
    for context, found in (
        (WINDOW, predicted(task, windows.seen)),
        (DOMAIN, on_domain(wrapping(task), flows, settings.starts, size)),
    ):
        here, kept = {**place, "context": context}, held(found, settings.limit)
        for all_rows, some in zip(rows, rows_of(here, kept, windows.truth, settings, len(flows)), strict=True):
            all_rows.extend(some)
    long = stepping(config, data, weights, settings.long_steps).to(settings.device)
    each = len(windows.seen) // len(flows)
    bounded = bounded_time(predicted(long, windows.seen[::each]), settings.limit)
    here = {**place, "context": WINDOW}
    rows.flows.extend(by_flow(here, "bounded_time", "whole", settings.long_steps, bounded, len(flows)))
    return rows


def run(settings: Settings, console: Console) -> tuple[dict[str, pd.DataFrame], list[Cell]]:
    """Measure every network, and the control that predicts no change.

    Returns:
        The tables, by the names of `tables_of`, and the cells whose networks were measured.

    Raises:
        FileNotFoundError: a network has not been trained, or data is missing.
        ValueError: the settings do not fit.
    """
    cells = trained_cells(sweep_cells(settings.sweep), settings.missing, console)
    found = Rows([], [], [])
    loaded: dict[str, FlowSplits] = {}
    with progress_bar(len(cells), console) as advance:
        for cell in cells:
            config = composed(cell)
            key = OmegaConf.to_yaml(config.data)
            if key not in loaded:
                loaded[key] = _loaded(config)
            for rows, some in zip(found, measure(cell, loaded[key], settings), strict=True):
                rows.extend(some)
            advance(cell.name)
    config = composed(cells[0])
    flows = next(iter(loaded.values())).test.flows
    windows = cut(flows, settings.starts, settings.steps, config.data.size)
    place = {**about(cells[0], config), "model": "none", "method": PERSISTENCE, "seed": 0, "context": WINDOW}
    control = rows_of(place, persistence(windows), windows.truth, settings, len(flows))
    tables = {}
    for (name, columns), rows, more in zip(tables_of(settings.sweep.sweep).items(), found, control, strict=True):
        tables[name] = pd.DataFrame([*rows, *more], columns=columns)
    return tables, cells


def _loaded(config: DictConfig) -> FlowSplits:
    data = load_data(config.data)
    if not isinstance(data, FlowSplits):
        raise ValueError(f"sweep must be one of flows; its data is {config.data._target_}")
    return data


@hydra_program("surrogate")
def main(config: DictConfig) -> None:
    """Measure, and write the tables and what they were made from."""
    settings, console = read_settings(Settings, config), Console()
    tables = REPOSITORY / settings.output_dir / "tables"
    writable("output_dir", tables)
    found, cells = run(settings, console)
    paths = write_together({tables / f"{name}.csv": table for name, table in found.items()})
    configs = [composed(cell) for cell in cells]
    modules = ["experiments.surrogate.program", *modules_named(*configs)]
    runs = sorted(run_name(config).as_posix() for config in configs)
    more = {"program": "surrogate", "overrides": chosen_parts(), "runs": runs}
    write_manifest(f"{config.sweep}_rollouts", paths, modules, settings_of(config), **more)
    for path in paths:
        print(path)
