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

    Running averages that the layers have already are given up: all batches have the same weight.

    Args:
        model: with layers that track running statistics.
        batches: what the network is called with: tensors, or what `forward` takes.
        forward: calls the network with a batch; ``model(batch)`` if None.

    Returns:
        For each such layer, by name, how well it predicts: the samples near the edges of its last input are hidden,
        and predicted from the others. The mean absolute error of the new predictors, divided by that of the mode that
        the layer had before `convert` (zeros if it had none, or one that extends no images by itself). Layers whose
        images are no larger than their padding at both ends are left out.

    Raises:
        ValueError: no layer tracks running statistics, or there is no batch.
        TypeError: `model` is no module, `batches` are not several, or one is no tensor and `forward` is not given.

    Example:
        >>> import diff_conv2d
        >>> network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))
        >>> network = diff_conv2d.convert(network, "adaptive", track_running_stats=True, verbose=False)
        >>> waves = torch.sin(torch.arange(32.0) / 4).expand(8, 1, 32, 32)
        >>> sorted(calibrate(network, [waves, waves.mT]))
        ['0', '2']
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if isinstance(batches, (Tensor, str)) or not isinstance(batches, Iterable):
        raise TypeError(f"batches must be several batches, such as a list of them, got {type(batches).__name__}")
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

    def call(batch: Any) -> None:
        if forward is not None:
            forward(model, batch)
            return
        if not isinstance(batch, Tensor):
            raise TypeError(
                f"batches must hold tensors, got {type(batch).__name__}; otherwise give forward, such as "
                "lambda model, batch: model(batch[0])"
            )
        model(batch)

    last, count = None, 0
    gains: dict[str, float] = {}
    with torch.no_grad(), _as_in_evaluation(model):
        with _only_fitting(layers.values()):
            for batch in batches:
                call(batch)
                last, count = batch, count + 1
            if not count:
                raise ValueError("batches must hold at least one batch, got none")
        with _measured(layers, gains):
            call(last)
    return gains


@contextmanager
def _as_in_evaluation(model: nn.Module) -> Any:
    """Within, all modules are in evaluation mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _only_fitting(layers: Iterable[Any]) -> Any:
    """Within, running predictors begin anew and are fitted to every batch; an error gives them back what they had."""
    running = [layer.predictors for layer in layers]
    before = [{name: buffer.clone() for name, buffer in one.named_buffers()} for one in running]
    for one in running:
        one.reset_parameters()
        one.fits_always = one.training = True
    try:
        yield
    except BaseException:
        for one, buffers in zip(running, before, strict=True):
            one.load_state_dict(buffers)
        raise
    finally:
        for one in running:
            one.fits_always = one.training = False


@contextmanager
def _measured(layers: dict[str, Any], gains: dict[str, float]) -> Any:
    """Within, each call of a layer writes its gain."""

    def measure(name: str) -> Callable[..., None]:
        def hook(layer: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            gain = _gain(layer, arguments[0] if arguments else named["input"])
            if gain is not None:
                gains[name] = gain

        return hook

    handles = [layer.register_forward_pre_hook(measure(name), with_kwargs=True) for name, layer in layers.items()]
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
    mode = boundary(running.mode_before)
    if not mode.extends or mode.needs_layer:
        mode = boundary("zeros")
    new, old = _error(running.extension(), image, inside, geometry), _error(mode, image, inside, geometry)
    return new / old if old else float(new > 0)


def _error(mode: Boundary, image: Tensor, inside: Tensor, geometry: Geometry) -> float:
    return (mode.extend(inside, geometry) - image).abs().mean().item()
