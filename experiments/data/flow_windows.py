"""Windows cut from flows: what a network sees of a periodic domain, and the frames that it is to predict."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from experiments.data.flows import FLOWS, FRAMES, SIZE, load_flows
from experiments.data.splits import Splits

__all__ = ["HISTORY", "FlowSplits", "FlowWindows", "flow_windows"]

# Frames that a step sees: of one alone, nobody can tell how fast it moves.
HISTORY = 2
# Which windows are drawn belongs to the data set: it does not change with the seed of a run.
DRAW_SEED = 0
# Of validation and test: frames from one start to the next, and windows along each axis of the domain, apart from
# each other as far as it allows.
FRAMES_APART, WINDOWS_ALONG = 6, 2
# The domain holds the largest window with this much on both sides.
MAX_HALO = 32


@dataclass(frozen=True)
class FlowSplits(Splits):
    """Windows of flows; the training program knows them as images and targets, the task ``super_resolution``.

    Args:
        steps: Frames of each target.
    """

    steps: int = 1


class FlowWindows(Dataset[tuple[Tensor, Tensor]]):
    """Windows of flows, each some frames long: the first two are the image, the others the target.

    Args:
        flows: All flows of a part, normalised, (flows, frames, N, N), periodic.
        corners: Flow, first frame, top row and left column of each window, int64, :math:`(n, 4)`.
        size: Rows and columns of a window.
        steps: Frames to predict.
        halo: Pixels of true context that the image has on each side beyond its target.

    Example:
        >>> flows = torch.zeros(1, 4, 16, 16)
        >>> image, target = FlowWindows(flows, torch.tensor([[0, 1, 12, 12]]), size=8, steps=1, halo=2)[0]
        >>> image.shape, target.shape
        (torch.Size([2, 12, 12]), torch.Size([1, 8, 8]))
    """

    def __init__(self, flows: Tensor, corners: Tensor, size: int, steps: int = 1, halo: int = 0) -> None:
        self.flows, self.corners, self.size, self.steps, self.halo = flows, corners, size, steps, halo

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        flow, first, top, left = self.corners[index].tolist()
        frames = self.flows[flow, first : first + HISTORY + self.steps]
        wide = self.size + 2 * self.halo
        seen = _window(frames[:HISTORY], top - self.halo, left - self.halo, wide)
        return seen, _window(frames[HISTORY:], top, left, self.size)


def flow_windows(
    equation: str = "navier_stokes",
    size: int = 48,
    steps: int = 1,
    train_windows: int = 2000,
    halo: int = 0,
    root: str = "data/flows",
) -> FlowSplits:
    """Windows of the flows of an equation, which whole flows are held out of.

    A window has two frames to see and ``steps`` frames to predict. What lies around it is unknown, unless a halo of
    it is given: the control of true context. Training windows lie anywhere in the training flows, drawn once; those
    of validation and test at fixed places and times, four windows at a time that share no pixel.

    All values are less the mean and divided by the standard deviation of the training flows.

    Args:
        equation: ``"navier_stokes"`` or ``"advection_diffusion"``.
        size: Rows and columns of a window, 16 to 64.
        steps: Frames to predict, 1 to 12.
        train_windows: Windows to train on, at least 1; fewer are a part of more.
        halo: Pixels of true context around each input, 0 to 32. Targets are the same for every halo.
        root: Folder that the flows are kept in, see `load_flows`.

    Returns:
        Images of two channels, the frames; targets of ``steps`` channels. A flow is a block of the test set.

    Raises:
        TypeError: ``size``, ``steps``, ``train_windows`` or ``halo`` is not an integer.
        ValueError: An option is out of its range, or the flows cannot be read.
        OSError: ``root`` cannot be written to.

    Example:
        >>> splits = flow_windows("advection_diffusion", train_windows=8, halo=4)
        >>> image, target = splits.train[0]
        >>> image.shape, target.shape
        (torch.Size([2, 56, 56]), torch.Size([1, 48, 48]))
    """
    given = {"size": size, "steps": steps, "train_windows": train_windows, "halo": halo}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an integer, got {value!r}")
    limits = {"size": (16, SIZE // WINDOWS_ALONG), "steps": (1, FRAMES["train"] - HISTORY), "halo": (0, MAX_HALO)}
    for name, (low, high) in limits.items():
        if not low <= given[name] <= high:
            raise ValueError(f"{name} must be within {low} and {high}, got {given[name]}")
    if train_windows < 1:
        raise ValueError(f"train_windows must be at least 1, got {train_windows}")
    flows = load_flows(equation, root)
    mean, scale = flows["train"].double().mean(), flows["train"].double().std()
    corners = {part: _fixed_corners(part, steps) for part in ("validation", "test")}
    corners["train"] = _drawn_corners(train_windows, steps)
    parts = {
        part: FlowWindows(((of_part - mean) / scale).float(), corners[part], size, steps, halo)
        for part, of_part in flows.items()
    }
    wide = size + 2 * halo
    return FlowSplits(
        "super_resolution",
        **parts,
        in_channels=HISTORY,
        image_size=(wide, wide),
        halo=halo,
        test_blocks=corners["test"][:, 0].clone(),
        steps=steps,
    )


def _window(frames: Tensor, top: int, left: int, size: int) -> Tensor:
    """Cut a square out of periodic frames, (n, N, N)."""
    rows, columns = (torch.arange(start, start + size) % frames.shape[-1] for start in (top, left))
    return frames[:, rows[:, None], columns]


def _drawn_corners(count: int, steps: int) -> Tensor:
    """Draw training windows: any flow, any time, any place."""
    starts = FRAMES["train"] - HISTORY - steps + 1
    drawn = np.random.default_rng(DRAW_SEED).integers(0, (FLOWS["train"], starts, SIZE, SIZE), (count, 4))
    return torch.from_numpy(drawn)


def _fixed_corners(part: str, steps: int) -> Tensor:
    """List the windows to validate or to test on, flow by flow."""
    starts = range(0, FRAMES[part] - HISTORY - steps + 1, FRAMES_APART)
    places = range(0, SIZE, SIZE // WINDOWS_ALONG)
    return torch.cartesian_prod(*(torch.tensor([*axis]) for axis in (range(FLOWS[part]), starts, places, places)))
