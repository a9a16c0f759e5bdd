"""The experiments that are sweeps of training runs, as configs/reproduce.yaml has them, and how metrics are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from experiments.paths import CONFIGS
from experiments.training.cells import method_settings
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
        methods: that are compared: modes, and the control where there is one.
        halo: pixels of the true context in the control, 0 when there is none.
        models: name of each model in the tables, with the settings that tell it from the others.
        overrides: the same settings as train.py takes them, by the model's name.
        primary: the one comparison whose p-value stands as it is: the paper's claim for this task, named before the
            runs. All others of the task are corrected for their number.
    """

    config: str
    metrics: tuple[str, ...]
    methods: tuple[str, ...]
    halo: int = 0
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    primary: Comparison | None = None


def _read() -> dict[str, Sweep]:
    """Read the sweeps of configs/reproduce.yaml, by their full names."""
    config = yaml.safe_load((CONFIGS / "reproduce.yaml").read_text(encoding="utf-8"))
    return {
        (f"paper_{name}" if scale == PAPER else name): _sweep(method_settings(config["controls"]), **sweep)
        for scale in SCALES
        for name, scales in config["sweeps"].items()
        for sweep in [scales.get(scale)]
        if sweep
    }


def _sweep(
    known: Mapping[str, list[str]],
    config: str,
    metrics: list[str],
    without: Iterable[str] = (),
    methods: Iterable[str] | None = None,
    variants: Mapping[str, list[str]] | None = None,
    primary: Mapping[str, str] | None = None,
) -> Sweep:
    """A sweep as the configuration has it; `known` are the settings of each method."""
    chosen = tuple(methods or (method for method in known if method not in without))
    overrides = {name: tuple(given) for name, given in (variants or {}).items()}
    models = {name: _settings(given) for name, given in overrides.items()}
    halo = _settings(known[HALO])["data.halo"] if HALO in chosen else 0
    claim = Comparison(**primary) if primary else None
    return Sweep(config, tuple(metrics), chosen, halo, models, overrides, claim)


def _settings(overrides: Iterable[str]) -> dict[str, Any]:
    """The values of settings as `train.py` takes them, by their names; a plus adds one that has no default."""
    parts = (override.lstrip("+").partition("=") for override in overrides)
    return {name: yaml.safe_load(value) for name, _, value in parts}


SWEEPS = _read()


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
