"""The study of launches: `python -m experiments.launches layers=[3x3]`, see configs/launches.yaml."""

from pathlib import Path
from unittest import mock

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.console import Console

from diff_conv2d import precision
from experiments.hydra_program import hydra_program
from experiments.launches.counting import counted
from experiments.launches.layers import DEVICES, LAYERS, made
from experiments.launches.settings import Settings
from experiments.program import run_program
from experiments.progress import progress_bar
from experiments.records import write_table

__all__ = ["launches", "main", "run"]


def launches(layer: str, method: str, device: str = "cpu") -> tuple[int, int] | None:
    """Count the operators of one step of training, forwards and backwards; None if the layer cannot have the mode.

    Backwards the gradients of the image, of the kernels and of the bias are computed, and those of all that the mode
    trains.

    Args:
        layer: of `LAYERS`.
        method: of `METHODS`.
        device: of `DEVICES`, whichever there is: the same operators are called, but on a GPU some do more.

    Example:
        >>> launches("3x3", "zeros"), launches("3x3", "replicate")
        ((1, 3), (2, 4))

    """
    with mock.patch.object(precision, "CPU", "none" if device == "gpu" else "cpu"):
        found = made(LAYERS[layer], method, device)
        if found is None:
            return None
        network, image = found
        forwards, output = counted(lambda: network(image))
        gradient, leaves = torch.ones_like(output), [image, *network.parameters()]
        backwards, _ = counted(lambda: torch.autograd.grad(output, leaves, gradient, allow_unused=True))
    return forwards.total(), backwards.total()


def run(settings: Settings, console: Console) -> list[Path]:
    """Count everything, then write the table; return its path."""
    rows = []
    with progress_bar(len(settings.layers), console) as advance:
        for layer in settings.layers:
            for method in settings.methods:
                for device in DEVICES:
                    found = launches(layer, method, device)
                    if found is not None:
                        shape = "x".join(map(str, LAYERS[layer].shape))
                        about = {"layer": layer, "method": method, "device": device, "image": shape}
                        rows.append(about | {"forwards": found[0], "backwards": found[1]})
            advance(layer)
    path = settings.output_dir / "tables" / "launches.csv"
    write_table(path, pd.DataFrame(rows))
    return [path]


@hydra_program("launches")
def main(config: DictConfig) -> None:
    """Check the configuration, then run."""
    run_program("launches", config, Settings, run)
