"""What the benchmark measures on a GPU: networks, layers, filtering and inference; what matters most comes first."""

from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor, nn

from diff_conv2d.geometry import Algorithm
from experiments.benchmark.cases import Case, converted, has_axes, network_of, torch_layer

__all__ = ["CUDA_CASES", "CUDA_METHODS", "FUSED", "image_of", "methods_of", "network_with", "small"]

MODES = (
    "zeros",
    "replicate",
    "reflect",
    "diff",
    "adaptive_running",
    "adaptive",
    "symmetric",
    "extrapolate",
    "learned",
    "explicit",
)
#: Methods with one kernel for the frame, where the library has it. They come last, since a kernel can cost a process
#: its device.
FUSED = {
    f"{mode}_fused": mode
    for mode in ("diff", "adaptive_running", "adaptive", "symmetric", "extrapolate", "learned")
    if "fused" in get_args(Algorithm)
}
CUDA_METHODS = (*MODES, *FUSED)
# To compile a network takes half a minute, and more where each layer has a fit: only what is aimed at, that last.
COMPILED = tuple(
    method
    for mode in ("zeros", "diff", "adaptive_running", "adaptive")
    for method in CUDA_METHODS
    if FUSED.get(method, method) == mode
)
_WORDS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


def _network(name: str, shape: tuple[int, ...], dtype: torch.dtype, way: str, training: bool = True) -> Case:
    # bfloat16 by autocast and channels_last, as networks are trained; float32 as it is written.
    words = {"resnet18": "ResNet-18", "wide_unet": "UNet"}
    doing = "" if training else "inference, "
    title = f"{doing}{words[name]}, {'x'.join(map(str, shape))}, {_WORDS[dtype]}, {way}"
    last = dtype is torch.bfloat16
    group = "networks" if training else "inference"
    return Case(title, group, shape, training=training, dtype=dtype, channels_last=last, network=name, way=way)


def _layer(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, **options: int) -> Case:
    extra = "".join(f", {name} {value}" for name, value in options.items())
    title = f"{'x'.join(map(str, shape))}{extra}, {_WORDS[dtype]}"
    return Case(title, "layers", shape, dtype=dtype, **options)


NETWORKS = {"resnet18": (64, 3, 128, 128), "wide_unet": (8, 3, 256, 256)}
DTYPES = (torch.float32, torch.bfloat16)
LAYERS: tuple[tuple[tuple[int, ...], dict[str, int]], ...] = (
    ((32, 64, 56, 56), {}),
    ((32, 256, 14, 14), {}),
    ((32, 512, 7, 7), {}),
    ((16, 32, 224, 224), {}),
    ((16, 32, 112, 112), {"kernel": 7}),
)
OTHER_LAYERS: tuple[tuple[tuple[int, ...], dict[str, int]], ...] = (
    ((32, 64, 56, 56), {"groups": 64}),
    ((32, 64, 56, 56), {"stride": 2}),
    ((32, 64, 56, 56), {"dilation": 2}),
    ((32, 64, 4096), {}),
    ((4, 16, 64, 64, 64), {}),
)
CUDA_CASES = {
    case.name: case
    for case in (
        *(_network(name, shape, dtype, "eager") for name, shape in NETWORKS.items() for dtype in DTYPES),
        *(_layer(shape, **options) for shape, options in LAYERS),
        *(_network(name, shape, dtype, "graph") for name, shape in NETWORKS.items() for dtype in DTYPES),
        *(
            Case(
                f"filter, {images} x 2048x2048, {k}x{k}",
                "filtering",
                (images, 1, 2048, 2048),
                k,
                out_channels=1,
                training=False,
            )
            for images, k in ((1, 3), (1, 5), (1, 7), (16, 3))
        ),
        *(_network(name, shape, torch.float32, "eager", training=False) for name, shape in NETWORKS.items()),
        Case("inference, 1x64x56x56, float32", "inference", (1, 64, 56, 56), training=False),
        *(_network(name, shape, torch.float32, "compiled") for name, shape in NETWORKS.items()),
        *(_layer(shape, **options) for shape, options in OTHER_LAYERS),
        *(_layer(shape, torch.bfloat16, **options) for shape, options in LAYERS),
        *(_network(name, shape, torch.bfloat16, "compiled") for name, shape in NETWORKS.items()),
    )
}


def small(case: Case) -> Case:
    """Return a case of the same name that any machine does in a moment, to try the program."""
    if case.network:
        network = {"wide_unet": "unet"}.get(case.network, case.network)
        return replace(case, shape=(2, 3, 32, 32), network=network)
    channels = min(case.shape[1], 4)
    groups = channels if case.groups > 1 else 1
    return replace(case, shape=(2, channels, *(24 for _ in case.shape[2:])), groups=groups)


def methods_of(case: Case) -> list[str]:
    """Return the methods that a case is measured with, the reference first."""
    chosen = COMPILED if case.way == "compiled" else CUDA_METHODS
    return [method for method in chosen if case.network or has_axes(case, FUSED.get(method, method))]


def image_of(case: Case, device: torch.device) -> Tensor:
    """Return the input of a case: in float32 for a network, which casts it."""
    torch.manual_seed(0)
    image = torch.randn(case.shape, device=device).to(torch.float32 if case.network else case.dtype)
    return image.to(memory_format=torch.channels_last) if case.channels_last else image


def network_with(case: Case, method: str, image: Tensor) -> nn.Module:
    """Return the layer or the network of a case with a method, where and as the image is."""
    torch.manual_seed(0)
    mode, options = FUSED.get(method, method), {"algorithm": "fused"} if method in FUSED else {}
    if case.network:
        network = network_of(case, mode, **options)
    elif mode == "zeros":
        network = torch_layer(case, "zeros")
    else:
        network = converted(torch_layer(case, "zeros"), mode, **options)
    network = network.to(image.device, image.dtype)
    return network.to(memory_format=torch.channels_last) if case.channels_last else network
