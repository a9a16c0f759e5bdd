"""Running predictors for a network that is trained already: one pass over a few batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from diff_conv2d.geometry import Geometry
from diff_conv2d.modes import boundary
from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.kept_predictors import RunningPredictors
from diff_conv2d.torch_layers import Conv1d, Conv2d, Conv3d

__all__ = ["calibrate"]


def calibrate(
    model: nn.Module, batches: Iterable[Any], forward: Callable[[nn.Module, Any], object] | None = None
) -> dict[str, float]:
    """Fit the running predictors of a network's layers to batches, without touching a parameter.

    A network that was trained with other padding is converted by ``convert(model, "adaptive",
    track_running_stats=True)``. One pass over a few batches then gives its layers their predictors. Everything else,
    such as the statistics of a BatchNorm, stays as it is. The network may have learnt to live with its old padding:
    what it gains is to be measured, or it is to be trained further (see `convert`).

    Args:
        model: with layers that track running statistics.
        batches: what the network is called with: tensors, or what `forward` takes.
        forward: calls the network with a batch; ``model(batch)`` if None.

    Returns:
        For each such layer, by name, how well it predicts: the samples near the edges of its last input are hidden,
        and predicted from the others. The mean absolute error of the new predictors, divided by that of the mode that
        the layer had before `convert` (zeros if it was made with the running predictors). Layers whose images are no
        larger than their padding at both ends are left out.

    Raises:
        ValueError: no layer tracks running statistics, or there is no batch.

    Example:
        >>> import diff_conv2d
        >>> network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))
        >>> network = diff_conv2d.convert(network, "adaptive", track_running_stats=True, verbose=False)
        >>> waves = torch.sin(torch.arange(32.0) / 4).expand(8, 1, 32, 32)
        >>> sorted(calibrate(network, [waves, waves.mT]))
        ['0', '2']
    """
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, (Conv1d, Conv2d, Conv3d)) and isinstance(layer.predictors, RunningPredictors)
    }
    if not layers:
        raise ValueError(
            "model must have layers that track running statistics, got none: "
            'diff_conv2d.convert(model, "adaptive", track_running_stats=True) makes them'
        )
    inputs: dict[str, Tensor] = {}
    with torch.no_grad(), _only_fitting(model), _watched(layers, inputs):
        for batch in batches:
            model(batch) if forward is None else forward(model, batch)
    if not inputs:
        raise ValueError("batches must hold at least one batch, got none")
    gains = ((name, _gain(layers[name], image)) for name, image in inputs.items())
    return {name: gain for name, gain in gains if gain is not None}


@contextmanager
def _only_fitting(model: nn.Module) -> Any:
    """Within, running predictors are fitted to every batch, and all else is as in evaluation."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    running = [module for module, _ in modes if isinstance(module, RunningPredictors)]
    for one in running:
        one.fits_always = one.training = True
    try:
        yield
    finally:
        for one in running:
            one.fits_always = False
        for module, training in modes:
            module.training = training


@contextmanager
def _watched(layers: dict[str, Any], inputs: dict[str, Tensor]) -> Any:
    """Within, the last input of each layer is kept."""

    def keep(name: str) -> Callable[..., None]:
        return lambda layer, arguments: inputs.update({name: arguments[0].detach()})

    handles = [layer.register_forward_pre_hook(keep(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _gain(layer: Any, image: Tensor) -> float | None:
    """Return the error of predicting the samples near the edges of an image, relative to the mode before.

    None if nothing is left to predict them from.
    """
    axes, geometry = layer.axes, layer.geometry
    image = image if image.ndim > axes + 1 else image.unsqueeze(0)
    inside = image
    for axis, dim in enumerate(geometry.dims):
        width = geometry.before[axis], geometry.after[axis]
        if image.shape[dim] <= sum(width):
            return None
        inside = inside.narrow(dim, width[0], image.shape[dim] - sum(width))
    running = layer.predictors
    new = _error(running.extension(), image, inside, geometry)
    old = _error(boundary(running.mode_before), image, inside, geometry)
    return new / old if old else float(new > 0)


def _error(mode: Boundary, image: Tensor, inside: Tensor, geometry: Geometry) -> float:
    return (mode.extend(inside, geometry) - image).abs().mean().item()
