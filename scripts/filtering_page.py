"""The README's table of filtering, made from results/tables/filtering.csv: `python -m scripts.filtering_page`."""

import numpy as np
import pandas as pd

from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.style import in_order
from scripts.figures.tables import TABLES, read_table
from scripts.pages import update
from scripts.prose import listed, significant, span

__all__ = ["END", "START", "geometric_means", "main", "markdown", "numbers"]

START, END = "<!-- filtering table -->", "<!-- end of filtering table -->"

FIELDS = {
    "chebyshev": "Chebyshev fields",
    "spherical_harmonics": "spherical harmonics",
    "navier_stokes": "Navier-Stokes vorticity",
    "terrain": "terrain (GLOBE), unit standard deviation",
}
# A sentence below the table tells whether a method that is left out has the least error of a row.
SHOWN = ("zeros", "reflect", "replicate", "extrapolate", "diff", "linear_prediction", "adaptive")

ANALYTIC = ("chebyshev", "spherical_harmonics")
# Modes whose weights depend on the image.
FITTED = ("adaptive", "linear_prediction")


def geometric_means(errors: pd.DataFrame) -> pd.DataFrame:
    """Average the errors over the images of a field: a row for each field and kernel size, a column a method."""
    logs = errors.assign(log=np.log(errors["l1_error"]))
    return np.exp(logs.pivot_table("log", ["field", "kernel_size"], "method", sort=False))


def markdown(errors: pd.DataFrame) -> str:
    """Write the table, in bold the least error of a row and what equals it in two digits."""
    means = geometric_means(errors)
    methods = [method for method in SHOWN if method in means]
    hidden = [method for method in in_order(means.columns) if method not in methods]
    images = errors.groupby("field")["order"].nunique()
    text = (
        f"Error at the edge of random k x k kernels, mean over {span(errors['num_kernels'], 'd')} kernels and "
        f"{span(images, 'd')} images of each field\n"
        "(`results/tables/filtering.csv`; geometric mean over the images). "
        "Bold: the least of the row, and what equals it in two digits.\n\n"
    )
    text += "| field | k | " + " | ".join(f"`{method}`" for method in methods) + " |\n"
    text += "|---" * (len(methods) + 2) + "|\n"
    for field, title in FIELDS.items():
        for size in sorted(set(means.index.get_level_values("kernel_size"))):
            if (field, size) in means.index:
                row = means.loc[(field, size), methods]
                least = significant(row.min())
                cells = (f"**{cell}**" if cell == least else cell for cell in map(significant, row))
                text += f"| {title} | {size} | " + " | ".join(cells) + " |\n"
    if hidden:
        names = listed([f"`{method}`" for method in hidden])
        better = (means[hidden].min(axis=1) < means[methods].min(axis=1)).sum()
        told = f"below the least of the row in {better} rows" if better else "nowhere below the least of a row"
        text += f"\nNot shown, and {told}: {names}.\n"
    return text


def numbers(errors: pd.DataFrame) -> dict[str, str]:
    """Write the numbers of this table that prose mentions, by name."""
    means = geometric_means(errors)
    terrain = means.index.get_level_values("field") == "terrain"
    result = {}
    for name, part in (("smooth", means[~terrain]), ("terrain", means[terrain])):
        if len(part) and {"replicate", "reflect"} <= set(part):
            result[f"filtering.replicate_over_reflect.{name}"] = span(part["replicate"] / part["reflect"])
    if not {"diff", "extrapolate", "replicate"} <= set(means):
        return result
    analytic = means[means.index.isin(ANALYTIC, level="field")]
    for method in ("replicate", "extrapolate"):
        if len(analytic):
            ratios = analytic[method] / analytic["diff"]
            ends = (significant(value) for value in (ratios.min(), ratios.max()))
            result[f"filtering.{method}_over_diff.analytic"] = " to ".join(ends)
    if terrain.any():
        ratios = (means["diff"] / means["replicate"]).xs("terrain", level="field")
        each = [f"{significant(ratio)} (k = {size})" for size, ratio in ratios.items()]
        result["filtering.diff_over_replicate.terrain"] = listed(each)
    if "navier_stokes" in means.index.get_level_values("field"):
        best = (
            means[[method for method in means if method not in FITTED]]
            .xs("navier_stokes", level="field")
            .idxmin(axis=1)
        )
        each = [
            f"`{method}` (k = {listed([str(k) for k in sizes])})"
            for method, sizes in best.groupby(best).groups.items()
        ]
        result["filtering.best_fixed.navier_stokes"] = listed(each)
    return result


@in_one_sentence("scripts.filtering_page")
def main() -> None:
    """Write the table into the README."""
    table = markdown(read_table(TABLES / "filtering.csv", (), "make reproduce-filtering"))
    update(REPOSITORY / "README.md", START, END, table)


if __name__ == "__main__":
    main()
