"""How figures look: labels, order and colours of the methods, fonts, and files that are the same every time."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.records import replacing

__all__ = [
    "DEGREES",
    "METHODS",
    "PAGE_WIDTH",
    "PROGRAMS",
    "RC",
    "STYLES",
    "MethodStyle",
    "family",
    "in_order",
    "legend_of_methods",
    "place",
    "save",
]

# Inches, between the margins of a letter or A4 page. Font sizes below are as printed at this width.
PAGE_WIDTH = 7.2

RC: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 8,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "ytick.minor.width": 0.4,
    "axes.grid": False,
    # Letters as TrueType outlines: publishers refuse the default, type 3.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "savefig.dpi": 200,
}


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn in every figure."""

    label: str
    color: str
    linestyle: str
    marker: str
    # Open markers and dashes tell methods of one family apart where their lines coincide.
    filled: bool = True
    width: float = 1.0

    @property
    def line(self) -> dict[str, Any]:
        """Arguments for matplotlib's plot."""
        return {
            "label": self.label,
            "color": self.color,
            "linestyle": self.linestyle,
            "linewidth": self.width,
            "marker": self.marker,
            "markersize": 3.0,
            "markeredgewidth": 0.7,
            "markerfacecolor": self.color if self.filled else "white",
        }


# Okabe and Ito's palette, which people of every colour vision tell apart, and two greys. Names as in the paper
# where it has one. This order is the order of legends; lines are drawn in reverse, so that Diff lies on top.
METHODS = {
    "diff": MethodStyle("Diff", "#000000", "-", "o", width=1.6),
    "adaptive": MethodStyle("Adapt", "#CC79A7", "-", "P", width=1.4),
    "adaptive_running": MethodStyle("Adapt run", "#CC79A7", ":", "P", filled=False, width=1.4),
    "extrapolate": MethodStyle("Extr", "#0072B2", "-", "s"),
    "replicate": MethodStyle("Repl", "#D55E00", "-", "^"),
    "reflect": MethodStyle("Refl", "#009E73", "-", "v"),
    "symmetric": MethodStyle("Symm", "#E69F00", "--", "D", filled=False),
    "antireflect": MethodStyle("Anti", "#E69F00", "-.", "h"),
    "circular": MethodStyle("Circ", "#56B4E9", "-", "<"),
    "zeros": MethodStyle("Zero", "#666666", "-", "X"),
    "partial": MethodStyle("Part", "#666666", "--", "d", filled=False),
    "random": MethodStyle("Rand", "#999999", ":", "*"),
    "linear_prediction": MethodStyle("LinPred", "#CC79A7", "--", "p", filled=False),
    "explicit": MethodStyle("EBH", "#009E73", "-.", "*"),
    "diff_explicit": MethodStyle("Diff-EBH", "#000000", "--", "o", filled=False),
    "learned": MethodStyle("Learned", "#7B3294", "--", "P", filled=False),
    "peripheral": MethodStyle("PP-Pad", "#7B3294", ":", "X", filled=False),
    "peripheral_shared": MethodStyle("PP-Pad shared", "#C2A5CF", ":", "X"),
    # The control: true data beyond the edge instead of a boundary mode.
    "halo": MethodStyle("True context", "#8C510A", "-.", "H"),
}

# Polynomials whatever the kernel's size, as the studies compare them: one colour map, dark to bright.
DEGREES = {
    f"degree_{degree}": MethodStyle(f"Degree {degree}", color, "-", marker)
    for degree, (color, marker) in enumerate(
        zip(("#440154", "#443983", "#31688E", "#21918C", "#35B779", "#90D743", "#E0C316"), "^osDvpX", strict=True)
    )
}
# Beside the modes in the benchmark: torch's layers, the ways of the paper's interface, one kernel, other libraries.
PROGRAMS = {
    "torch_reflect": MethodStyle("torch Refl", "#009E73", ":", "v", filled=False),
    "torch_replicate": MethodStyle("torch Repl", "#D55E00", ":", "^", filled=False),
    "torch_circular": MethodStyle("torch Circ", "#56B4E9", ":", "<", filled=False),
    "diff_speed": MethodStyle("Diff 'speed'", "#000000", "-.", ">", filled=False),
    "diff_memory": MethodStyle("Diff 'memory'", "#000000", ":", "s", filled=False),
    "diff_fused": MethodStyle("Diff fused", "#000000", "--", "D", filled=False),
    "adaptive_running_fused": MethodStyle("Adapt run fused", "#CC79A7", ":", "D", filled=False),
    "adaptive_fused": MethodStyle("Adapt fused", "#CC79A7", "-", "D"),
    "symmetric_fused": MethodStyle("Symm fused", "#E69F00", ":", "h", filled=False),
    "extrapolate_fused": MethodStyle("Extr fused", "#0072B2", ":", "s", filled=False),
    "learned_fused": MethodStyle("Learned fused", "#7B3294", "-.", "P", filled=False),
    "scipy": MethodStyle("SciPy", "#8C510A", "-", "d"),
    "opencv": MethodStyle("OpenCV", "#8C510A", "-", "h", filled=False),
}
STYLES = METHODS | DEGREES | PROGRAMS


def family(names: Iterable[str], of: dict[str, MethodStyle]) -> list[str]:
    """Return those of the names that are modes (``METHODS``) or polynomials (``DEGREES``), in order."""
    return [name for name in in_order(names) if name in of]


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names of methods as in ``STYLES``.

    Raises:
        ValueError: A method has no style yet.

    """
    names = set(names)
    if unknown := sorted(names - STYLES.keys()):
        raise ValueError(f"no label and colour for the method {unknown[0]!r}: add it to {__name__}.METHODS")
    return [name for name in STYLES if name in names]


def legend_of_methods(figure: Figure, methods: Iterable[str], columns: int) -> None:
    """Put a legend of methods, in so many columns, at the top of a figure."""
    figure.legend(
        handles=[Line2D([], [], **METHODS[method].line) for method in methods],
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.02 / figure.get_figheight()),
        ncols=columns,
        frameon=False,
        handlelength=2.2,
        columnspacing=1.2,
    )


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place in inches, counted from the figure's top left corner."""
    total_width, total_height = figure.get_size_inches()
    bottom = total_height - top - height
    return figure.add_axes((left / total_width, bottom / total_height, width / total_width, height / total_height))


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PDF and PNG, both or none, and return their paths.

    The same tables give the same bytes: dates and versions are left out of the files.
    """
    paths = [folder / f"{name}.pdf", folder / f"{name}.png"]
    dates = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}
    with ExitStack() as moves:
        for path in paths:
            kind = path.suffix[1:]
            figure.savefig(moves.enter_context(replacing(path)), format=kind, metadata=dates[kind])
    return paths
