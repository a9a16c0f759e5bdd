"""A mean over images, kept apart for the independent parts of a test set."""

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["BlockMean"]


class BlockMean(Metric):
    """The mean of a number over all images.

    Args:
        blocks: number of independent parts of the test set that sums are kept for.

    Example:
        >>> metric = BlockMean(blocks=2)
        >>> metric.update(torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0, 0, 1]))
        >>> round(metric.compute().item(), 4), metric.without_each_block()
        (0.6667, [1.0, 0.5])
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, blocks: int = 1) -> None:
        super().__init__()
        self.blocks = blocks
        self.add_state("sums", torch.zeros(blocks, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(blocks, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, values: Tensor, block: Tensor | None = None) -> None:
        """Add the number of each image, (N,), and the block of each, (N,)."""
        block = torch.zeros(len(values), dtype=torch.int64) if block is None else block
        block = block.to(values.device)
        self.sums.index_add_(0, block, values.to(self.sums))
        self.counts.index_add_(0, block, torch.ones_like(block))

    def compute(self) -> Tensor:
        """The mean, float64."""
        return self.sums.sum() / self.counts.sum()

    def without_each_block(self) -> list[float]:
        """The mean of what is left without each block; empty where there is one only."""
        if self.blocks < 2:
            return []
        return ((self.sums.sum() - self.sums) / (self.counts.sum() - self.counts)).tolist()
