"""Errors of dense predictions by region: squared error, and confusion of classes."""

import torch
from torch import Tensor
from torchmetrics import Metric

from experiments.metrics.regions import ATOMS, REGIONS, atoms, sum_by_atom

__all__ = ["RegionConfusion", "RegionError"]


class RegionError(Metric):
    r"""Mean squared error and PSNR of each region, over all images together.

    .. math:: \mathrm{PSNR} = 10 \log_{10} (R^2 / \mathrm{MSE})

    with R the range of the targets seen, which is one number for all regions. A region without a pixel has no value.
    """

    full_state_update = False
    squares: Tensor
    counts: Tensor
    largest: Tensor
    smallest: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("squares", torch.zeros(ATOMS, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(ATOMS, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("largest", torch.tensor(-torch.inf), dist_reduce_fx="max")
        self.add_state("smallest", torch.tensor(torch.inf), dist_reduce_fx="min")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch of predictions and targets, (N, C, H, W) each."""
        index = atoms(*target.shape[-2:], device=target.device)
        squares = (prediction.float() - target.float()).square()
        self.squares += sum_by_atom(squares, index).sum((0, 1)).to(self.squares)
        self.counts += sum_by_atom(torch.ones_like(squares), index).sum((0, 1)).to(self.counts)
        self.largest = torch.maximum(self.largest, target.max().to(self.largest))
        self.smallest = torch.minimum(self.smallest, target.min().to(self.smallest))

    def compute(self) -> dict[str, dict[str, float]]:
        """By metric, by region."""
        spread = (self.largest - self.smallest).double()
        mse, psnr = {}, {}
        for region, members in REGIONS.items():
            count = self.counts[list(members)].sum()
            if count > 0:
                error = self.squares[list(members)].sum() / count
                mse[region] = error.item()
                psnr[region] = (10 * torch.log10(spread.square() / error)).item()
        return {"mse": mse, "psnr": psnr}


class RegionConfusion(Metric):
    r"""Mean intersection over union and accuracy of each region, over all images together.

    .. math:: \mathrm{IoU}_c = \frac{TP_c}{TP_c + FP_c + FN_c}

    The mean is over the classes that occur in the whole test set's targets or predictions of that region.

    Args:
        num_classes: number of classes.
        ignore_index: a target that does not count.
    """

    full_state_update = False
    confusion: Tensor

    def __init__(self, num_classes: int, ignore_index: int | None = None) -> None:
        super().__init__()
        self.num_classes, self.ignore_index = num_classes, ignore_index
        # (atom, target, prediction)
        shape = ATOMS, num_classes, num_classes
        self.add_state("confusion", torch.zeros(shape, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch of predicted classes and targets, (N, H, W) each."""
        index = atoms(*target.shape[-2:], device=target.device).expand_as(target)
        kept = torch.ones_like(target, dtype=torch.bool) if self.ignore_index is None else target != self.ignore_index
        cells = (index[kept] * self.num_classes + target[kept]) * self.num_classes + prediction[kept]
        self.confusion += torch.bincount(cells, minlength=self.confusion.numel()).view_as(self.confusion)

    def compute(self) -> dict[str, dict[str, float]]:
        """By metric, by region."""
        iou, accuracy = {}, {}
        for region, members in REGIONS.items():
            table = self.confusion[list(members)].sum(0).double()
            right, union = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
            if table.sum() > 0:
                accuracy[region] = (right.sum() / table.sum()).item()
                iou[region] = (right[union > 0] / union[union > 0]).mean().item()
        return {"mean_iou": iou, "accuracy": accuracy}
