"""Rollouts of a trained network on held-out flows: in windows, and on the whole domain, where there is no edge."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import torch
from omegaconf import DictConfig
from torch import Tensor

from diff_conv2d import convert
from experiments.data.flow_windows import HISTORY, WINDOWS_ALONG, FlowSplits, FlowWindows
from experiments.data.flows import SIZE
from experiments.models.halo import crop
from experiments.tasks.task import Task
from experiments.training.train import build_task

__all__ = ["Rollouts", "corners_of", "cut", "on_domain", "persistence", "predicted", "stepping", "wrapping"]

# Windows, and whole domains, that a network steps on at a time.
AT_ONCE, DOMAINS_AT_ONCE = 32, 4


class Rollouts(NamedTuple):
    """Windows of flows, one flow after the other.

    Attributes:
        seen: The frames that a network sees, (N, 2, S + 2 halo, S + 2 halo).
        truth: The frames that follow, (N, T, S, S).
    """

    seen: Tensor
    truth: Tensor


def corners_of(flows: int, starts: list[int]) -> Tensor:
    """Flow, first frame, top row and left column of each window, int64, (N, 4); those of one time share no pixel.

    Example:
        >>> corners_of(1, [3])
        tensor([[ 0,  3,  0,  0],
                [ 0,  3,  0, 64],
                [ 0,  3, 64,  0],
                [ 0,  3, 64, 64]])
    """
    places = torch.arange(0, SIZE, SIZE // WINDOWS_ALONG)
    return torch.cartesian_prod(torch.arange(flows), torch.tensor(starts), places, places)


def cut(flows: Tensor, starts: list[int], steps: int, size: int, halo: int = 0) -> Rollouts:
    """Cut windows out of periodic flows, at the places of `corners_of`.

    Args:
        flows: normalised, (flows, frames, SIZE, SIZE).
        starts: first frames.
        steps: frames that follow those that are seen.
        size: rows and columns of a window.
        halo: pixels of true context around what is seen.
    """
    windows = FlowWindows(flows, corners_of(len(flows), starts), size, steps, halo)
    seen, truth = zip(*(windows[index] for index in range(len(windows))), strict=True)
    return Rollouts(torch.stack(seen), torch.stack(truth))


def stepping(config: DictConfig, data: FlowSplits, weights: Mapping[str, Tensor], steps: int) -> Task:
    """A trained network that predicts so many steps; a halo that it was trained with is cut off its result.

    Args:
        config: of its run.
        data: of its run.
        weights: from `experiments.trained_networks`.
        steps: frames that it is to predict.
    """
    task = build_task(config, dataclasses.replace(data, steps=steps, test_blocks=None))
    task.load_state_dict(dict(weights))
    return task.eval()


def wrapping(task: Task) -> Task:
    """The same network for the whole periodic domain: its convolutions wrap around, so that nothing is unknown."""
    task = copy.deepcopy(task)
    task.halo = 0
    convert(task.network, "circular", verbose=False, what="convolution")
    return task


@torch.no_grad()
def predicted(task: Task, seen: Tensor, at_once: int = AT_ONCE) -> Tensor:
    """What a network predicts, some windows or domains at a time, on its own device, (N, T, H, W)."""
    device, found = next(task.parameters()).device, []
    for number, batch in enumerate(seen.split(at_once)):
        # Random padding draws noise: the same for every network.
        torch.manual_seed(number)
        found.append(task(batch.to(device)).cpu())
    return torch.cat(found)


def on_domain(task: Task, flows: Tensor, starts: list[int], size: int) -> Tensor:
    """What a network predicts in the windows of `cut` when it steps the whole domain on.

    Every step has the network's own prediction for true context. What is left of its error is what it has not learnt,
    whatever it does at an edge.

    Args:
        task: from `wrapping`.
        flows: normalised, (flows, frames, SIZE, SIZE).
        starts: first frames.
        size: rows and columns of a window.

    Returns:
        (N, T, S, S).
    """
    seen = torch.stack([flows[:, start : start + HISTORY] for start in starts], 1).flatten(0, 1)
    frames = torch.cat([seen, predicted(task, seen, DOMAINS_AT_ONCE)], 1)
    return cut(frames, [0], frames.shape[1] - HISTORY, size).truth


def persistence(rollouts: Rollouts) -> Tensor:
    """The control that predicts no change: the last frame that was seen, at every step, (N, T, S, S)."""
    halo = (rollouts.seen.shape[-1] - rollouts.truth.shape[-1]) // 2
    return crop(rollouts.seen[:, -1:], halo).expand_as(rollouts.truth)
