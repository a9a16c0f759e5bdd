"""Convolution of finite images: what lies beyond the edge, in one vocabulary.

    >>> import torch, diff_conv2d
    >>> image = torch.rand(1, 3, 32, 32)
    >>> weight = torch.rand(8, 3, 3, 3)
    >>> diff_conv2d.conv2d(image, weight, padding="same", padding_mode="diff").shape
    torch.Size([1, 8, 32, 32])

The paper: K. Leng and J. Thiyagalingam, Padding-free Convolution based on Preservation of Differential
Characteristics of Kernels, arXiv 2309.06370.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diff_conv2d.calibration import calibrate
    from diff_conv2d.conversion import convert
    from diff_conv2d.functional import DiffConv2d, conv1d, conv2d, conv3d, pad
    from diff_conv2d.layers import DiffConv2dLayer
    from diff_conv2d.modes import MODES, PaddingMode
    from diff_conv2d.modes.kept_predictors import fit
    from diff_conv2d.network_layers import (
        AvgPool1d,
        AvgPool2d,
        AvgPool3d,
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
    from diff_conv2d.overriding import override
    from diff_conv2d.torch_layers import Conv1d, Conv2d, Conv3d

#: The one place of the version: the package, CITATION.cff and CHANGELOG.md have the same.
__version__ = "1.0.0rc1"

__all__ = [
    "MODES",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "DiffConv2d",
    "DiffConv2dLayer",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Pad1d",
    "Pad2d",
    "Pad3d",
    "PaddingMode",
    "Unfold",
    "Upsample",
    "calibrate",
    "conv1d",
    "conv2d",
    "conv3d",
    "convert",
    "fit",
    "override",
    "pad",
]

#: The module of each name, which is loaded when the name is first asked for.
_MODULES = {
    "calibration": ("calibrate",),
    "conversion": ("convert",),
    "functional": ("DiffConv2d", "conv1d", "conv2d", "conv3d", "pad"),
    "layers": ("DiffConv2dLayer",),
    "modes": ("MODES", "PaddingMode"),
    "modes.kept_predictors": ("fit",),
    "network_layers": (
        "AvgPool1d",
        "AvgPool2d",
        "AvgPool3d",
        "ConvTranspose1d",
        "ConvTranspose2d",
        "ConvTranspose3d",
        "MaxPool1d",
        "MaxPool2d",
        "MaxPool3d",
        "Pad1d",
        "Pad2d",
        "Pad3d",
        "Unfold",
        "Upsample",
    ),
    "overriding": ("override",),
    "torch_layers": ("Conv1d", "Conv2d", "Conv3d"),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Return one of the names above, or a module of the library, and load it first."""
        if name in _PLACES:
            found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
            globals()[name] = found
            return found
        try:
            if not name.isidentifier():
                raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
            return import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
