"""The features of a network at some of its stages, resized to one grid."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.models.halo import crop
from experiments.tasks.task import Task

__all__ = ["features"]


@torch.no_grad()
def features(task: Task, images: Tensor, stages: list[str], grid: int, share: float = 0, batch: int = 32) -> Tensor:
    """Run a network, in evaluation mode, and keep the outputs of some of its parts.

    Args:
        task: holds the network.
        images: (N, C, H, W), with their halo.
        stages: names of parts of the network, each of which gives a map.
        grid: rows and columns S that all maps are resized to, bilinearly.
        share: the halo's width as a part of the image's with its halo; the maps are cut by as much first.
        batch: images at a time.

    Returns:
        The channels of all stages, one after the other, (N, channels, S, S).

    Raises:
        ValueError: the network has no part of that name.
    """
    parts = dict(task.network.named_modules())
    if unknown := [name for name in stages if name not in parts]:
        raise ValueError(f"stages must name parts of the network, such as layer1; got {unknown[0]!r}")
    kept: dict[str, Tensor] = {}

    def keeping(name: str) -> Any:
        return lambda part, given, result: kept.update({name: result})

    handles = [parts[name].register_forward_hook(keeping(name)) for name in stages]
    found = []
    try:
        for some in images.split(batch):
            task(some)
            maps = [crop(kept[name], round(share * kept[name].shape[-1])) for name in stages]
            resized = [F.interpolate(one, (grid, grid), mode="bilinear", align_corners=False) for one in maps]
            found.append(torch.cat(resized, 1))
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(found)
