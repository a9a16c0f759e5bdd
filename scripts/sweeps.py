"""The experiments that are sweeps of training runs: which runs belong to them, and what is measured of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diff_conv2d.modes import MODES
from experiments.training.finished_runs import HALO

__all__ = ["METRICS", "PAPER", "REFERENCE", "SCALES", "SWEEPS", "Comparison", "Metric", "Sweep", "full_name"]

# What the others are compared with.
REFERENCE = "zeros"

EMBEDDED, PAPER = SCALES = ("embedded", "paper")


@dataclass(frozen=True)
class Metric:
    """How a metric is read."""

    label: str
    higher_is_better: bool


METRICS = {
    "accuracy": Metric("Accuracy", True),
    "shift_consistency": Metric("Shift consistency", True),
    "mean_iou": Metric("Mean IoU", True),
    "mse": Metric("MSE", False),
    "psnr": Metric("PSNR", True),
    "iou_micro": Metric("IoU (micro)", True),
    "f1_micro": Metric("F1 (micro)", True),
    "f2_macro": Metric("F2 (macro)", True),
    "accuracy_macro": Metric("Accuracy (macro)", True),
    "recall_per_image": Metric("Recall per image", True),
}


@dataclass(frozen=True)
class Comparison:
    """A method with zero padding, by one metric in one region."""

    method: str
    metric: str
    region: str


@dataclass(frozen=True)
class Sweep:
    """The runs of an experiment.

    Attributes:
        config: a file of `configs/experiment`, which is also the `experiment_name` of the runs.
        metrics: those that figures and findings show, the first one first.
        halo: pixels of the true context in the control, 0 when the data set has none.
        models: name of each model in the tables, with the settings that tell it from the others.
        only: methods, where not every mode is compared.
        without: modes that are not compared.
        primary: the one comparison whose p-value stands as it is: the paper's claim for this task, named before the
            runs. All others of the task are corrected for their number.
    """

    config: str
    metrics: tuple[str, ...]
    halo: int = 0
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    primary: Comparison | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """What is compared: every mode, and the control where there is one."""
        modes = tuple(mode for mode in MODES if mode not in self.without)
        return self.only or ((*modes, HALO) if self.halo else modes)


_NORM = "model.options.batch_norm"
# In a UNet all of whose padded kernels are 3x3, `symmetric` is `replicate`.
_NO_UNET = ("symmetric", "linear_prediction")

SWEEPS = {
    "classification": Sweep(
        "landcover_scenes",
        ("accuracy", "shift_consistency"),
        halo=32,
        without=("linear_prediction",),
        primary=Comparison("diff", "accuracy", "whole"),
    ),
    "segmentation": Sweep(
        "landcover",
        ("mean_iou", "accuracy"),
        halo=32,
        without=_NO_UNET,
        primary=Comparison("diff", "mean_iou", "whole"),
    ),
    "super_resolution": Sweep(
        "globe",
        ("mse",),
        halo=32,
        models={"unet": {_NORM: True}},
        without=_NO_UNET,
        primary=Comparison("diff", "mse", "frame"),
    ),
    "normalization": Sweep(
        "globe",
        ("mse",),
        models={"unet": {_NORM: True}, "unet_no_norm": {_NORM: False}},
        only=("zeros", "replicate", "diff", "adaptive", "halo"),
        halo=32,
    ),
    "paper_classification": Sweep("paper_classification", ("accuracy",)),
    "paper_segmentation": Sweep("paper_segmentation", ("mean_iou", "accuracy")),
    "paper_super_resolution": Sweep("paper_super_resolution", ("mse",), halo=32),
}


def full_name(experiment: str, scale: str) -> str:
    """The experiment's name at a scale, which is also that of its tables and figures.

    Raises:
        ValueError: there is no such experiment at this scale.

    Example:
        >>> full_name("segmentation", "paper")
        'paper_segmentation'
    """
    name = f"paper_{experiment}" if scale == PAPER else experiment
    known = [known.removeprefix("paper_") for known in SWEEPS if known.startswith("paper_") == (scale == PAPER)]
    if experiment not in known:
        raise ValueError(f"experiment must be one of {', '.join(known)} at scale {scale}; got {experiment!r}")
    return name
