"""Predicted frames into rows of the tables of the surrogate."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor

from experiments.surrogate.measures import line_spectrum, region_errors, relative_errors, stable_time
from experiments.surrogate.settings import Settings

__all__ = ["DOMAIN", "PERSISTENCE", "TABLES", "WINDOW", "Rows", "by_flow", "rows_of", "tables_of"]

# What a network is given: a window, whose surroundings are unknown; or the whole periodic domain, the control.
WINDOW, DOMAIN = "window", "domain"
# The control that predicts no change, which is no network.
PERSISTENCE = "persistence"
ABOUT = ["data", "model", "method", "seed", "context"]
# The tables of the sweep `surrogate`, and their columns.
#   surrogate_rollouts  mean squared error by region and step, in variances of the training flows
#   surrogate_flows     the same for each held-out flow, an independent part of the test set; and `stable_time` and
#                       `bounded_time`, in steps, of which `step` is the largest number possible
#   surrogate_spectra   power of predicted lines over that of the true ones, by waves per line
TABLES = {
    "surrogate_rollouts": [*ABOUT, "region", "step", "value"],
    "surrogate_flows": [*ABOUT, "flow", "metric", "region", "step", "value"],
    "surrogate_spectra": [*ABOUT, "distance", "step", "wave", "value"],
}
# Regions whose errors are told at every step; shells, and errors by flow, are told at some.
ALWAYS, BY_FLOW = ("whole", "frame", "interior"), ("frame", "interior")


def tables_of(sweep: str) -> dict[str, list[str]]:
    """The tables of another sweep of such networks, and their columns.

    Example:
        >>> list(tables_of("surrogate_unrolled"))
        ['surrogate_unrolled_rollouts', 'surrogate_unrolled_flows', 'surrogate_unrolled_spectra']
    """
    return {sweep + name.removeprefix("surrogate"): columns for name, columns in TABLES.items()}


class Rows(NamedTuple):
    """Rows of the tables of the same order."""

    rollouts: list[dict[str, Any]]
    flows: list[dict[str, Any]]
    spectra: list[dict[str, Any]]


def rows_of(place: dict[str, Any], found: Tensor, truth: Tensor, settings: Settings, flows: int) -> Rows:
    """What the tables tell of some predicted frames.

    Args:
        place: of the network, and what it was given.
        found: predicted frames, flow after flow, (N, T, S, S).
        truth: of the same shape.
        settings: of the study.
        flows: how many there are.
    """
    rows, told = Rows([], [], []), settings.told_steps
    for region, errors in region_errors(found, truth).items():
        means = errors.mean(0).tolist()
        steps = range(1, len(means) + 1) if region in ALWAYS else told
        rows.rollouts.extend({**place, "region": region, "step": step, "value": means[step - 1]} for step in steps)
        if region in BY_FLOW:
            for step in told:
                rows.flows.extend(by_flow(place, "mse", region, step, errors[:, step - 1], flows))
    stable = stable_time(relative_errors(found, truth), settings.threshold)
    rows.flows.extend(by_flow(place, "stable_time", "whole", truth.shape[1], stable, flows))
    for distance in settings.distances:
        ratios = line_spectrum(found, distance) / line_spectrum(truth, distance)
        rows.spectra.extend(
            {**place, "distance": distance, "step": step, "wave": wave, "value": value}
            for step in told
            for wave, value in enumerate(ratios[step - 1].tolist(), 1)
        )
    return rows


def by_flow(
    place: dict[str, Any], metric: str, region: str, step: int, values: Tensor, flows: int
) -> Iterator[dict[str, Any]]:
    """The mean of each flow's windows."""
    for flow, value in enumerate(values.double().view(flows, -1).mean(1).tolist()):
        yield {**place, "flow": flow, "metric": metric, "region": region, "step": step, "value": value}
