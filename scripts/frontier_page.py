"""The numbers of docs/frontier.md and the frontier's sentences in the README: `python -m scripts.frontier_page`.

They are made of results/tables/frontier.csv, frontier_blocks.npz and frontier_cost.csv alone.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from experiments.training.finished_runs import HALO
from scripts.figures.frontier import COLUMNS, COMMAND, NORMS, TASKS
from scripts.figures.tables import TABLES, read_arrays, read_tables
from scripts.frontier_points import ERRORS, LEAST_SEAM, cheapest, points
from scripts.frontier_primary import primary_comparison
from scripts.pages import update
from scripts.prose import filled, listed, significant
from scripts.saved_halo import saved_table
from scripts.sweeps import REFERENCE

__all__ = ["MARKS", "PAGE", "choices", "interval", "main", "parts", "pixels", "saved", "sentences", "small_halos"]

PAGE = REPOSITORY / "docs" / "frontier.md"
MARKS = {
    part: (f"<!-- frontier {part} -->", f"<!-- end of frontier {part} -->")
    for part in ("sentences", "choices", "saved", "small halos")
}
# Times of zeros without a halo that somebody may have.
BUDGETS = (1.25, 1.5, 2.0, 4.0, np.inf)


def parts(tables: Path) -> dict[str, str]:
    """All that the command writes, by the name of its marks.

    Args:
        tables: folder of the tables.
    """
    table, cost = read_tables(tables, COLUMNS, COMMAND)
    arrays = read_arrays(tables / "frontier_blocks.npz", COMMAND)
    found = saved_table(table, arrays)
    of_points = points(table, cost)
    told = [primary_comparison(table, arrays), *sentences(found, of_points)]
    return {
        "sentences": "\n".join(filled(f"- {sentence}", subsequent_indent="  ") for sentence in told),
        "choices": choices(of_points),
        "saved": saved(found),
        "small halos": filled(small_halos(table)),
    }


def sentences(found: pd.DataFrame, of_points: pd.DataFrame) -> list[str]:
    """What the frontier shows of the networks with BatchNorm: the README's points."""
    lines = []
    with_norm = found[found["model"] == next(iter(NORMS))]
    for data, of_data in with_norm.groupby("data", sort=False):
        task = TASKS[data][0]
        error = next(metric for metric in ERRORS if metric in set(of_data["metric"]))
        of_data = of_data[of_data["method"] != HALO]
        whole = of_data[(of_data["metric"] == error) & (of_data["region"] == "whole")]
        seam = of_data[of_data["metric"] == "seam"]
        count = f"{_counted(whole['seeds'], 'seed')}, {_counted(whole['blocks'], 'block')} of the test set"
        lines.append(" ".join([f"{task} ({count}).", *_compared(seam, "seam"), *_compared(whole, "error")]))
    times = of_points[(of_points["model"] == next(iter(NORMS))) & (of_points["halo"] == 0)]
    first = times[(times["data"] == times["data"].iloc[0]) & ~times["method"].isin([REFERENCE, HALO])]
    ratios = [
        f"{significant(row['time'])} (`{row['method']}`)" for row in first.sort_values("time").to_dict("records")
    ]
    lines.append(f"Times without a halo, that of zero padding being 1, on a CPU: {listed(ratios)}.")
    return lines


def choices(of_points: pd.DataFrame) -> str:
    """For the time that there is: the mode and the halo of the least error, and of the least seam."""
    heads = [f"up to {budget:g}" if np.isfinite(budget) else "any" for budget in BUDGETS]
    lines = ["| task, network | least | " + " | ".join(heads) + " |", "|---" * (len(BUDGETS) + 2) + "|"]
    for (data, model), of_model in of_points.groupby(["data", "model"], sort=False):
        for value in ("error", "seam"):
            cells = []
            for budget in BUDGETS:
                row = cheapest(of_model[of_model["time"] <= budget], value)
                told = significant(row[value]) if row[value] >= LEAST_SEAM or value == "error" else "below 0.001"
                cells.append(f"`{row['method']}`, {row['halo']:g} px: {told}")
            lines.append(f"| {TASKS[data][0]}, {NORMS[model]} | {value} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def saved(found: pd.DataFrame) -> str:
    """The halo that each mode saves, and what is left at the widest: a row for each network and mode."""
    heads = ["task, network", "mode", "seeds, blocks", "error, px", "frame, px", "seam, px"]
    heads += ["error of zeros: no halo", "widest halo", "both the widest", "p"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for (data, model, method), rows in found.groupby(["data", "model", "method"], sort=False):
        error = next(metric for metric in ERRORS if metric in set(rows["metric"]))
        by = rows.set_index(["metric", "region"])
        whole, frame, seam = (by.loc[key] for key in ((error, "whole"), (error, "frame"), ("seam", "whole")))
        cells = [f"{TASKS[data][0]}, {NORMS[model]}", f"`{method}`", f"{whole['seeds']}, {whole['blocks']}"]
        cells += [
            f"{pixels(row['halo'])} {interval(row['low'], row['high'])}".strip() for row in (whole, frame, seam)
        ]
        cells += [_percent(*whole[[name, f"{name}_low", f"{name}_high"]]) for name in ("without", "widest", "both")]
        cells.append(_p(whole["corrected"]).removeprefix(", p = ") or "?")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def small_halos(table: pd.DataFrame) -> str:
    """What halos do that shift the grid of the pooling: the error inside the tiles, where no boundary is."""
    tiled = table[
        (table["tile"] == table["tile"].min()) & (table["region"] == "interior") & (table["method"] != HALO)
    ]
    lines = []
    for (data, model), rows in tiled[tiled["metric"].isin(ERRORS[:1])].groupby(["data", "model"], sort=False):
        means = rows.groupby("halo")["value"].mean()
        told = [
            f"{100 * (means[halo] / means[0] - 1):+.1f} % at {halo} px".replace("-", "−") for halo in means.index[1:5]
        ]
        lines.append(f"{TASKS[data][0]}, {NORMS[model]}: {listed(told)}.")
    return "Mean over the modes of the error in the interior of the tiles, less that without a halo. " + " ".join(
        lines
    )


def pixels(halo: float) -> str:
    """A halo with a tenth of a pixel.

    Example:
        >>> pixels(4.61), pixels(-2.0), pixels(np.inf)
        ('4.6', '−2.0', '∞')
    """
    return (f"{halo:.1f}" if np.isfinite(halo) else "−∞" if halo < 0 else "∞").replace("-", "−")


def interval(low: float, high: float) -> str:
    """Its interval, nothing for one seed; an end that is infinite is not part of it.

    Example:
        >>> interval(4.1, np.inf), interval(np.nan, np.nan)
        ('[4.1, ∞)', '')
    """
    if np.isnan(low):
        return ""
    return f"{'[' if np.isfinite(low) else '('}{pixels(low)}, {pixels(high)}{']' if np.isfinite(high) else ')'}"


def _compared(rows: pd.DataFrame, what: str) -> list[str]:
    """Sentences on the halo that modes save: on those that save one, that no halo reaches, that need one."""
    rows = rows.sort_values("halo")
    # Any halo is possible.
    open_ends = np.isneginf(rows["low"]) & np.isposinf(rows["high"])
    unknown, rows = rows[open_ends], rows[~open_ends]
    kinds = (np.isfinite(rows["halo"]) & (rows["halo"] >= 0), np.isposinf(rows["halo"]))
    saves, never, needs = rows[kinds[0]], rows[kinds[1]], rows[~kinds[0] & ~kinds[1]]
    lines = []
    if len(saves):
        lines.append(
            f"The halo with which zero padding reaches the {what} that a mode has without one: {_pixels(saves)}."
        )
    if len(never):
        lines.append(f"However wide its halo, it does not reach the {what} of {_names(never['method'])}.")
    if len(needs):
        lines.append(f"Worse than zero padding, by as many pixels, is the {what} of {_pixels(needs)}.")
    if len(unknown):
        lines.append(f"Not resolved, whatever the halo: the {what} of {_names(unknown['method'])}.")
    return lines


def _pixels(rows: pd.DataFrame) -> str:
    told = []
    for row in rows.to_dict("records"):
        ends = interval(row["low"], row["high"])
        told.append(f"{pixels(row['halo'])} px {ends + ' ' if ends else ''}(`{row['method']}`)")
    return listed(told)


def _names(methods: pd.Series) -> str:
    return listed([f"`{method}`" for method in methods])


def _counted(counts: pd.Series, noun: str) -> str:
    least, most = counts.min(), counts.max()
    return f"{least if least == most else f'{least} to {most}'} {noun}{'' if most == 1 else 's'}"


def _percent(centre: float, low: float, high: float) -> str:
    told = (
        f"{100 * centre:+.1f} %" if np.isnan(low) else f"{100 * centre:+.1f} % [{100 * low:+.1f}, {100 * high:+.1f}]"
    )
    return told.replace("-", "−")


def _p(value: float) -> str:
    return "" if np.isnan(value) else ", p < 0.0001" if value < 1e-4 else f", p = {value:.2g}"


def written(texts: Mapping[str, str], pages: Mapping[Path, Any]) -> None:
    """Put texts between their marks.

    Args:
        texts: by the name of the marks.
        pages: for each page the names of its texts.
    """
    for page, names in pages.items():
        for name in names:
            update(page, *MARKS[name], texts[name])


@in_one_sentence("scripts.frontier_page")
def main() -> None:
    """Write the page and the README anew."""
    try:
        written(parts(TABLES), {PAGE: list(MARKS), REPOSITORY / "README.md": ["sentences"]})
    except ValueError as error:
        sys.exit(f"frontier_page: {error}")


if __name__ == "__main__":
    main()
