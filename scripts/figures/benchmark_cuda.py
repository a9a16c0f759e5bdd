"""What boundaries cost on a GPU: `python -m scripts.figures.benchmark_cuda`."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.sentences import in_one_sentence
from scripts.figures.benchmark import draw_ratios
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import PAGE_WIDTH, STYLES, in_order, place
from scripts.figures.tables import read_tables

__all__ = ["draw", "main"]

COLUMNS = ["group", "case", "method", "ratio", "ratio_low", "ratio_high", "device"]
COMMAND = "make benchmark-cuda"
# All of the modes would hide each other.
SHOWN = (
    "replicate",
    "diff",
    "adaptive_running",
    "adaptive",
    "diff_fused",
    "adaptive_running_fused",
    "adaptive_fused",
)

# Inches.
LEFT, TOP, ROW, RIGHT, BOTTOM = 2.6, 0.55, 0.16, 0.9, 0.5


def draw(table: pd.DataFrame) -> Figure:
    """Draw a row for each case, from the methods that could be measured.

    Raises:
        ValueError: none of the methods that are shown was measured.
    """
    shown = table[table["ratio"].notna() & table["method"].isin(SHOWN)]
    if shown.empty:
        raise ValueError(f"the table has no times of {', '.join(SHOWN)}; `{COMMAND}` makes it")
    height = ROW * shown["case"].nunique()
    figure = plt.figure(figsize=(PAGE_WIDTH, TOP + height + BOTTOM))
    ax = place(figure, LEFT, TOP, PAGE_WIDTH - LEFT - RIGHT, height)
    draw_ratios(ax, shown, SHOWN)
    handles = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    names = [STYLES[name].label for name in in_order(set(shown["method"]))]
    options = {"loc": "upper center", "ncols": len(names), "frameon": False, "bbox_to_anchor": (0.5, 1.0)}
    figure.legend([handles[name] for name in names], names, handletextpad=0.3, columnspacing=1.0, **options)
    note = f"{table['device'].iloc[0]}. Medians; bars: 95 % intervals."
    figure.text(0.99, 0.01, note, ha="right", va="bottom", fontsize=6, color="#555555")
    return figure


@in_one_sentence("scripts.figures.benchmark_cuda")
def main() -> None:
    """Read the table, write the figure."""
    arguments = parser_of("The figure of the benchmark on a GPU, from its table.").parse_args()
    tables = {"benchmark_cuda": COLUMNS}
    write_figure("benchmark_cuda", arguments.output, lambda: read_tables(arguments.tables, tables, COMMAND), draw)


if __name__ == "__main__":
    main()
