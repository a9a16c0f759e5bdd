"""The halo that a boundary mode saves: what zero padding needs to do as well as the mode does without one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scripts.figures.style import in_order
from scripts.intervals import Estimate, estimate, holm
from scripts.sweeps import METRICS, REFERENCE

__all__ = ["MEASURES", "Curve", "Saved", "by_seed", "saved_halo", "saved_table"]

# What modes are compared by, for each task: metric and region.
MEASURES = (("mse", "whole"), ("mean_iou", "whole"), ("mse", "frame"), ("mean_iou", "frame"), ("seam", "whole"))
PLACE = ["data", "model", "method", "metric", "region"]
# Halos are told to a tenth of a pixel where their differences matter, and to a half beyond.
FINE, COARSE, FINE_UP_TO = 0.1, 0.5, 8.0
# Below it a seam is rounding.
LEAST = 1e-12


@dataclass(frozen=True)
class Curve:
    """An error, for which less is better, by halo, for each seed.

    Attributes:
        halos: pixels, rising from 0, (H,).
        values: (S, H), positive.
        without_block: the same without each block of the test set, (S, H, B); None where no blocks are known.
    """

    halos: np.ndarray
    values: np.ndarray
    without_block: np.ndarray | None = None

    def at(self, halo: float) -> tuple[np.ndarray, np.ndarray | None]:
        """The error at a halo up to the widest, (S,) and (S, B): its logarithm is linear between those measured."""
        low = min(int(np.searchsorted(self.halos, halo, side="right")) - 1, len(self.halos) - 2)
        share = (halo - self.halos[low]) / (self.halos[low + 1] - self.halos[low])

        def between(values: np.ndarray) -> np.ndarray:
            logarithms = np.log(np.maximum(values[:, [low, low + 1]], LEAST))
            result: np.ndarray = np.exp((1 - share) * logarithms[:, 0] + share * logarithms[:, 1])
            return result

        return between(self.values), None if self.without_block is None else between(self.without_block)


@dataclass(frozen=True)
class Saved:
    """The halo that zero padding needs, in pixels, with its 95 % interval.

    Negative: the mode needs a halo to do as well as zero padding does without. Infinite: no halo is enough.

    Attributes:
        halo: where the means over the seeds are equal.
        low: end of the interval; NaN for one seed.
        high: the other.
        never: number of seeds for which no halo is enough.
        without: the error of zero padding less that of the mode, in shares of the latter; neither has a halo.
        widest: the same, but zero padding has the widest halo.
        both: the same, but both have the widest halo: what the networks have learnt.
    """

    halo: float
    low: float
    high: float
    never: int
    without: Estimate
    widest: Estimate
    both: Estimate


def saved_halo(zeros: Curve, mode: Curve) -> Saved:
    r"""Tell the halo that zero padding needs to reach a mode without a halo.

    With :math:`z(h)` and :math:`m(h)` the errors at a halo of h pixels, it is the root h of

    .. math:: F(h) = z(h) - m(0) \quad (h \ge 0), \qquad F(h) = z(0) - m(-h) \quad (h < 0),

    which falls as h grows. The interval holds every h for which the mean over seeds of :math:`F(h)` cannot be told
    from 0 (`scripts.intervals.estimate`, at 95 %), from the first to the last of them: the test is inverted, as
    Fieller (1954) did for ratios. So it counts the seeds, paired, and the blocks of the test set, and it may be
    unbounded.

    References:
        E. C. Fieller (1954), Some Problems in Interval Estimation.

    Args:
        zeros: of zero padding.
        mode: of the mode, with the same seeds, halos and blocks.

    Example:
        >>> halos = np.array([0, 4, 8])
        >>> zeros = Curve(halos, np.array([[8.0, 4.0, 2.0], [8.2, 4.1, 2.0]]))
        >>> mode = Curve(halos, np.array([[4.0, 2.0, 1.0], [4.1, 2.0, 1.0]]))
        >>> saved_halo(zeros, mode).halo
        4.0
    """
    reach = float(zeros.halos[-1])
    grid = _grid(reach)
    found = [_difference(zeros, mode, halo) for halo in grid]
    every = np.stack([values for values, _ in found])
    estimates = [estimate(*of_halo) for of_halo in found]
    low, high = (np.array([getattr(one, end) for one in estimates]) for end in ("low", "high"))
    one_seed, halo = every.shape[1] == 1, _first(grid, every.mean(1) <= 0)
    own, own_without = mode.at(reach)
    other, other_without = zeros.at(reach)
    both = estimate(
        other - own, None if own_without is None or other_without is None else other_without - own_without
    )
    return Saved(
        halo,
        # An interval within a step of the grid has no point of it.
        np.nan if one_seed else min(_first(grid, low <= 0), halo),
        np.nan if one_seed else max(-_first(-grid[::-1], high[::-1] >= 0), halo),
        int((every[-1] > 0).sum()),
        _relative(estimates[int(np.flatnonzero(grid == 0)[0])], mode.at(0)[0]),
        _relative(estimates[-1], mode.at(0)[0]),
        _relative(both, own),
    )


def _relative(one: Estimate, to: np.ndarray) -> Estimate:
    scale = float(to.mean())
    return Estimate(one.mean / scale, one.low / scale, one.high / scale, one.p)


def _grid(reach: float) -> np.ndarray:
    """Halos from minus to plus the widest, rising."""
    fine = min(FINE_UP_TO, reach)
    ahead = np.concatenate([np.arange(0, fine, FINE), np.arange(fine, reach + COARSE / 2, COARSE)])
    return np.concatenate([-ahead[:0:-1], ahead]).round(6)


def _difference(zeros: Curve, mode: Curve, halo: float) -> tuple[np.ndarray, np.ndarray | None]:
    """The function F of `saved_halo` for each seed, and without each block."""
    (better, better_without), (worse, worse_without) = (zeros.at(max(halo, 0)), mode.at(max(-halo, 0)))
    without = None if better_without is None or worse_without is None else better_without - worse_without
    return better - worse, without


def _first(grid: np.ndarray, holds: np.ndarray) -> float:
    """The least halo at which something holds; minus infinity if it is the grid's first, infinity if none is."""
    if not holds.any():
        return np.inf
    index = int(holds.argmax())
    return -np.inf if index == 0 else float(grid[index])


def saved_table(table: pd.DataFrame, arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The halo that each mode saves, by data, model and measure.

    Args:
        table: as `experiments.frontier` writes it, zeros among the methods.
        arrays: the values without each block of the test set, as it writes them.

    Returns:
        A row for each: `seeds`, those that the mode and zeros have; `blocks`; `halo`, `low`, `high` and `never` as
        `Saved` has them; `without`, `widest` and `both` with their intervals `_low` to `_high`; and the p-value `p`
        of `widest`, none for a seam, of which nothing is left there, and `corrected`, Holm's correction over all.
    """
    halos = np.sort(table.loc[table["tile"] == table["tile"].min(), "halo"].unique())
    rows = []
    for (data, model), of_model in table.groupby(["data", "model"], sort=False):
        measured = set(zip(of_model["metric"], of_model["region"], strict=True))
        for measure in [measure for measure in MEASURES if measure in measured]:
            zeros = by_seed(table, arrays, (data, model, REFERENCE), measure)
            for method in in_order(set(of_model["method"]) - {REFERENCE}):
                mode = by_seed(table, arrays, (data, model, method), measure)
                seeds = sorted(zeros.keys() & mode.keys())
                place = dict(zip(PLACE, (data, model, method, *measure), strict=True))
                if seeds:
                    pair = (_curve(halos, [of[seed] for seed in seeds]) for of in (zeros, mode))
                    rows.append({**place, "seeds": len(seeds), **_row(*pair)})
    found = pd.DataFrame(rows)
    found.loc[found["metric"] == "seam", "p"] = np.nan
    found["corrected"] = holm(found["p"].to_numpy(float))
    return found


def by_seed(
    table: pd.DataFrame, arrays: Mapping[str, np.ndarray], place: tuple[str, str, str], measure: tuple[str, str]
) -> dict[int, tuple[np.ndarray, np.ndarray | None]]:
    """An error by halo, (H,), and without each block of the test set, (H, B), of each seed of a method.

    Args:
        table: as `experiments.frontier` writes it.
        arrays: the values without each block.
        place: data, model, method.
        measure: metric and region. A metric of which more is better is taken from 1.
    """
    higher = measure[0] in METRICS and METRICS[measure[0]].higher_is_better
    keys = dict(zip(PLACE, (*place, *measure), strict=True)) | {"tile": table["tile"].min()}
    chosen = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)]
    without = arrays.get("/".join((*place[:2], *measure)))
    found: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}
    for seed, of_seed in chosen.groupby("seed"):
        errors, left_out = of_seed.sort_values("halo")["value"].to_numpy(float), None
        if without is not None:
            index = tuple(int(np.flatnonzero(arrays[n] == v)[0]) for n, v in (("method", place[2]), ("seed", seed)))
            left_out = without[index][np.argsort(arrays["halo"])].astype(float)
            left_out = 1 - left_out if higher else left_out
        found[int(str(seed))] = (1 - errors if higher else errors), left_out
    return found


def _curve(halos: np.ndarray, of_seeds: list[tuple[np.ndarray, np.ndarray | None]]) -> Curve:
    blocks = [without for _, without in of_seeds if without is not None]
    together = np.stack(blocks) if len(blocks) == len(of_seeds) else None
    return Curve(halos, np.stack([values for values, _ in of_seeds]), together)


def _row(zeros: Curve, mode: Curve) -> dict[str, object]:
    saved = saved_halo(zeros, mode)
    row: dict[str, object] = {"blocks": 0 if zeros.without_block is None else zeros.without_block.shape[2]}
    row |= {"halo": saved.halo, "low": saved.low, "high": saved.high, "never": saved.never}
    for name in ("without", "widest", "both"):
        one: Estimate = getattr(saved, name)
        row |= {name: one.mean, f"{name}_low": one.low, f"{name}_high": one.high}
    return row | {"p": saved.widest.p}
