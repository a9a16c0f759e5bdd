"""A program of a user's, which mypy --strict and pyright must accept, and which must run: `make dist` tries it."""

import torch
from torch import Tensor, nn

import diff_conv2d
from diff_conv2d import PaddingMode
from diff_conv2d.functional import DiffConv2d
from diff_conv2d.layers import DiffConv2dLayer


class Network(nn.Module):
    """Two convolutions, of one mode and of one for each side."""

    def __init__(self, mode: PaddingMode) -> None:
        super().__init__()
        self.first = diff_conv2d.Conv2d(3, 8, 3, padding=1, padding_mode=mode)
        self.second = diff_conv2d.Conv2d(8, 2, 3, padding="same", padding_mode=("circular", ("zeros", "diff")))

    def forward(self, image: Tensor) -> Tensor:
        """Two maps for an image."""
        hidden: Tensor = self.first(image)
        result: Tensor = self.second(hidden.relu())
        return result


def main() -> None:
    """Call what a user calls first."""
    image, weight = torch.rand(1, 3, 16, 20), torch.rand(4, 3, 3, 3)
    filtered: Tensor = diff_conv2d.conv2d(image, weight, padding="same", padding_mode="diff", degree=1)
    wider: Tensor = diff_conv2d.pad(image, (2, 2, 2, 2), mode="adaptive")
    papers: Tensor = DiffConv2d(kernel_size=3).conv2d(image, weight)
    layer: nn.Module = DiffConv2dLayer(3, 4, kernel_size=3)
    network: Network = Network("adaptive")
    diff_conv2d.convert(network, "replicate")
    sizes = [tuple(one.shape[-2:]) for one in (filtered, wider, papers, layer(image), network(image))]
    version: str = diff_conv2d.__version__
    print(version, *sizes)


if __name__ == "__main__":
    main()
