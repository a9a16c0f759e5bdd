"""Error maps of trained networks, the paper's figure 3: `python -m scripts.figures.error_maps`."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from scipy.ndimage import gaussian_filter

from experiments.sentences import in_one_sentence
from scripts.figures.program import parser_of, write_figure
from scripts.figures.style import METHODS, PAGE_WIDTH, in_order, place
from scripts.figures.tables import read_arrays

__all__ = ["draw", "main"]

COMMAND = "python -m experiments.error_maps"

# The control beside which all others are seen.
REFERENCE = "zeros"
# Methods whose filtered errors are shown: to the eye they are alike.
FILTERED = ("zeros", "random", "reflect", "replicate", "diff", "adaptive", "halo")
# Standard deviation of the window in which mean squares at single pixels are averaged, in pixels.
SMOOTHING = 1.0
KINDS = ("error", "rms", "local", "local_rms", "folded", "folded_means")

# Inches.
TOP, MARGIN, GAP, TITLE, PICTURES, BELOW = 0.24, 0.05, 0.1, 0.2, 1.3, 0.52
COLUMNS, CAPTION, BAR, HEADING = 7, 0.36, 0.34, 0.46
EACH = (PAGE_WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS


def draw(arrays: dict[str, np.ndarray]) -> Figure:
    """Draw the map, the block before and after, the filtered error, and two views that show the seams.

    Raises:
        ValueError: an array is missing.
    """
    found = in_order(key.partition("/")[2] for key in arrays if key.startswith("error/"))
    methods = [REFERENCE, *(method for method in found if method != REFERENCE)]
    needed = ["map", "patches", "frame", *(f"{kind}/{method}" for kind in KINDS for method in methods)]
    if missing := [key for key in needed if key not in arrays]:
        raise ValueError(f"the archive holds no {missing[0]}; `{COMMAND}` makes it again")
    filtered = [method for method in FILTERED if method in methods]
    tops = [TOP + TITLE + PICTURES + BELOW]
    for names in (filtered, methods, methods):
        tops.append(_bottom(tops[-1], len(names)) + BAR + HEADING)
    height = tops[-1] - HEADING + MARGIN
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    _draw_pictures(figure, arrays)
    _draw_filtered(figure, arrays, filtered, tops[0])
    _draw_local(figure, arrays, methods, tops[1])
    _draw_folded(figure, arrays, methods, tops[2])
    than = f"compared with {METHODS[REFERENCE].label}"
    titles = {
        TOP: f"(a) Patches restored one by one, seed {arrays['seed']}; ticks: seams",
        tops[0] - TITLE: "(b) Second derivative of the error, as in the paper: the numbers differ more than the maps",
        tops[1] - TITLE: f"(c) Size of the error around each pixel, {than}",
        tops[2] - TITLE: f"(d) Mean square error of {arrays['patches']} test patches laid on one another, {than}",
    }
    for y, title in titles.items():
        figure.text(MARGIN / PAGE_WIDTH, 1 - (y - 0.06) / height, title, va="bottom", fontweight="bold")
    return figure


def _draw_filtered(figure: Figure, arrays: dict[str, np.ndarray], methods: list[str], top: float) -> None:
    """Draw the second derivative of the errors of some methods."""
    # The colours saturate at the 99 % quantile of zero padding's absolute errors.
    level = float(arrays["level"])
    most = float(np.quantile(np.abs(arrays[f"error/{REFERENCE}"]), 0.99)) * level
    for index, method in enumerate(methods):
        picture = arrays[f"error/{method}"].astype(np.float32) * level
        ax = _panel(figure, top, index, METHODS[method].label, "{:.3g} / {:.3g}".format(*arrays[f"rms/{method}"]))
        image = ax.imshow(picture, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
        _mark_seams(ax, arrays, cut=(arrays["target"].shape[0] - picture.shape[0]) // 2)
    bottom = _bottom(top, len(methods))
    _bar(figure, image, 0, bottom, "Filtered error (m / px²)")
    _note(figure, bottom, "Below each map: root mean square\nat the seams / elsewhere (m / px²).")


def _draw_local(figure: Figure, arrays: dict[str, np.ndarray], methods: list[str], top: float) -> None:
    """Draw how large the reference's error is around each pixel, and by how much that of the others differs."""
    pictures = {method: arrays[f"local/{method}"].astype(np.float32) for method in methods}
    shown = {method: picture - (method != REFERENCE) * pictures[REFERENCE] for method, picture in pictures.items()}
    captions = {method: "{:.0f} / {:.0f}".format(*arrays[f"local_rms/{method}"]) for method in methods}
    labels = "Error (m)", "← better   Difference (m)   worse →"
    axes = _draw_compared(figure, shown, captions, labels, top)
    for ax in axes:
        _mark_seams(ax, arrays, step=round(arrays["target"].shape[0] / pictures[REFERENCE].shape[0]))
    note = f"Below each map: root mean square within {arrays['frame']} px\nof the patches' edges / elsewhere (m)."
    _note(figure, _bottom(top, len(methods)), note)


def _draw_folded(figure: Figure, arrays: dict[str, np.ndarray], methods: list[str], top: float) -> None:
    """Draw the reference's mean square error at each pixel of a patch, and that of the others in relation to it."""
    squares = {method: arrays[f"folded/{method}"].astype(np.float64) for method in methods}
    means = {method: arrays[f"folded_means/{method}"] for method in methods}
    smooth = {method: gaussian_filter(square, SMOOTHING) for method, square in squares.items()}
    shown, captions = {}, {}
    for method in methods:
        if method == REFERENCE:
            shown[method], captions[method] = smooth[method], "{:.3f} / {:.3f}".format(*means[method])
        else:
            shown[method] = 100 * (smooth[method] / smooth[REFERENCE] - 1)
            changes = 100 * (means[method] / means[REFERENCE] - 1)
            captions[method] = "{:+.1f} / {:+.1f}".format(*changes).replace("-", "−")
    labels = "Mean square error", "← better   Difference (%)   worse →"
    for ax in _draw_compared(figure, shown, captions, labels, top):
        ax.set_xticks([])
        ax.set_yticks([])
    note = f"Below each map: within {arrays['frame']} px of the edges /\nelsewhere, difference in %."
    _note(figure, _bottom(top, len(methods)), note)


def _draw_compared(
    figure: Figure, pictures: dict[str, np.ndarray], captions: dict[str, str], labels: tuple[str, str], top: float
) -> list[Axes]:
    """Draw a picture of the reference in grey, and of each other method its difference in colours, with two bars."""
    differences = [np.abs(picture).ravel() for method, picture in pictures.items() if method != REFERENCE]
    most = float(np.quantile(np.concatenate(differences), 0.99)) if differences else 1.0
    axes, bottom = [], _bottom(top, len(pictures))
    for index, (method, picture) in enumerate(pictures.items()):
        name = METHODS[method].label
        ax = _panel(figure, top, index, f"{name}: its own" if method == REFERENCE else name, captions[method])
        if method == REFERENCE:
            own = ax.imshow(picture, cmap="Greys", vmin=0, vmax=np.quantile(picture, 0.99), interpolation="nearest")
            _bar(figure, own, 0, bottom, labels[0])
        else:
            image = ax.imshow(picture, cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
        axes.append(ax)
    if differences:
        _bar(figure, image, 2, bottom, labels[1])
    return axes


def _panel(figure: Figure, top: float, index: int, title: str, caption: str) -> Axes:
    """Add axes for one of the pictures of a row or two."""
    row, column = divmod(index, COLUMNS)
    ax = place(figure, MARGIN + column * (EACH + GAP), top + row * (EACH + CAPTION), EACH, EACH)
    ax.set_title(title, pad=2)
    ax.set_xlabel(caption, labelpad=3, fontsize=7)
    return ax


def _bottom(top: float, number: int) -> float:
    """Where a row or two of so many pictures end, with what is written below them."""
    return top + -(-number // COLUMNS) * (EACH + CAPTION) - 0.1


def _bar(figure: Figure, image: AxesImage, column: int, top: float, label: str) -> None:
    """Draw a colour bar, two pictures wide, which begins at a column."""
    ax = place(figure, MARGIN + column * (EACH + GAP) + 0.04, top, 2 * EACH - 0.08, 0.08)
    figure.colorbar(image, cax=ax, orientation="horizontal", extend="max" if image.norm.vmin == 0 else "both")
    ax.set_xlabel(label, labelpad=1, fontsize=7)
    ax.tick_params(pad=1.5, length=2)


def _note(figure: Figure, top: float, text: str) -> None:
    """Write at the right, beside the bars."""
    figure.text(1 - MARGIN / PAGE_WIDTH, 1 - top / figure.get_figheight(), text, ha="right", va="top", fontsize=7)


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
        _mark_seams(ax, arrays)
        ax.set_title(title, pad=2)


def _mark_seams(ax: Axes, arrays: dict[str, np.ndarray], cut: int = 0, step: int = 1) -> None:
    """Put a tick outside the picture at each seam of the block, where it hides nothing.

    Args:
        ax: with a picture of the block.
        arrays: with the block and the size of its patches.
        cut: pixels that the picture lacks at each side.
        step: pixels of the block from one to the next of the picture.
    """
    patch = int(arrays["patch"])
    seams = [(position - cut - 0.5) / step for position in range(patch, arrays["target"].shape[0], patch)]
    ax.set_xticks(seams, [""] * len(seams))
    ax.set_yticks(seams, [""] * len(seams))
    ax.tick_params(length=3, width=0.8, pad=0)


@in_one_sentence("scripts.figures.error_maps")
def main() -> None:
    """Read the arrays and write the figure."""
    parser = parser_of(__doc__)
    parser.add_argument("--name", default="error_maps", help="of the arrays and the figure (default: %(default)s)")
    arguments = parser.parse_args()
    path = arguments.tables / f"{arguments.name}.npz"
    write_figure("error_maps", arguments.output, lambda: [read_arrays(path, COMMAND)], draw, arguments.name)


if __name__ == "__main__":
    main()
