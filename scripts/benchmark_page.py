"""Tables and sentences of docs/speed.md: `python -m scripts.benchmark_page`.

They are made from results/tables/benchmark.csv.
"""

import numpy as np
import pandas as pd

from experiments.benchmark.cases import PAIRS
from experiments.manifest import FOLDER, read_manifest
from experiments.padding_configs import side_names
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.style import in_order
from scripts.figures.tables import TABLES, read_table
from scripts.pages import update
from scripts.prose import listed, span

__all__ = ["COSTS_END", "COSTS_START", "END", "START", "costs", "main", "markdown", "numbers", "parts"]

START, END = "<!-- benchmark table -->", "<!-- end -->"
COSTS_START, COSTS_END = "<!-- what it costs -->", "<!-- end of what it costs -->"
# What the columns are called; the paper's network on wall time is one case of its own.
GROUPS = {
    "cnn": "layers, training step",
    "variants": "other layers, training step",
    "networks": "ResNet-18, UNet, training step",
    "inference": "small inputs, inference",
}


def markdown(table: pd.DataFrame, stale: str | None = None) -> str:
    """Write ratios to zero padding by group of cases, and the milliseconds of filtering one image.

    Args:
        table: of the benchmark.
        stale: why the table is marked stale, if it is.
    """
    first, table = table.iloc[0], table[~table["group"].isin(("sides", "layers", "ndimage"))]
    ratios = table.pivot_table("ratio", "method", ["group", "case"], sort=False)
    methods = in_order(ratios.index)
    groups = [group for group in GROUPS if group in ratios]
    text = (
        f"Time relative to zero padding: geometric mean over the cases of the medians (largest). {first['device']}, "
        f"{first['threads']} threads, torch {first['torch']}, {first['rounds']} rounds.\n\n"
    )
    if stale:
        text += f"This table is marked stale: {stale}\n\n"
    text += "| method | " + " | ".join(GROUPS[group] for group in groups) + " |\n|---" + "|---" * len(groups) + "|\n"
    for method in methods:
        parts = [ratios.loc[method, group].dropna() for group in groups]
        if all(part.empty for part in parts) or method == "zeros":
            continue
        cells = ("" if p.empty else f"{np.exp(np.log(p).mean()):.2f} ({p.max():.2f})" for p in parts)
        text += f"| `{method}` | " + " | ".join(cells) + " |\n"
    filters = table[table["case"].str.startswith("filter, 2048")]
    if filters.empty:
        return text
    times = filters.pivot_table("seconds", "method", "case", sort=False) * 1e3
    text += "\nMilliseconds of filtering one image of 2048 x 2048 (`zeros` is torch's convolution):\n\n"
    text += (
        "| method | " + " | ".join(case.rsplit(", ", 1)[1] for case in times) + " |\n|---" + "|---" * times.shape[1]
    )
    text += "|\n"
    for method in in_order(times.index):
        text += f"| `{method}` | " + " | ".join(f"{value:.1f}" for value in times.loc[method]) + " |\n"
    return text


def costs(table: pd.DataFrame) -> str:
    """Write what Diff and ``adaptive`` cost in training, as sentences; one that lacks a method or a case is left out.

    They give ratios, which hold whichever method is the slower.
    """
    ratios = table.pivot_table("ratio", ["group", "case"], "method", sort=False)
    peaks = table.pivot_table("peak_bytes", ["group", "case"], "method", sort=False)
    sentences = []
    layers = _cases(ratios, "cnn")
    plain = [method for method in ("diff", "torch_replicate", "torch_reflect") if method in layers]
    if {"diff", "torch_replicate", "torch_reflect"} <= set(plain):
        means, most = np.exp(np.log(layers[plain]).mean()), layers[plain].max()
        words = {
            "diff": "Diff",
            "torch_replicate": "torch's own `replicate` layer",
            "torch_reflect": "its `reflect` layer",
        }
        each = [f"{words[method]} {means[method]:.2f} times ({most[method]:.2f})" for method in plain]
        sentences.append(
            f"A training step of a layer takes, as a multiple of zero padding's time: {listed(each)} (geometric mean "
            f"over {len(layers)} layers, in brackets the most)."
        )
    networks = _cases(ratios, "networks")
    if len(networks) and {"diff", "replicate", "reflect"} <= set(networks):
        each = [
            f"in the {str(case).split(',')[0]} {row['diff'] / row['replicate']:.2f} times as long as `replicate` and "
            f"{row['diff'] / row['reflect']:.2f} times as long as `reflect`"
            for case, row in networks.iterrows()
        ]
        sentences.append(f"In whole networks Diff takes, {'; '.join(each)}.")
    wide = layers[layers.index.str.endswith("kernel 7")]
    if len(wide) and {"diff", "replicate"} <= set(wide):
        ratio = (wide["diff"] / wide["replicate"]).iloc[0]
        sentences.append(
            f"With a 7 x 7 kernel, which takes three samples outside from seven inside, Diff takes {ratio:.2f} "
            "times as long as `replicate`."
        )
    if len(layers) and "adaptive" in layers:
        variants = _cases(ratios, "variants")
        others = {
            "depthwise": variants[variants.index.str.contains("groups")],
            # Batch, channels and one size.
            "in one dimension": variants[variants.index.str.match(r"\d+x\d+x\d+(,|$)")],
            "one small image in inference": _cases(ratios, "inference"),
        }
        each = [f"{name} {span(cases['adaptive'])} times" for name, cases in others.items() if "adaptive" in cases]
        sentences.append(f"`adaptive` takes {span(layers['adaptive'])} times zero padding's time in these layers")
        sentences[-1] += f"; where one does little arithmetic: {listed(each)}." if each else "."
    words = {"cnn": "in these layers", "networks": "in the networks", "inference": "with small inputs in inference"}
    kept = []
    for group, where in words.items():
        cases = _cases(ratios, group)
        if {"adaptive_running", "replicate"} <= set(cases):
            share = cases["adaptive_running"] / cases["replicate"]
            kept.append(f"{np.exp(np.log(share).mean()):.2f} times ({share.max():.2f}) {where}")
    if kept:
        sentences.append(
            f"Kept predictors (`adaptive_running`) take, as a multiple of `replicate`'s time: {listed(kept)} "
            "(geometric mean, in brackets the most; the fit to one batch in sixteen is counted)."
        )
    sides = _cases(ratios, "sides")
    shares = {
        name: sides[name] / sides[[mode for mode in sides if mode in names]].max(axis=1)
        for name, names in ((mode, side_names(PAIRS[mode])) for mode in sides if mode in PAIRS)
    }
    if shares:
        each = pd.DataFrame(shares)
        sentences.append(
            f"A mode for each side takes {np.exp(np.log(each).mean(axis=None)):.2f} times as long as the dearer of "
            f"its modes alone (geometric mean over {each.shape[1]} pairs and {each.shape[0]} layers, at most "
            f"{each.max(axis=None):.2f})."
        )
    others = _cases(ratios, "layers").drop(columns="zeros", errors="ignore")
    if len(others):
        kinds = others.groupby(others.index.str.partition("(").get_level_values(0), sort=False)
        each = [
            f"{name} {np.exp(np.log(part).mean(axis=None)):.2f} ({part.max(axis=None):.2f})" for name, part in kinds
        ]
        sentences.append(
            f"Other layers with a mode, training step, relative to torch's own: {listed(each)} (geometric mean over "
            f"{listed([f'`{mode}`' for mode in others])} and the cases, in brackets the most)."
        )
    sentences += _filters(table[table["group"] == "ndimage"])
    of_layers = _cases(peaks, "cnn")
    if len(of_layers) and {"zeros", "diff", "diff_memory"} <= set(of_layers):
        shares = of_layers.div(of_layers["zeros"], axis=0)
        each = [f"{row['diff_memory']:.2f} and {row['diff']:.2f} ({case})" for case, row in shares.iterrows()]
        sentences.append(
            "Peaks of memory in a training step relative to zero padding's, with `optimized_for='memory'` and with a "
            f"padded copy: {listed(each)}."
        )
    return "".join(f"- {sentence}\n" for sentence in sentences)


def _filters(table: pd.DataFrame) -> list[str]:
    """Write what filters of arrays cost, relative to SciPy and OpenCV, and what a mask adds."""
    times = table.pivot_table("seconds", "case", "method", sort=False)
    if not {"symmetric", "adaptive", "scipy", "opencv"} <= set(times):
        return []
    name, dtype = (times.index.str.rpartition(", ").get_level_values(level) for level in (0, 2))
    to_scipy = times[["symmetric", "adaptive"]].div(times["scipy"], axis=0)
    to_opencv = (times["symmetric"] / times["opencv"]).dropna()
    each = []
    for kind in dict.fromkeys(dtype):
        own = to_scipy[dtype == kind]
        each.append(f"{kind} {span(own['symmetric'])} (`adaptive` {span(own['adaptive'])})")
    names = listed([f"`{one}`" for one in dict.fromkeys(name)])
    found = [
        f"Filters of 2048 x 2048 arrays by SciPy's names ({names}) take, as a multiple of SciPy's time, in SciPy's "
        f"default mode: {listed(each)}; as a multiple of OpenCV's, which saturates and rounds integers, "
        f"{span(to_opencv)}."
    ]
    masked = times.filter(like="masked_").dropna()
    if len(masked):
        shares = masked.div(times.loc[masked.index, "symmetric"], axis=0)
        each = [f"{method.removeprefix('masked_')} {span(shares[method])}" for method in shares]
        found.append(
            "The 5 x 5 filter with a prepared mask, a fifth of the array outside, takes as a multiple of that "
            f"without one: {listed(each)}."
        )
    return found


def numbers(table: pd.DataFrame) -> dict[str, str]:
    """Write the numbers of this table that prose mentions, by name; those that it lacks are left out."""
    seconds = table.pivot_table("seconds", "case", "method", sort=False)
    layers = _cases(table.pivot_table("ratio", ["group", "case"], "method", sort=False), "cnn")
    result = {f"benchmark.layers.{name}": f"{mean:.2f}" for name, mean in np.exp(np.log(layers).mean()).items()}
    calls = seconds.filter(like="call,", axis=0)
    if len(calls) and {"diff", "torch_reflect"} <= set(calls):
        extra = (calls["diff"] - calls["torch_reflect"]).iloc[0] * 1e6
        result["benchmark.call.diff_over_torch_reflect"] = f"{extra:.0f}"
    filters = table[table["case"].str.startswith("filter, 2048")]
    plain = filters[(filters["method"] == "zeros") & filters["case"].str.endswith(", 3x3")]
    if len(plain):
        result["benchmark.filter.zeros.milliseconds"] = f"{plain['seconds'].iloc[0] * 1e3:.0f}"
        # The peak holds the result too, 2048 x 2048 of float32.
        result["benchmark.filter.zeros.results_held"] = f"{plain['peak_bytes'].iloc[0] / (4 * 2048**2) - 1:.0f}"
    times = filters.pivot_table("seconds", "case", "method", sort=False)
    if len(times) and {"zeros", "diff", "opencv", "scipy"} <= set(times):
        result["benchmark.filter.sizes"] = listed([str(case).rsplit(", ", 1)[1] for case in times.index])
        for name in ("opencv", "scipy"):
            values = times["diff"] / times[name]
            result[f"benchmark.filter.diff_over_{name}"] = listed([f"{value:.2f}" for value in values])
        result["benchmark.filter.zeros_over_diff"] = listed([f"{v:.0f}" for v in times["zeros"] / times["diff"]])
    return result


def _cases(table: pd.DataFrame, group: str) -> pd.DataFrame:
    """The cases of a group, with the methods that have been measured in all of them."""
    if group not in table.index.get_level_values("group"):
        return pd.DataFrame(index=pd.Index([], dtype=str))
    return table.loc[group].dropna(axis=1)


def parts() -> list[tuple[str, str, str]]:
    """The parts of the page, from the table that is kept: first mark, last mark, what stands between."""
    table = read_table(TABLES / "benchmark.csv", (), "make benchmark")
    stale = read_manifest(TABLES / FOLDER / "benchmark.json").get("stale")
    return [(START, END, markdown(table, stale)), (COSTS_START, COSTS_END, costs(table))]


@in_one_sentence("scripts.benchmark_page")
def main() -> None:
    """Write the page anew."""
    for start, end, text in parts():
        update(REPOSITORY / "docs" / "speed.md", start, end, text)


if __name__ == "__main__":
    main()
