"""A network converted to another boundary mode."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrize

from diff_conv2d.arguments import check_algorithm, is_sequence, per_axis, widths_of_padding
from diff_conv2d.geometry import Algorithm
from diff_conv2d.modes import AnyMode, boundary
from diff_conv2d.modes.base import Boundary
from diff_conv2d.modes.kept_predictors import RunningPredictors
from diff_conv2d.network_layers import (
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    BoundaryLayer,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    Pad1d,
    Pad2d,
    Pad3d,
    Unfold,
    Upsample,
)
from diff_conv2d.operations.extended import LEARNT, can_serve
from diff_conv2d.torch_layers import Conv1d, Conv2d, Conv3d, check_change

__all__ = ["convert"]

_Model = TypeVar("_Model", bound=nn.Module)
# Of a model that is a single convolution.
_ITSELF = "the model itself"
_PADS: dict[int, type[nn.Module]] = {1: Pad1d, 2: Pad2d, 3: Pad3d}
#: The kinds of layers, by what `what` calls them: torch's classes and ours.
_KINDS: dict[str, dict[type[nn.Module], type[nn.Module]]] = {
    "convolution": {nn.Conv1d: Conv1d, nn.Conv2d: Conv2d, nn.Conv3d: Conv3d},
    "transposed": {
        nn.ConvTranspose1d: ConvTranspose1d,
        nn.ConvTranspose2d: ConvTranspose2d,
        nn.ConvTranspose3d: ConvTranspose3d,
    },
    "pooling": {
        nn.MaxPool1d: MaxPool1d,
        nn.MaxPool2d: MaxPool2d,
        nn.MaxPool3d: MaxPool3d,
        nn.AvgPool1d: AvgPool1d,
        nn.AvgPool2d: AvgPool2d,
        nn.AvgPool3d: AvgPool3d,
    },
    "unfold": {nn.Unfold: Unfold},
    "upsampling": {nn.Upsample: Upsample},
    "padding": {
        getattr(nn, f"{name}{axes}d"): _PADS[axes]
        for name in ("ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad")
        for axes in (1, 2, 3)
    },
}
_LAYERS = {torchs: ours for kinds in _KINDS.values() for torchs, ours in kinds.items()}
_KIND_OF = {kind: what for what, kinds in _KINDS.items() for pair in kinds.items() for kind in pair}


def convert(
    model: _Model,
    padding_mode: AnyMode = "diff",
    degree: int | Sequence[int] | None = None,
    include: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    verbose: bool = True,
    algorithm: Algorithm = "auto",
    what: str | Sequence[str] | None = None,
    **options: Any,
) -> _Model:
    """Change the boundary mode of every layer of a network that has a boundary, in place.

    Each padded `torch.nn.Conv1d`, `Conv2d` and `Conv3d` becomes the layer of this library, and so do transposed
    convolutions, padded pooling, `Unfold`, linear and cubic `Upsample` and torch's padding layers. A layer stays the
    same object with the same Parameters, hooks, training flag, dtype and device, so that an existing optimizer keeps
    working. A mode that trains weights of its own adds Parameters, which must be added to the optimizer. Left alone
    are layers that read nothing outside the image, classes derived from torch's with a forward of their own (a
    derived class without one, such as torchvision's `Conv3DSimple`, becomes the plain layer), and functions that a
    network calls by hand, for which there is `override`. Modes without an extended image (`partial`, `explicit`) and
    modes that keep weights serve convolutions alone.
    Converting back to 'zeros' restores the outputs of a network of zero padding to the bit: for all layers but
    convolutions and padding layers 'zeros' stands for what torch does by itself. A layer that has the mode
    already keeps its edge kernels. Converted to another mode it loses them; converted back it gets new ones, copies
    of its kernel. Parametrizations (such as weight_norm) and pruning stay, but modes with edge kernels are refused
    there, since the edge kernels would not follow.

    Converting a network that is trained already changes what it computes at every edge, and costs accuracy until
    the network is fine-tuned. A ResNet-18 trained with zero padding has an accuracy of 0.668. Converted, and not
    trained further, it has 0.486 (`replicate`), 0.486 (`adaptive`) and 0.187 (`diff` of degree 2), where always
    answering the most frequent class gives 0.175. After 60 steps of fine-tuning it has 0.634, 0.627 and 0.646,
    and with zero padding, fine-tuned alike, 0.652. The error of a UNet in the frame of 8 px, compared with zero
    padding: `adaptive` -12 %, `diff` -1 %, `partial` 2.4 times; after 60 steps -14 %, -9 % and +16 %. (Means over
    3 seeds.) Convert before training, or fine-tune after converting. After
    ``convert(model, "adaptive", track_running_stats=True)``, `calibrate` fits the running predictors to a few
    batches, and tells for each layer how much better they predict than its old mode.

    Args:
        model: the network, or a single convolution.
        padding_mode: a name of the vocabulary, see `modes`; or one for each axis or each end, see `conv2d`.
        degree: for 'diff' and 'extrapolate', the degree for every layer. 'diff' without it is of degree 6 for the 7x7
            stem of a ResNet, which multiplies noise by hundreds; 1 or 2 is wiser there.
        include: only layers whose name (as in `named_modules`) matches one of these patterns, such as 'layer1.*'.
        exclude: no layers whose name matches one of these patterns.
        verbose: print what was changed and what was not.
        algorithm: how the sums of convolutions are computed, see `conv2d`.
        what: kinds of layers, one or several of 'convolution', 'transposed', 'pooling', 'unfold', 'upsampling' and
            'padding'; all if None.
        options: further options of the mode.

    Returns:
        `model`.

    Raises:
        ValueError: if there is no such mode, `include` or `exclude` match no such layer, or a mode with edge kernels
            meets a parametrized layer. The network is then as it was.
        TypeError: if `model` is no module, or the mode has no such option.

    Example:
        >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 8, 1))
        >>> network = convert(network, "diff", degree=1)
        convert: 1 layer now has padding_mode='diff', degree=1: 0
        convert: 1 left alone: 1 (no padding)
        convert: a network that is trained already has learnt its old boundary: fine-tune it, or see calibrate
        >>> network[0]
        Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), padding_mode=diff, degree=1)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if isinstance(model, torch.jit.ScriptModule):
        raise TypeError("model must not be compiled by torch.jit: convert it first, then script or trace it")
    options = {"degree": degree, **options}
    mode = boundary(padding_mode, **options)
    check_algorithm(algorithm)
    mode.algorithm_for(algorithm)
    if mode.trained and any(isinstance(m, DistributedDataParallel) for m in model.modules()):
        raise ValueError(
            f"model must not be a DistributedDataParallel for padding_mode={padding_mode!r}: its weights would "
            "not be synchronised. Convert the network, then wrap it"
        )
    kinds = _kinds(what)
    # A layer that is used twice has several names.
    known: tuple[type[nn.Module], ...] = (nn.modules.conv._ConvNd, BoundaryLayer, *_LAYERS)
    names: dict[str, nn.Module] = {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, known) and ((kind := _layer_class(module)) is None or _KIND_OF[kind] in kinds)
    }
    included = _matching("include", include, names) if include is not None else set(names)
    excluded = _matching("exclude", exclude, names) if exclude is not None else set()
    layers = {name: module for name, module in model.named_modules() if name in names}
    chosen, left = [], {}
    for name, layer in layers.items():
        kind, own = _layer_class(layer), {other for other, module in names.items() if module is layer}
        reason = "not included" if not own & included else "excluded" if own & excluded else _why_not(layer, mode)
        if reason:
            left[name] = reason
        elif kind:
            # All are checked before the first is changed, so that an error leaves the network as it was.
            axes = _axes_of(kind, layer)
            if axes is not None:
                mode.check(axes)
            if _KIND_OF[kind] == "convolution":
                check_change(layer, mode, name or "the model")
            chosen.append(name)
    for name in chosen:
        layer = layers[name]
        kept = getattr(layer, "predictors", None)
        before = getattr(layer, "_mode", getattr(layer, "padding_mode", "zeros"))
        before = kept.mode_before if isinstance(kept, RunningPredictors) else before
        _become_ours(layer)
        if isinstance(layer, BoundaryLayer):
            layer._set_mode(padding_mode, {name: value for name, value in options.items() if value is not None})
            continue
        layer._set_mode(padding_mode, algorithm, options)
        if isinstance(layer.predictors, RunningPredictors):
            layer.predictors.mode_before = before
    if verbose:
        given = [f"padding_mode={padding_mode!r}", *(f"{k}={v}" for k, v in options.items() if v is not None)]
        _say(f"{_count(chosen)} now {'has' if len(chosen) == 1 else 'have'} {', '.join(given)}", chosen)
        if left:
            _say(f"{len(left)} left alone", [f"{name or _ITSELF} ({reason})" for name, reason in left.items()])
        if chosen:
            print(f"convert: {LEARNT}")
    return model


def _kinds(what: str | Sequence[str] | None) -> set[str]:
    """Return the kinds of layers to convert."""
    several = list(_KINDS) if what is None else [what] if isinstance(what, str) else what
    if not is_sequence(several) or not all(isinstance(kind, str) for kind in several):
        raise TypeError(f"what must be a word or a sequence of them, such as 'pooling'; got {what!r}")
    for kind in several:
        if kind not in _KINDS:
            raise ValueError(f"what must be of {', '.join(_KINDS)}; got {kind!r}")
    return set(several)


def _layer_class(layer: nn.Module) -> type[nn.Module] | None:
    """Return the class of this library that replaces a layer; None if there is none."""
    kind = parametrize.type_before_parametrizations(layer)
    for torchs, ours in _LAYERS.items():
        if kind is ours:
            return ours
        if issubclass(kind, torchs):
            own = ("forward", "_conv_forward", "__call__", "__getattr__", "weight", "bias")
            same = all(getattr(kind, name, None) is getattr(torchs, name, None) for name in own)
            return ours if same and not isinstance(layer, nn.modules.lazy.LazyModuleMixin) else None
    return None


def _axes_of(kind: Any, layer: nn.Module) -> int | None:
    """Return the spatial axes of a layer that becomes one of this kind."""
    axes: int | None = kind.axes_of(layer) if issubclass(kind, BoundaryLayer) else kind.axes
    return axes


def _become_ours(layer: nn.Module) -> None:
    """Give a layer another class in place, so that references to the layer and its Parameters stay valid."""
    ours = _layer_class(layer)
    if ours is None or isinstance(layer, ours):
        return
    kind: type[nn.Module] = ours
    if parametrize.is_parametrized(layer):
        # torch has made a class for this layer alone; its properties compute the parameters.
        own = {name: value for name, value in vars(type(layer)).items() if name not in ("__dict__", "__weakref__")}
        kind = type(f"Parametrized{ours.__name__}", (ours,), own)
    layer.__class__ = kind
    if _KIND_OF[ours] == "convolution":
        for name in ("kernel_size", "stride", "padding", "dilation"):
            # torch's layer accepts any value; setting it here checks and normalises it.
            setattr(layer, name, getattr(layer, name))


def _why_not(layer: nn.Module, mode: Boundary) -> str | None:
    """Return why a layer is left alone, or None."""
    ours: Any = _layer_class(layer)
    if ours is None:
        return f"a {type(layer).__name__}"
    for name in ("_conv_forward", "forward"):
        if name in vars(layer):
            return f"its {name} is replaced"
    if issubclass(ours, BoundaryLayer):
        if not can_serve(mode):
            return f"{mode.name} is for convolutions alone"
        reason: str | None = ours.why_not(layer)
        return reason
    sizes: dict[str, Any] = vars(layer)
    axes = _axes_of(ours, layer) or 0
    kernel, stride, dilation = (
        per_axis(name, sizes[name], axes, minimum=1) for name in ("kernel_size", "stride", "dilation")
    )
    before, after = widths_of_padding(sizes["padding"], kernel, stride, dilation)
    return None if any(before) or any(after) else "no padding"


def _matching(argument: str, patterns: str | Sequence[str], names: dict[str, Any]) -> set[str]:
    """Return the names that match a pattern; a pattern without a match is an error."""
    found = set()
    several = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(several, Sequence) or not all(isinstance(pattern, str) for pattern in several):
        raise TypeError(f"{argument} must be a pattern or a sequence of them, such as 'layer1.*'; got {patterns!r}")
    for pattern in several:
        matches = {name for name in names if fnmatchcase(name, pattern)}
        if not matches:
            raise ValueError(f"{argument} has {pattern!r}, which matches no such layer; there are {', '.join(names)}")
        found |= matches
    return found


def _count(names: list[str]) -> str:
    return "1 layer" if len(names) == 1 else f"{len(names)} layers"


def _say(what: str, names: list[str], most: int = 6) -> None:
    shown = [name or _ITSELF for name in names[:most]]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    print(f"convert: {what}" + (": " if names else "") + ", ".join(shown + more))
