"""Convolutions to try, each by name: what to add to or change in a plain 3x3 one."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Problem:
    """Sizes of an image, a kernel and how it is moved."""

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    padding: object
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    channels: tuple[int, int] = (2, 4)

    @property
    def axes(self):
        return len(self.kernel)

    @property
    def arguments(self):
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    def tensors(self, dtype=torch.float64, batch=2, seed=0):
        """Image, weight and bias."""
        generator = torch.Generator().manual_seed(seed)
        inner, outer = self.channels
        shapes = (batch, inner, *self.image), (outer, inner // self.groups, *self.kernel), (outer,)
        return tuple(torch.randn(shape, dtype=dtype, generator=generator) for shape in shapes)


PROBLEMS = {
    "3x3": Problem((7, 8), (3, 3), 1, (1, 1), (1, 1)),
    "5x5-same": Problem((9, 8), (5, 5), "same", (1, 1), (1, 1)),
    "7x7-stride-2": Problem((12, 11), (7, 7), 3, (2, 2), (1, 1)),
    "even-4x2-same": Problem((7, 8), (4, 2), "same", (1, 1), (1, 1)),
    "1x7": Problem((5, 9), (1, 7), (0, 3), (1, 1), (1, 1)),
    "7x1-same": Problem((9, 5), (7, 1), "same", (1, 1), (1, 1)),
    "1x1": Problem((4, 5), (1, 1), 0, (1, 1), (1, 1)),
    "valid": Problem((6, 7), (3, 3), "valid", (1, 1), (1, 1)),
    "padding-uneven-axes": Problem((7, 8), (3, 5), (2, 1), (1, 1), (1, 1)),
    "stride-3-1": Problem((10, 8), (3, 3), 1, (3, 1), (1, 1)),
    "dilation-2": Problem((9, 10), (3, 3), 2, (1, 1), (2, 2)),
    "dilation-3-1-same": Problem((13, 8), (3, 3), "same", (1, 1), (3, 1)),
    "dilation-2-stride-2": Problem((11, 12), (3, 3), 2, (2, 2), (2, 2)),
    "groups": Problem((7, 6), (3, 3), 1, (1, 1), (1, 1), groups=2),
    "depthwise-5x5": Problem((8, 7), (5, 5), 2, (1, 1), (1, 1), groups=4, channels=(4, 8)),
    "1d": Problem((9,), (3,), 1, (1,), (1,)),
    "1d-k5-stride-2-dilation-2": Problem((14,), (5,), 4, (2,), (2,)),
    "3d": Problem((5, 6, 4), (3, 3, 3), 1, (1, 1, 1), (1, 1, 1)),
    "3d-stride-2-same-depth": Problem((6, 7, 5), (3, 2, 3), (1, 0, 1), (2, 2, 1), (1, 1, 1)),
}
SMALLER_THAN_KERNEL = {
    "one-pixel": Problem((1, 1), (3, 3), 1, (1, 1), (1, 1)),
    "2x3-under-5x5": Problem((2, 3), (5, 5), 2, (1, 1), (1, 1)),
    "one-row-dilated": Problem((1, 6), (3, 3), 2, (1, 1), (2, 2)),
}
