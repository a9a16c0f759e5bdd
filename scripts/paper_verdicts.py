"""The claims of the paper, what the tables say of each, and the verdict, which follows from them by a rule.

The rule of a claim stands in the docstring of its function. "The paper's modes" are those that it compares Diff with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments.manifest import FOLDER, read_manifest
from scripts.figures.tables import read_table
from scripts.filtering_page import ANALYTIC, geometric_means
from scripts.finding_sentences import p_value, place, rounded, verdict
from scripts.intervals import estimate
from scripts.paper_contrasts import OWN, RIVALS, TASKS, against
from scripts.prose import listed, significant, span
from scripts.studies_page import convergence

__all__ = ["HELD", "IN_PART", "NOT", "OPEN", "Claim", "claims_of_the_paper"]

HELD, IN_PART, OPEN, NOT = "held", "held in part", "not resolved", "did not hold"
# Those that need no training.
FIXED = RIVALS[:-1]
# Of the time that `replicate` takes, the most that still counts as light.
LIGHT = 1.15
# What the readme of the authors' code promises of `optimized_for="speed"`, in per cent.
FASTER, MORE_MEMORY = (20, 40), (50, 100)
NAMES = {"classification": "Classification", "segmentation": "Segmentation", "super_resolution": "Super-resolution"}


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and what became of it.

    Attributes:
        claim: in our words.
        place: where the paper or its code makes it.
        verdict: one of `HELD`, `IN_PART`, `OPEN`, `NOT`.
        measured: what we found, with numbers.
        tables: names of results/tables that the numbers are from.
    """

    claim: str
    place: str
    verdict: str
    measured: str
    tables: Sequence[str] = ()


def claims_of_the_paper(tables: Path) -> list[Claim]:
    """Every claim with its verdict.

    Args:
        tables: folder of the tables.

    Raises:
        FileNotFoundError: a table is missing.
    """

    def read(name: str) -> pd.DataFrame:
        return read_table(tables / f"{name}.csv", (), "make reproduce")

    filtering = read("filtering")
    return [
        _operator(read("convergence_slopes")),
        Claim(
            "The method involves neither interpolation nor extrapolation.",
            "abstract",
            NOT,
            "It is [extrapolation by the Lagrange polynomial](mathematics.md), followed by an ordinary convolution: "
            "an identity, exact but for rounding.",
        ),
        Claim(
            "There are no restrictions on the sizes of image and kernel.",
            "abstract",
            IN_PART,
            "The formula needs one complete window; the authors' code takes kernels of 3, 5 and 7, stride 1 and "
            "dilation 1. As extrapolation it takes all: any kernel, stride, dilation, 1 to 3 axes; the degree falls "
            "on an image with fewer samples than the kernel.",
        ),
        _time(read("walltime"), read_manifest(tables / FOLDER / "walltime.json").get("stale")),
        _speed_and_memory(read("benchmark")),
        _rough(filtering),
        _filtering(filtering, ANALYTIC, "Filtering of Chebyshev fields and spherical harmonics: the least error."),
        _filtering(filtering, ("navier_stokes",), "Filtering of Navier-Stokes fields: the least error."),
        _laplacian(read("laplacian")),
        *(_training(against(tables, task), task) for task in TASKS),
        _sizes(read("super_resolution_sizes")),
        _seams(read("seams")),
        _edge_kernel([against(tables, task) for task in TASKS]),
    ]


def _operator(slopes: pd.DataFrame) -> Claim:
    """Held if the fitted order of convergence is nowhere half an order from the theory's."""
    numbers = convergence(slopes)
    largest = numbers["convergence.largest_difference"]
    return Claim(
        "A kernel collapses to a differential operator; at the edge it is evaluated by the nearest complete window "
        "and a transformed kernel.",
        "abstract, theory",
        HELD if float(largest) < 0.5 else NOT,
        f"The order of convergence at the edge differs from the theory's by at most {largest}; outputs and gradients "
        "equal those of the authors' code in float64 (`tests/diff_conv2d/test_reference.py`).",
        ("convergence_slopes",),
    )


def _rough(errors: pd.DataFrame) -> Claim:
    """Held if Diff beats `replicate` on every analytic field and kernel size, and loses to it on terrain."""
    ratios = geometric_means(errors).eval("diff / replicate")
    smooth = ratios[ratios.index.isin(ANALYTIC, level="field")]
    terrain = ratios.xs("terrain", level="field")
    each = listed([f"{significant(value)} (k = {size})" for size, value in terrain.items()])
    return Claim(
        "The method favours data with smooth boundaries, as fields of physics are.",
        "abstract",
        HELD if (smooth < 1).all() and (terrain > 1).all() else IN_PART,
        f"Diff's error over that of `replicate`: {significant(smooth.min())} to {significant(smooth.max())} on the "
        f"analytic fields; the other side of it, on terrain: {each}.",
        ("filtering",),
    )


def _filtering(errors: pd.DataFrame, fields: Sequence[str], claim: str) -> Claim:
    """Held if Diff has the least error on every image, in part if so for one kernel size at least."""
    chosen = errors[errors["field"].isin(fields) & errors["method"].isin([*FIXED, "diff"])]
    table = chosen.pivot_table("l1_error", ["kernel_size", "field", "order"], "method")
    best = table.idxmin(axis=1)
    won = (best == "diff").groupby("kernel_size").agg(["sum", "count"])
    every = won["sum"] == won["count"]
    each = [f"{row['sum']} of {row['count']} (k = {size})" for size, row in won.iterrows()]
    others = listed([f"`{name}`" for name in sorted(set(best) - {"diff"})])
    return Claim(
        claim,
        "figure 2",
        _share(every.all(), every.any()),
        f"Least of the paper's eight untrained modes on {listed(each)} images; on the others: {others}.",
        ("filtering",),
    )


def _laplacian(errors: pd.DataFrame) -> Claim:
    """Held if Diff has the least error of the paper's modes for every kernel size."""
    table = errors.pivot_table("l1_error", "kernel_size", "method")[[*FIXED, "diff"]]
    least = table.idxmin(axis=1) == "diff"
    each = [
        f"{significant(row['diff'])}, {significant(row['extrapolate'])}, {significant(row['replicate'])} and "
        f"{significant(row['zeros'])} (k = {size})"
        for size, row in table.iterrows()
    ]
    return Claim(
        "The Laplacian of the Chebyshev field is right up to the corner: the least error.",
        "figure 2",
        _share(least.all(), least.any()),
        f"Error of Diff, `extrapolate`, `replicate` and `zeros`, per squared spacing: {listed(each)}.",
        ("laplacian",),
    )


def _training(rows: pd.DataFrame, task: str) -> Claim:
    """As the primary comparison says; held if Diff is resolved as better than each of the paper's modes, too."""
    primary = rows[rows["primary"]].iloc[0]
    same = (rows["metric"] == primary["metric"]) & (rows["region"] == primary["region"])
    beaten = rows[same & rows["other"].isin(RIVALS)].apply(lambda row: verdict(row) == "resolved, better", axis=1)
    open_to = [f"`{name}`" for name in rows.loc[beaten[~beaten].index, "other"]]
    found = verdict(primary)
    text = (
        f"Diff less `zeros` by {place(primary['metric'], primary['region'])} (primary): {_interval(primary)}, "
        f"{p_value(primary['p'])}, {primary['seeds']} seeds; {found.replace('open', 'not resolved', 1)}."
    )
    outcome = OPEN
    if found.startswith("resolved"):
        outcome = _share(beaten.all(), True) if found.endswith("better") else NOT
    if found == "resolved, better" and open_to:
        text += f" Not resolved as better than {listed(open_to)}."
    name = NAMES[task]
    return Claim(f"{name}: superior to the modes compared.", "abstract, results", outcome, text, (f"{task}_runs",))


def _sizes(errors: pd.DataFrame) -> Claim:
    """Held if Diff's ratio is below that of `zeros` at every size, by its interval, and the least; else in part."""
    ratios = errors[errors["region"] == "frame/interior"].pivot_table("value", ["size", "seed"], "method")
    means = ratios.groupby("size").mean()[[*RIVALS, "diff"]]
    cells, below, above = [], [], []
    for size, part in (ratios["diff"] - ratios["zeros"]).groupby("size"):
        found = estimate(part.to_numpy())
        below.append(found.high < 0)
        above.append(found.low > 0)
        cells.append(f"{rounded(found.mean)} [{rounded(found.low)}, {rounded(found.high)}] ({size} px)")
    least = means.idxmin(axis=1)
    seeds = ratios.index.unique("seed").size
    ends = [span(means[method]) for method in ("diff", "zeros")]
    rivals = listed([f"`{name}`" for name in sorted(set(least) - {"diff"})])
    return Claim(
        "Super-resolution: the error of the frame is nearer to that of the interior, at every size of patch.",
        "results by size of patch, implied",
        _share(all(below) and (least == "diff").all(), any(below)) if any(below) or all(above) else OPEN,
        f"Ratio of frame to interior {ends[0]} (Diff) and {ends[1]} (`zeros`); difference {listed(cells)} (over "
        f"{seeds} seeds alone, uncorrected); less than Diff's somewhere: {rivals}.",
        ("super_resolution_sizes",),
    )


def _seams(table: pd.DataFrame) -> Claim:
    """Held if Diff has the least seam of the paper's modes, in part if a smaller one than `zeros`."""
    rows = table[(table["measure"] == "to_whole") & (table["distance"] == 0)]
    seam = rows.pivot_table("value", "method", "seed").mean(axis=1)
    over = (seam / seam["zeros"])[[*RIVALS, "diff"]]
    seeds = rows["seed"].nunique()
    return Claim(
        "Maps of the error show least of the patches' edges.",
        "figure 3",
        _share(over.idxmin() == "diff", over["diff"] < 1),
        f"Seam in the outermost pixel of a tile, `zeros` being 1: Diff {over['diff']:.2f}; the least of the paper's "
        f"modes, `{over.idxmin()}`, {over.min():.2f} ({seeds} seed{'s' if seeds > 1 else ''}, no interval). In the "
        "paper's own view, the second derivative of the error, the modes look alike.",
        ("seams",),
    )


def _edge_kernel(tasks: Sequence[pd.DataFrame]) -> Claim:
    """Held if Diff-EBH is resolved as better than Diff in every task, in part in one; not if only as worse."""
    told, words = [], []
    for rows in tasks:
        primary = rows[rows["primary"]].iloc[0]
        same = (rows["metric"] == primary["metric"]) & (rows["region"] == primary["region"])
        row = rows[same & (rows["other"] == OWN)].iloc[0]
        # Diff better is Diff-EBH worse.
        told.append(verdict(row))
        words.append(f"{_interval(row)} ({place(row['metric'], row['region'])})")
    better = [each == "resolved, worse" for each in told]
    outcome = _share(all(better), any(better))
    if not any(better) and not any(each == "resolved, better" for each in told):
        outcome = OPEN
    return Claim(
        "Diff-EBH: Diff gains by a trained kernel for the edge.",
        "results, implied",
        outcome,
        f"Diff less Diff-EBH: {listed(words)}.",
        ("classification_runs", "segmentation_runs", "super_resolution_runs"),
    )


def _time(table: pd.DataFrame, stale: str | None) -> Claim:
    """Held if Diff takes at most `LIGHT` times as long as `replicate` in the paper's network."""
    rows = table[table["group"] == "walltime"].set_index("method")
    diff = rows.loc["diff"]
    words = [f"`{name}` {rows.loc[name, 'ratio']:.2f}" for name in ("reflect", "replicate", "circular", "explicit")]
    return Claim(
        "The formula is computationally lightweight.",
        "abstract, wall time",
        HELD if diff["ratio"] <= LIGHT * rows.loc["replicate", "ratio"] else NOT,
        f"A training step of the paper's UNet, a quarter as wide, {diff['device']}, `zeros` being 1: Diff "
        f"{diff['ratio']:.2f} (quartiles {diff['ratio_low']:.2f} to {diff['ratio_high']:.2f}), {listed(words)}."
        + (f" The table is marked stale: {stale}" if stale else ""),
        ("walltime",),
    )


def _speed_and_memory(table: pd.DataFrame) -> Claim:
    """Held if all layers gain and pay what the readme says, in part if some do in time or in memory."""
    layers = table[table["group"] == "cnn"]
    seconds = layers.pivot_table("seconds", "case", "method")
    peaks = layers.pivot_table("peak_bytes", "case", "method")
    saved = 100 * (1 - seconds["diff_speed"] / seconds["diff_memory"])
    more = 100 * (peaks["diff_speed"] / peaks["diff_memory"] - 1)
    inside = saved.between(*FASTER), more.between(*MORE_MEMORY)
    memory = span(more, "+.0f").replace("-", "−")
    return Claim(
        "`optimized_for='speed'` is faster by 20 to 40 % for 50 to 100 % more memory; `'memory'` needs about what "
        "padding does.",
        "readme of the code",
        _share(all(each.all() for each in inside), any(each.any() for each in inside)),
        f"Our layers on a CPU: less time by {span(saved, '.0f')} %, memory {memory} %; `'memory'` holds "
        f"{span(peaks['diff_memory'] / peaks['zeros'])} times what `zeros` does. The authors' code was not timed.",
        ("benchmark",),
    )


def _share(all_of: object, some_of: object) -> str:
    return HELD if all_of else IN_PART if some_of else NOT


def _interval(row: pd.Series) -> str:
    """A difference with its interval and unit."""
    unit = "%" if row["metric"] == "mse" else "points"
    return f"{rounded(row['estimate'])} {unit} [{rounded(row['low'])}, {rounded(row['high'])}]"
