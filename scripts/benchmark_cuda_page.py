"""docs/speed_cuda.md, made from results/tables/benchmark_cuda.csv: `python -m scripts.benchmark_cuda_page`.

Without that table the page says which numbers are missing.
"""

from pathlib import Path

import pandas as pd

from experiments.benchmark.cuda_cases import CUDA_CASES, CUDA_METHODS, FUSED
from experiments.benchmark.ways import WAYS
from experiments.manifest import FOLDER, read_manifest
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.tables import TABLES, read_table
from scripts.pages import update
from scripts.prose import listed

__all__ = ["AIMS", "END", "PAGE", "START", "content", "main", "markdown", "missing"]

PAGE = REPOSITORY / "docs" / "speed_cuda.md"
START, END = "<!-- benchmark on a GPU -->", "<!-- end of benchmark on a GPU -->"
#: Largest ratio of a training step of a network to that of zero padding that is aimed at, eager and compiled.
AIMS = {"diff": 1.05, "adaptive_running": 1.05, "adaptive": 1.3}
GROUPS = {
    "networks": "A step of training of a network",
    "layers": "A step of training of a layer",
    "inference": "Inference",
    "filtering": "Filtering",
}


def missing() -> str:
    """Say which numbers there are none of before a GPU has run the benchmark."""
    names, filters = {group: [] for group in GROUPS}, []
    for case in CUDA_CASES.values():
        names[case.group].append(case.name.split(",")[0])
        if case.group == "filtering":
            filters.append(
                f"{case.shape[0]} image{'s' * (case.shape[0] > 1)} of {' x '.join(map(str, case.shape[2:]))}"
            )
    dtypes = dict.fromkeys(str(case.dtype).removeprefix("torch.") for case in CUDA_CASES.values())
    networks, layers = listed(list(dict.fromkeys(names["networks"]))), len(names["layers"])
    each = [
        f"the time of a step of training of {networks} ({', '.join(WAYS)}; {listed(list(dtypes))}), relative to zero "
        "padding",
        f"that of {layers} layers",
        f"that of inference, and of filtering {listed(list(dict.fromkeys(filters)))}",
        "launches, as torch's profiler counts them",
        "peaks of memory",
        "whether outputs and gradients are the same bits from run to run",
    ]
    methods = listed([f"`{method}`" for method in CUDA_METHODS])
    items = ";\n- ".join(each)
    return f"No GPU has run this benchmark. For {methods} these numbers are missing:\n\n- {items}.\n"


def markdown(table: pd.DataFrame, stale: str | None = None) -> str:
    """Write what was measured, and what was not.

    Args:
        table: of the benchmark on a GPU.
        stale: why the table is marked stale, if it is.
    """
    first = table.iloc[0]
    text = (
        f"{first['device']}, torch {first['torch']}, {first['rounds']} rounds. Medians of the time relative to zero "
        "padding in the same round, with 95 % intervals of the median by the order of the rounds; all of them, where "
        "they are fewer than six.\n\n"
    )
    if stale:
        text += f"This table is marked stale: {stale}\n\n"
    measured = table[table["seconds"].notna()]
    for group, title in GROUPS.items():
        rows = measured[measured["group"] == group]
        if len(rows):
            zeros = (1e3 * rows[rows["method"] == "zeros"].set_index("case")["seconds"]).map("{:.3g}".format)
            cells = rows.assign(
                cell=[f"{r.ratio:.2f} [{r.ratio_low:.2f}, {r.ratio_high:.2f}]" for r in rows.itertuples()]
            )
            text += f"{title}:\n\n{_grid(cells[cells['method'] != 'zeros'], zeros.rename('`zeros`, ms'))}\n"
    if len(counted := measured[measured["launches"].notna()]):
        cells = counted.assign(cell=counted["launches"].map("{:.4g}".format))
        text += f"Launches (kernels, copies and fills, by torch's profiler; the mean over steps):\n\n{_grid(cells)}\n"
    peaks = measured[measured["group"] == "networks"].dropna(subset="peak_bytes")
    if len(peaks):
        of_zeros = peaks["case"].map(peaks[peaks["method"] == "zeros"].set_index("case")["peak_bytes"])
        cells = peaks.assign(cell=(peaks["peak_bytes"] / of_zeros).map("{:.2f}".format))
        text += f"Peak of memory relative to zero padding:\n\n{_grid(cells[cells['method'] != 'zeros'])}\n"
    return text + "".join(f"- {sentence}\n" for sentence in _sentences(table, measured))


def _grid(cells: pd.DataFrame, before: pd.Series | None = None) -> str:
    """Lay out the column `cell`, a row for each case and a column for each method, after another column."""
    grid = cells.pivot_table("cell", "case", "method", aggfunc="first", sort=False).fillna("")
    grid = grid[[method for method in CUDA_METHODS if method in grid] + sorted(set(grid) - set(CUDA_METHODS))]
    grid.columns = [f"`{method}`" for method in grid]
    if before is not None:
        grid.insert(0, before.name, before)
    lines = [["case", *grid], ["---"] * (grid.shape[1] + 1), *([case, *row] for case, *row in grid.itertuples())]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _sentences(table: pd.DataFrame, measured: pd.DataFrame) -> list[str]:
    """Say which aims are reached, whose bits differ from run to run, and what could not be measured."""
    found = []
    networks = measured[(measured["group"] == "networks") & ~measured["case"].str.endswith("graph")]
    for method, aim in AIMS.items():
        names = [method, *(name for name, mode in FUSED.items() if mode == method)]
        worst = networks[networks["method"].isin(names)].groupby("method")["ratio"].max()
        if len(worst):
            verb = "reached" if worst.min() <= aim else "missed"
            found.append(
                f"At most {aim:g} times zero padding in a network, eager and compiled, is {verb} by `{method}`: "
                f"{worst.min():.2f} at most (`{worst.idxmin()}`)."
            )
    bits = measured[measured["same_bits"].notna()]
    # Where those of zero padding differ, it is not the boundary that decides.
    of_zeros = set(bits.loc[(bits["method"] == "zeros") & (bits["same_bits"] == 0), "case"])
    told = bits[~bits["case"].isin(of_zeros)]
    if len(told):
        differ = told[told["same_bits"] == 0].groupby("method", sort=False)["case"].apply(list)
        each = [f"`{method}` ({'; '.join(cases)})" for method, cases in differ.items()]
        found.append(
            "Outputs and gradients are the same bits in two runs, where cuDNN is asked for that, "
            + (f"but for {listed(each)}." if each else "for every method in every case.")
        )
    if of_zeros:
        found.append(f"Not even those of zero padding are the same bits in {listed(sorted(of_zeros))}.")
    for (method, why), rows in table[table["failure"].notna()].groupby(["method", "failure"], sort=False):
        found.append(f"Missing: `{method}` ({why}), {'; '.join(rows['case'])}.")
    return found


def content(tables: Path = TABLES) -> str:
    """Return what stands on the page, from the table if there is one."""
    path = tables / "benchmark_cuda.csv"
    if not path.is_file():
        return missing()
    manifest = tables / FOLDER / "benchmark_cuda.json"
    stale = read_manifest(manifest).get("stale") if manifest.is_file() else None
    figure = "![Times relative to zero padding on a GPU](../results/figures/benchmark_cuda.png)\n\n"
    return figure + markdown(read_table(path, (), "make benchmark-cuda"), stale)


@in_one_sentence("scripts.benchmark_cuda_page")
def main() -> None:
    """Write the page."""
    update(PAGE, START, END, content())


if __name__ == "__main__":
    main()
