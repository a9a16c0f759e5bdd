"""The numbers of docs/studies.md, made from its tables in results/tables."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from scripts.figures.regimes import SHARE
from scripts.figures.slopes import ratios
from scripts.prose import listed, significant, span

__all__ = ["convergence", "regimes", "resolved", "rollouts", "shells", "slopes"]


def resolved(best: pd.DataFrame) -> pd.DataFrame:
    """The cells in which the best method beats the next on at least seven of eight crops."""
    return best[best["wins"] >= SHARE * best["crops"]]


def convergence(slopes: pd.DataFrame) -> dict[str, str]:
    """Write the numbers on the order of convergence, by name."""
    edges = slopes[slopes["part"] == "edges"]
    kernel = edges[(edges["reference"] == "kernel") & edges["method"].str.startswith("degree_")]
    degree = kernel["method"].str.removeprefix("degree_").astype(int)
    expected = degree + 1 - kernel["operator"].map({"smoothing": 0, "gradient": 1, "laplacian": 2})
    of_operator = edges[(edges["reference"] == "operator") & (edges["operator"] == "laplacian")]
    slope = of_operator[of_operator["kernel_size"] == 3].set_index("method")["slope"]
    result = {
        "convergence.largest_difference": f"{(kernel['slope'] - expected).abs().max():.2f}",
        "convergence.degrees": f"{degree.min()} to {degree.max()}",
        "convergence.kernel_sizes": listed([str(size) for size in sorted(set(kernel["kernel_size"]))]),
    }
    for method in ("diff", "degree_1", "replicate"):
        result[f"convergence.laplacian.{method}"] = f"{slope[method].round(2) + 0.0:.2f}"
    return result


def shells(errors: pd.DataFrame) -> dict[str, str]:
    """Write the numbers on the error by distance to the edge, of 7 x 7 kernels, by name."""
    errors = errors[errors["kernel_size"] == 7].assign(log=lambda table: np.log(table["l1_error"]))
    means = np.exp(errors.pivot_table("log", ["field", "method", "part"], "shell"))
    result = {}
    for method in ("diff", "replicate"):
        for part in ("edges", "corners"):
            for shell in (0, 2):
                value = means.loc[("terrain", method, part), shell]
                name = f"shells.terrain.{method}.{part}.{shell}"
                result[name] = f"{value:.2f}" if value < 10 else significant(value, 3)
    for part in ("edges", "corners"):
        gain = means.loc[("chebyshev", "replicate", part), 0] / means.loc[("chebyshev", "diff", part), 0]
        result[f"shells.chebyshev.gain.{part}"] = f"{gain:.0f}"
    return result


def regimes(errors: pd.DataFrame, rounding: pd.DataFrame, best: pd.DataFrame) -> dict[str, str]:
    """Write the numbers of the regime map and of rounding in float32, by name."""
    winners = best.set_index(["field", "family", "kernel_size", "level"])["best"].sort_index()
    result = {}
    for size in (3, 7):
        of_size = winners["blurred_noise", "degree", size]
        result[f"regimes.degree_0.up_to.{size}"] = _up_to(of_size, "degree_0")
        result[f"regimes.degree_6.from.{size}"] = _from(of_size, "degree_6")
        result[f"regimes.fixed.diff.from.{size}"] = _from(winners["blurred_noise", "fixed mode", size], "diff")
    for level in (1e-4, 1e-2, 1e-1):
        degrees = winners.xs(level, level="level")["noise_added", "degree"].str.removeprefix("degree_")
        result[f"regimes.noise.{significant(level, 1)}"] = _either(sorted(set(degrees)))
    modes = best[best["family"] == "mode"]
    fitted = modes["best"].isin(["adaptive", "linear_prediction"])
    result["regimes.fitted_best"] = f"{fitted.sum()} of {len(modes)}"
    sure = resolved(modes)
    terrain = sure[(sure["field"] == "blurred_terrain") & (sure["best"] == "diff")]
    result["regimes.terrain.diff"] = _cells(terrain, " px")
    noise = sure[(sure["field"] == "blurred_noise") & (sure["level"] == 0) & (sure["best"] == "zeros")]
    result["regimes.white_noise.zeros.resolved"] = listed([f"{s} x {s}" for s in sorted(noise["kernel_size"])])
    both = errors.merge(rounding)
    both = both[both["field"] == "blurred_noise"]
    over = both[both["rounding"] > both["l1_error"]].groupby(["method", "kernel_size"])["level"].min()
    for degree in (4, 5, 6):
        levels = over.get(f"degree_{degree}", pd.Series(dtype=float))
        result[f"regimes.rounding.from.{degree}"] = _either(f"{level:g}" for level in sorted(set(levels)))
    at_four = both[(both["level"] == 4) & (both["kernel_size"] == 7)].set_index("method")["rounding"]
    result["regimes.rounding.degree_6"] = significant(at_four["degree_6"])
    result["regimes.rounding.ratio"] = f"{at_four['degree_6'] / at_four['degree_0']:.0f}"
    return result


def rollouts(errors: pd.DataFrame, stability: pd.DataFrame) -> dict[str, str]:
    """Write the errors and the steps of blow-up of long rollouts, by name."""
    heat = errors[(errors["problem"] == "heat") & (errors["region"] == "image")]
    result = {}
    for _, row in heat[heat["step"].isin([100, 1000, 10_000])].iterrows():
        result[f"rollouts.heat.{row['method']}.{row['step']}"] = significant(row["error"])
    for _, row in stability[stability["quantity"] == "blow_up_step"].iterrows():
        result[f"rollouts.{row['problem']}.{row['method']}.blow_up"] = f"{row['value']:.0f}"
    return result


def _either(parts: Iterable[str]) -> str:
    """One of some values, where the page has room for one."""
    return " or ".join(parts) or "none"


def _up_to(winners: pd.Series, method: str) -> str:
    """The highest level up to which a method is always the best."""
    levels = [level for level in winners.index if (winners.loc[:level] == method).all()]
    return f"{max(levels):g}" if levels else "none"


def _from(winners: pd.Series, method: str) -> str:
    """The lowest level from which on a method is always the best."""
    levels = [level for level in winners.index if (winners.loc[level:] == method).all()]
    return f"{min(levels):g}" if levels else "none"


def _cells(best: pd.DataFrame, unit: str) -> str:
    """Levels and kernel sizes of some cells: "3.5 and 4 px with 7 x 7 kernels"."""
    parts = []
    for size, cells in best.groupby("kernel_size"):
        parts.append(f"{listed([f'{level:g}' for level in cells['level']])}{unit} with {size} x {size} kernels")
    return listed(parts)


def slopes(errors: pd.DataFrame) -> dict[str, str]:
    """Write the numbers on slopes at the rim, as multiples of GDAL's error, by name."""
    found = ratios(errors)
    elsewhere = found.drop(index="fault", level="terrain")
    result = {"slopes.terrains": str(len(found.index.unique("terrain")))}
    for method in found:
        result[f"slopes.{method}.elsewhere"] = span(elsewhere[method], ".2f")
        result[f"slopes.{method}.fault"] = span(found.loc["fault", method], ".2f")
    return result
