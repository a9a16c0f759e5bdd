"""What the benchmark measures: problems, and the methods that solve them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

import diff_conv2d
from diff_conv2d.layers import DiffConv2dLayer
from diff_conv2d.modes import boundary
from experiments.benchmark.filters import FILTERS, MASKED, filter_steps
from experiments.benchmark.timing import Periodic
from experiments.models.unet import UNet
from experiments.padding_configs import METHODS as PADDINGS
from experiments.padding_configs import mode_name, side_names

__all__ = ["CASES", "METHODS", "Case", "converted", "has_axes", "network_of", "steps", "torch_layer"]

# torch's own layers, and the two ways of the paper's interface, beside the modes of the library.
TORCH = ("reflect", "replicate", "circular")
WAYS = ("speed", "memory")
# Modes that differ from axis to axis or from end to end, by name.
PAIRS: dict[str, Any] = {
    mode_name(pair): pair
    for pair in (
        ("zeros", "circular"),
        ("replicate", "circular"),
        ("reflect", "replicate"),
        ("symmetric", "diff"),
        ("diff", "circular"),
        ("adaptive", "circular"),
        (("diff", "zeros"), ("zeros", "replicate")),
    )
}
# The modes of the layers other than convolutions.
OF_LAYERS = ("replicate", "reflect", "circular", "symmetric", "diff")
LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "ConvTranspose2d(4, 2, 1)": lambda channels: nn.ConvTranspose2d(channels, channels, 4, 2, 1),
    "ConvTranspose2d(3, 2, 1, 1)": lambda channels: nn.ConvTranspose2d(channels, channels, 3, 2, 1, 1),
    "MaxPool2d(3, 2, 1)": lambda _: nn.MaxPool2d(3, 2, 1),
    "AvgPool2d(3, 2, 1)": lambda _: nn.AvgPool2d(3, 2, 1),
    "Upsample(2, bilinear)": lambda _: nn.Upsample(scale_factor=2, mode="bilinear"),
}
# Options of the UNets; the paper's at a quarter of its width.
UNETS: dict[str, dict[str, Any]] = {
    "unet": {"width": 16, "depth": 3},
    "wide_unet": {"width": 32, "depth": 3},
    "paper_unet": {"width": 16, "depth": 4, "activation": "tanh"},
}
# Whatever `steps` may return.
METHODS = (
    *PADDINGS,
    *PAIRS,
    *(f"torch_{mode}" for mode in TORCH),
    *(f"diff_{way}" for way in WAYS),
    "scipy",
    "opencv",
    *MASKED,
)


@dataclass(frozen=True)
class Case:
    """One problem: a layer or a network, its input, and what is done with it."""

    name: str
    group: str
    shape: tuple[int, ...]
    kernel: int = 3
    out_channels: int | None = None
    groups: int = 1
    stride: int = 1
    dilation: int = 1
    training: bool = True
    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    network: str | None = None
    layer: str | None = None
    filter: str | None = None
    #: How it is run: as it is written ('eager'), by torch.compile ('compiled'), or as a CUDA graph ('graph').
    way: str = "eager"

    @property
    def reference(self) -> str:
        """The method whose time is 1: torch's own layer with zeros, or SciPy."""
        return "scipy" if self.filter else "zeros"

    @property
    def axes(self) -> int:
        """Spatial axes."""
        return len(self.shape) - 2


def _training_step(shape: tuple[int, ...], **options: object) -> Case:
    sizes = "x".join(map(str, shape))
    extra = "".join(f", {name.replace('_', ' ')} {value}" for name, value in options.items() if name != "group")
    return Case(f"{sizes}{extra}", shape=shape, **{"group": "cnn", **options})


CASES = {
    case.name: case
    for case in (
        # The cases over which geometric means are taken: what layers of CNNs look like.
        _training_step((8, 64, 56, 56)),
        _training_step((8, 256, 14, 14)),
        _training_step((8, 512, 7, 7)),
        _training_step((4, 32, 224, 224)),
        _training_step((4, 32, 112, 112), kernel=7),
        # Others.
        _training_step((8, 64, 56, 56), group="variants", groups=64),
        _training_step((8, 64, 56, 56), group="variants", stride=2),
        _training_step((8, 64, 56, 56), group="variants", dilation=2),
        _training_step((8, 64, 1024), group="variants"),
        _training_step((2, 16, 32, 32, 32), group="variants"),
        _training_step((1, 32, 512, 512), group="variants"),
        Case("8x64x56x56, channels last", "variants", (8, 64, 56, 56), channels_last=True),
        Case("8x64x56x56, bfloat16", "variants", (8, 64, 56, 56), dtype=torch.bfloat16),
        Case("inference, 1x64x56x56", "inference", (1, 64, 56, 56), training=False),
        Case("inference, 1x256x14x14", "inference", (1, 256, 14, 14), training=False),
        Case("call, 1x8x8x8", "inference", (1, 8, 8, 8), training=False),
        *(
            Case(f"filter, 2048x2048, {k}x{k}", "filtering", (1, 1, 2048, 2048), k, 1, training=False)
            for k in (3, 5, 7)
        ),
        Case("filter, 500x500, 100 kernels", "filtering", (1, 1, 500, 500), 3, 100, training=False),
        Case("ResNet-18, 8x3x128x128", "networks", (8, 3, 128, 128), network="resnet18"),
        Case("UNet, 4x3x128x128", "networks", (4, 3, 128, 128), network="unet"),
        # A mode for each side, and layers other than convolutions.
        *(
            Case(f"sides, {'x'.join(map(str, shape))}", "sides", shape)
            for shape in ((8, 64, 56, 56), (8, 256, 14, 14), (4, 32, 112, 112))
        ),
        *(
            Case(f"{layer}, {'x'.join(map(str, shape))}", "layers", shape, layer=layer)
            for layer, *shapes in (
                ("ConvTranspose2d(4, 2, 1)", (8, 64, 28, 28), (8, 128, 14, 14)),
                ("ConvTranspose2d(3, 2, 1, 1)", (8, 64, 28, 28)),
                ("MaxPool2d(3, 2, 1)", (8, 64, 112, 112), (8, 64, 56, 56)),
                ("AvgPool2d(3, 2, 1)", (8, 64, 56, 56)),
                ("Upsample(2, bilinear)", (8, 64, 56, 56), (8, 64, 28, 28), (8, 256, 14, 14)),
            )
            for shape in shapes
        ),
        # Filters by the names of SciPy, on arrays.
        *(
            Case(
                f"{name}, {str(dtype).removeprefix('torch.')}",
                "ndimage",
                (1, 1, 2048, 2048),
                dtype=dtype,
                filter=name,
            )
            for name in FILTERS
            for dtype in (torch.float32, torch.uint8, torch.int16)
        ),
        # The paper's experiment on wall time: its UNet, at a quarter of its width and 4 images instead of 64.
        Case("paper's UNet / 4, 4x3x224x224", "walltime", (4, 3, 224, 224), network="paper_unet"),
    )
}


def steps(case: Case, device: torch.device) -> dict[str, Callable[[], object]]:
    """Return for each method a function that does the case once, the case's reference among them."""
    if case.filter is not None:
        return filter_steps(case.filter, case.dtype)
    torch.manual_seed(0)
    image = torch.randn(case.shape, device=device).to(case.dtype)
    if case.channels_last:
        image = image.to(memory_format=torch.channels_last)
    if case.network is not None:
        return {m: _network_step(case, m, image) for m in PADDINGS if has_axes(case, m)}
    if case.layer is not None:
        return {mode: _layer_step(case, _other_layer(case, mode), image) for mode in ("zeros", *OF_LAYERS)}
    result: dict[str, Callable[[], object]] = {"zeros": _layer_step(case, torch_layer(case, "zeros"), image)}
    if case.group == "sides":
        modes = {name: name for pair in PAIRS.values() for name in side_names(pair)}
        for name, mode in (modes | PAIRS).items():
            layer = diff_conv2d.convert(torch_layer(case, "zeros"), mode, verbose=False)
            result[name] = _layer_step(case, layer, image)
        return result
    for mode in TORCH:
        result[f"torch_{mode}"] = _layer_step(case, torch_layer(case, mode), image)
    for method in PADDINGS:
        if method != "zeros" and has_axes(case, method):
            result[method] = _layer_step(case, converted(torch_layer(case, "zeros"), method), image)
    if case.axes == 2 and case.stride == case.dilation == 1:
        for way in WAYS:
            layer = DiffConv2dLayer(*_channels(case), case.kernel, groups=case.groups, optimized_for=way)
            result[f"diff_{way}"] = _layer_step(case, layer, image)
    if case.group == "filtering" and _channels(case)[1] == 1 and device.type == "cpu":
        result |= _image_libraries(case, image)
    return result


def _other_layer(case: Case, mode: str) -> nn.Module:
    """A layer other than a convolution: torch's own, or with a mode."""
    layer = LAYERS[case.layer or ""](case.shape[1])
    return layer if mode == "zeros" else diff_conv2d.convert(layer, mode, verbose=False)


def _channels(case: Case) -> tuple[int, int]:
    return case.shape[1], case.out_channels or case.shape[1]


def torch_layer(case: Case, mode: str) -> nn.Module:
    """Return torch's own layer with one of its modes."""
    kinds: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    width = case.dilation * (case.kernel - 1) // 2
    options = {"stride": case.stride, "dilation": case.dilation, "groups": case.groups, "padding_mode": mode}
    return kinds[case.axes - 1](*_channels(case), case.kernel, padding=width, bias=case.training, **options)


def has_axes(case: Case, method: str) -> bool:
    """Whether the library, which may be an earlier one, has the method for so many axes."""
    try:
        boundary(**_mode_of(method)).check(case.axes)
    except (TypeError, ValueError):
        return False
    return True


def _mode_of(method: str) -> dict[str, Any]:
    """The method's mode and options, as arguments of ours."""
    mode, *options = PADDINGS[method].items()
    return {"padding_mode": mode[1], **dict(options)}


def converted(network: nn.Module, method: str, **options: object) -> nn.Module:
    """Convert the convolutions of a network to a method, with further options of `convert`."""
    return diff_conv2d.convert(network, **_mode_of(method), **options, what="convolution", verbose=False)


def _periodic(step: Callable[[], object], network: nn.Module) -> Callable[[], object]:
    """Time a step of training over whole periods, if layers fit their running predictors now and then."""
    periods = [module.fit_every for module in network.modules() if hasattr(module, "fit_every")]
    if periods:
        return Periodic(step, periods[0])
    return step


def _layer_step(case: Case, layer: nn.Module, image: Tensor) -> Callable[[], object]:
    layer = layer.to(image.device, image.dtype)
    if not case.training:
        layer.requires_grad_(False)
        # Running predictors need a batch of training first.
        layer(image)
        layer.eval()

        def call() -> object:
            with torch.inference_mode():
                return layer(image)

        return call
    # In a network an image has a gradient too.
    leaf = image.clone().requires_grad_()
    gradient: list[Tensor] = []

    def train() -> object:
        leaf.grad = None
        layer.zero_grad()
        output = layer(leaf)
        if not gradient:
            gradient.append(torch.randn_like(output))
        return output.backward(gradient[0])

    return _periodic(train, layer)


def network_of(case: Case, method: str, **options: object) -> nn.Module:
    """Return the network of a case with a method, and further options of `convert`."""
    torch.manual_seed(0)
    if case.network == "resnet18":
        from torchvision.models import resnet18

        network = resnet18(num_classes=10)
    else:
        network = UNet(3, 3, **UNETS[case.network or ""])
    degree = {"degree": 2} if case.network == "resnet18" and method == "diff" else {}
    return converted(network, method, **degree, **options)


def _network_step(case: Case, method: str, image: Tensor) -> Callable[[], object]:
    network = network_of(case, method).to(image.device, image.dtype)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        output = network(image)
        target = torch.zeros_like(output)
        F.mse_loss(output, target).backward()
        optimizer.step()

    return _periodic(step, network)


def _image_libraries(case: Case, image: Tensor) -> dict[str, Callable[[], object]]:
    """SciPy and OpenCV on the same image; at the edge they repeat its samples."""
    array = image[0, 0].numpy()
    kernel = torch.randn(case.kernel, case.kernel).numpy()
    cv2.setNumThreads(torch.get_num_threads())
    output = np.empty_like(array)
    return {
        "scipy": lambda: ndimage.correlate(array, kernel, output=output, mode="nearest"),
        "opencv": lambda: cv2.filter2D(array, cv2.CV_32F, kernel, dst=output, borderType=cv2.BORDER_REPLICATE),
    }
