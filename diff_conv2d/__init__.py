"""Convolution of finite images: what lies beyond the edge, in one vocabulary.

    >>> import torch, diff_conv2d
    >>> image = torch.rand(1, 3, 32, 32)
    >>> weight = torch.rand(8, 3, 3, 3)
    >>> diff_conv2d.conv2d(image, weight, padding="same", padding_mode="diff").shape
    torch.Size([1, 8, 32, 32])

The paper: K. Leng and J. Thiyagalingam, Padding-free Convolution based on Preservation of Differential
Characteristics of Kernels, arXiv 2309.06370.
"""

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
