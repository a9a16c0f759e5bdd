"""The page of all figures, each with what it shows in words, and the command that makes it."""

from experiments.paths import REPOSITORY
from scripts.site.sources import tracked

__all__ = ["SHOWS", "pages", "shown"]

#: What each figure shows, for who cannot see it: that of results/figures/NAME.png.
SHOWS = {
    "adaptive": (
        "Errors of every mode relative to the best polynomial degree, by kind of field and by size, and the "
        "variants of adaptive"
    ),
    "benchmark": (
        "What each boundary mode costs: time and memory relative to zero padding, for layers, networks and filters"
    ),
    "benchmark_cuda": (
        "What each boundary mode costs on a GPU: time relative to zero padding, for layers, networks and filters"
    ),
    "classification": (
        "Accuracy of a ResNet-18 and its consistency under shifts by method, as differences to zero padding "
        "with their intervals"
    ),
    "convergence": (
        "Error at the edge against the number of samples for each mode and operator, and the fitted orders"
    ),
    "error_maps": (
        "Error maps of restored terrain by method: the second derivative, the size of the error around each "
        "pixel, and the mean square error at each pixel of a patch"
    ),
    "filtering": (
        "The four fields, the error of each method against the order of the field, and the Laplacian at a corner"
    ),
    "finetuning": (
        "What conversion to each mode does to a trained network, and how many steps of fine-tuning repair it"
    ),
    "frontier": (
        "Error and seam of tiled images against the time of a pixel, a curve for each method over the halo of true "
        "context that its tiles are given"
    ),
    "normalization": (
        "Error of the UNet with and without BatchNorm by method, as differences to zero padding with their intervals"
    ),
    "regimes": "The best mode and degree by blur, noise and kernel size, and the error that rounding adds",
    "rollouts": "Error of each mode over 10,000 steps of heat and of advection-diffusion, and where each blows up",
    "seams": "Seams of tiled images: what tiling changes by method, and its size by distance to the edge of a tile",
    "segmentation": (
        "Mean IoU of a UNet by method and region, as differences to zero padding with their intervals, and "
        "accuracy by distance to the edge"
    ),
    "shells": "Error of each mode by distance to the edge, at edges and in corners, for the four fields",
    "slopes": "Error of the slope along the rim of six maps by method, beside GDAL and richdem",
    "surrogate": (
        "Errors of networks that step a flow on: by step, by distance to the edge, stable time, and the power of "
        "lines near the edge, by method"
    ),
    "super_resolution": (
        "Error of a UNet that undoes a blur by method and region, as differences to zero padding with their "
        "intervals, and error by distance to the edge"
    ),
    "super_resolution_sizes": "Error of the networks of super-resolution on test patches of four sizes, by method",
    "walltime": (
        "Time of a training step in each mode relative to zero padding, for the paper's UNet and single layers"
    ),
}


def shown(name: str) -> str:
    """What a figure shows.

    Raises:
        ValueError: nobody has said it yet.
    """
    if name not in SHOWS:
        raise ValueError(f"the figure {name} has no words yet: add what it shows to {__name__}.SHOWS")
    return SHOWS[name]


def pages() -> dict[str, str | bytes]:
    """The page that shows every figure of results/figures."""
    text = (
        "# Figures\n\nEvery figure is drawn from the [tables](tables.md) alone, by `make figures`. "
        "The repository has each as a PDF, too.\n"
    )
    for path in tracked("results/figures/*.png"):
        name = path.stem
        program = f"scripts/figures/{name}.py"
        by = f"`python -m scripts.figures.{name}`" if (REPOSITORY / program).is_file() else "a variant of its study"
        picture = f"![{shown(name)}](figures/{name}.png){{ loading=lazy }}"
        text += f"\n## `{name}`\n\n{shown(name)}. Drawn by {by}.\n\n{picture}\n"
    return {"figures.md": text}
