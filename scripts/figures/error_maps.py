"""Error maps of trained networks, the paper's figure 3: `python -m scripts.figures.error_maps`."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, place
from scripts.figures.tables import read_arrays

__all__ = ["draw", "main"]

COMMAND = "python -m experiments.error_maps"

# Inches.
TOP, MARGIN, GAP, TITLE, PICTURES, BELOW = 0.24, 0.05, 0.1, 0.2, 1.42, 0.42
COLUMNS, CAPTION, BAR = 5, 0.36, 0.5


def draw(arrays: dict[str, np.ndarray]) -> Figure:
    """Draw the map, the block before and after, and the filtered error of each method."""
    methods = in_order(key.partition("/")[2] for key in arrays if key.startswith("error/"))
    if not methods or "map" not in arrays:
        raise ValueError(f"the archive holds no error maps; `{COMMAND}` makes it again")
    each = (PAGE_WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    rows = -(-len(methods) // COLUMNS)
    below = TOP + TITLE + PICTURES + BELOW
    height = below + rows * (each + CAPTION) + BAR
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    _draw_pictures(figure, arrays)

    # Colours are full where zero padding's error has 99 % of its pixels below.
    level = float(arrays["level"])
    most = float(np.quantile(np.abs(arrays.get("error/zeros", arrays[f"error/{methods[0]}"])), 0.99)) * level
    image = None
    for index, method in enumerate(methods):
        row, column = divmod(index, COLUMNS)
        ax = place(figure, MARGIN + column * (each + GAP), below + row * (each + CAPTION), each, each)
        picture = arrays[f"error/{method}"].astype(np.float32) * level
        image = ax.imshow(picture, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
        _mark_seams(ax, int(arrays["patch"]), picture.shape[0])
        ax.set_title(METHODS[method].label, pad=2)
        seams, elsewhere = arrays[f"rms/{method}"]
        ax.set_xlabel(f"{seams:.3g} / {elsewhere:.3g}", labelpad=3, fontsize=7)
    bar_top = below + rows * (each + CAPTION) + 0.06
    bar = figure.colorbar(image, cax=place(figure, MARGIN, bar_top, 2 * each + GAP, 0.08), orientation="horizontal")
    bar.set_label("Filtered error (m / px²)", labelpad=1)
    bar.ax.tick_params(pad=2, length=2.5)
    note = (
        f"Below each map: root mean square at the seams / elsewhere (m / px²).\nTicks: seams. Seed {arrays['seed']}."
    )
    figure.text(1 - MARGIN / PAGE_WIDTH, 1 - (bar_top + 0.08) / height, note, ha="right", va="top", fontsize=7)
    titles = [(TOP, "(a) Patches restored one by one"), (below - 0.18, "(b) Second derivative of the error")]
    for y, title in titles:
        figure.text(MARGIN / PAGE_WIDTH, 1 - (y - 0.06) / height, title, va="bottom", fontweight="bold")
    return figure


def _draw_pictures(figure: Figure, arrays: dict[str, np.ndarray]) -> None:
    """Draw the map with the block's place, then the block blurred, restored and clear."""
    total = PAGE_WIDTH - 2 * MARGIN
    names = {"input": "Blurred", "prediction": "Restored, zero padding", "target": "Clear"}
    wide = total - len(names) * (PICTURES + GAP)
    top = TOP + TITLE
    ax = place(figure, MARGIN, top, wide, PICTURES)
    whole = arrays["map"].astype(np.float32)
    # A map that is less wide than its place is centred in it.
    ax.imshow(whole, cmap="gist_earth", interpolation="bilinear")
    y, x, block_height, block_width = arrays["box"] * np.array([*whole.shape, *whole.shape])
    ax.add_patch(Rectangle((x, y), block_width, block_height, fill=False, edgecolor="#D00000", linewidth=1.2))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title("Map, and the block", pad=2)
    low, high = np.quantile(arrays["target"].astype(np.float32), (0.005, 0.995))
    for index, (key, title) in enumerate(names.items()):
        ax = place(figure, MARGIN + wide + GAP + index * (PICTURES + GAP), top, PICTURES, PICTURES)
        ax.imshow(arrays[key].astype(np.float32), cmap="gist_earth", vmin=low, vmax=high, interpolation="nearest")
        _mark_seams(ax, int(arrays["patch"]), arrays[key].shape[0])
        ax.set_title(title, pad=2)


def _mark_seams(ax: Axes, patch: int, shown: int) -> None:
    """Put a tick outside the picture at each seam, where it hides nothing; the filter has cut the picture's rim."""
    cut = (-shown % patch) // 2
    seams = [position - cut - 0.5 for position in range(patch, shown + cut, patch)]
    ax.set_xticks(seams, [""] * len(seams))
    ax.set_yticks(seams, [""] * len(seams))
    ax.tick_params(length=3, width=0.8, pad=0)


def main() -> None:
    """Read the arrays and write the figure; what is wrong is told in one sentence."""
    parser = parser_of(__doc__)
    parser.add_argument("--name", default="error_maps", help="of the arrays and the figure (default: %(default)s)")
    arguments = parser.parse_args()
    path = arguments.tables / f"{arguments.name}.npz"
    write_figure("error_maps", arguments.output, lambda: [read_arrays(path, COMMAND)], draw, arguments.name)


if __name__ == "__main__":
    main()
