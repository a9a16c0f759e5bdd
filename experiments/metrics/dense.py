"""Errors of dense predictions by region: squared error, and confusion of classes."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

from experiments.metrics.regions import ATOMS, REGIONS, atoms, sum_by_atom

__all__ = ["LEFT_OUT_REGIONS", "RegionConfusion", "RegionError", "Results", "without_each_block"]

# By metric, by region.
Results = dict[str, dict[str, float]]

# Regions whose values are also computed without each block of the test set; all of them would be a long table.
LEFT_OUT_REGIONS = ("whole", "frame", "interior", "shell_0")


def without_each_block(compute: Callable[[Tensor], Results], blocks: int) -> dict[str, dict[str, list[float]]]:
    """The values that are left when one block of the test set is left out, block by block.

    Their spread tells how far a result depends on the choice of the test set (the jackknife).

    Args:
        compute: gives the values from the blocks that are kept, int64, (kept blocks,).
        blocks: how many there are.

    Returns:
        By metric, by region of `LEFT_OUT_REGIONS`: a value for each block; nothing where there is one block only, or
        where a region has no value without one of them.
    """
    if blocks < 2:
        return {}
    every = torch.arange(blocks)
    left = [compute(every[every != block]) for block in range(blocks)]
    return {
        metric: {
            region: [values[metric][region] for values in left]
            for region in LEFT_OUT_REGIONS
            if all(region in values[metric] for values in left)
        }
        for metric in left[0]
    }


class RegionError(Metric):
    r"""Mean squared error and PSNR of each region, over all images together.

    .. math:: \mathrm{PSNR} = 10 \log_{10} (R^2 / \mathrm{MSE})

    with R the range of the targets seen, which is one number for all regions. A region without a pixel has no value.

    Args:
        blocks: number of independent parts of the test set that sums are kept for.
    """

    full_state_update = False
    squares: Tensor
    counts: Tensor
    largest: Tensor
    smallest: Tensor

    def __init__(self, blocks: int = 1) -> None:
        super().__init__()
        self.blocks = blocks
        self.add_state("squares", torch.zeros(blocks, ATOMS, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(blocks, ATOMS, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("largest", torch.tensor(-torch.inf), dist_reduce_fx="max")
        self.add_state("smallest", torch.tensor(torch.inf), dist_reduce_fx="min")

    def update(self, prediction: Tensor, target: Tensor, block: Tensor | None = None) -> None:
        """Add a batch of predictions and targets, (N, C, H, W) each, and the block of each image, (N,)."""
        index = atoms(*target.shape[-2:], device=target.device)
        block = torch.zeros(len(target), dtype=torch.int64) if block is None else block
        squares = (prediction.float() - target.float()).square()
        self.squares.index_add_(0, block.to(target.device), sum_by_atom(squares, index).sum(1).to(self.squares))
        ones = sum_by_atom(torch.ones_like(squares), index).sum(1).to(self.counts)
        self.counts.index_add_(0, block.to(target.device), ones)
        self.largest = torch.maximum(self.largest, target.max().to(self.largest))
        self.smallest = torch.minimum(self.smallest, target.min().to(self.smallest))

    def compute(self) -> Results:
        """By metric, by region."""
        return self._of(torch.arange(self.blocks))

    def without_each_block(self) -> dict[str, dict[str, list[float]]]:
        """See `without_each_block`."""
        return without_each_block(self._of, self.blocks)

    def _of(self, kept: Tensor) -> Results:
        """The values of some blocks."""
        spread = (self.largest - self.smallest).double()
        squares, counts = (sums[kept.to(sums.device)].sum(0) for sums in (self.squares, self.counts))
        mse, psnr = {}, {}
        for region, members in REGIONS.items():
            count = counts[list(members)].sum()
            if count > 0:
                error = squares[list(members)].sum() / count
                mse[region] = error.item()
                psnr[region] = (10 * torch.log10(spread.square() / error)).item()
        return {"mse": mse, "psnr": psnr}


class RegionConfusion(Metric):
    r"""Mean intersection over union and accuracy of each region, over all images together.

    .. math:: \mathrm{IoU}_c = \frac{TP_c}{TP_c + FP_c + FN_c}

    The mean is over the classes that occur in the whole test set's targets or predictions of that region.

    For the whole image there are also the measures of the paper's segmentation (arXiv 2309.06370): `iou_micro`, the
    ratio of all classes' intersections to all their unions; `f1_micro`, which equals the accuracy where every pixel
    has one class; `f2_macro`, the mean over classes of

    .. math:: F_{2,c} = \frac{5 TP_c}{5 TP_c + 4 FN_c + FP_c};

    `accuracy_macro`, the mean over classes of the share of their pixels that are right; and `recall_per_image`, the
    mean over images of the share of pixels that are right.

    Args:
        num_classes: number of classes.
        ignore_index: a target that does not count.
        blocks: number of independent parts of the test set that sums are kept for.
    """

    full_state_update = False
    confusion: Tensor
    recalls: Tensor
    images: Tensor

    def __init__(self, num_classes: int, ignore_index: int | None = None, blocks: int = 1) -> None:
        super().__init__()
        self.num_classes, self.ignore_index, self.blocks = num_classes, ignore_index, blocks
        # (block, atom, target, prediction)
        shape = blocks, ATOMS, num_classes, num_classes
        self.add_state("confusion", torch.zeros(shape, dtype=torch.int64), dist_reduce_fx="sum")
        # The sum over images of the share of pixels that are right, and the number of images, by block.
        self.add_state("recalls", torch.zeros(blocks, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros(blocks, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor, block: Tensor | None = None) -> None:
        """Add a batch of predicted classes and targets, (N, H, W) each, and the block of each image, (N,)."""
        block = torch.zeros(len(target), dtype=torch.int64) if block is None else block
        block = block.to(target.device)
        index = (block[:, None, None] * ATOMS + atoms(*target.shape[-2:], device=target.device)).expand_as(target)
        kept = torch.ones_like(target, dtype=torch.bool) if self.ignore_index is None else target != self.ignore_index
        cells = (index[kept] * self.num_classes + target[kept]) * self.num_classes + prediction[kept]
        self.confusion += torch.bincount(cells, minlength=self.confusion.numel()).view_as(self.confusion)
        pixels = kept.flatten(1).sum(1)
        right = ((prediction == target) & kept).flatten(1).sum(1).double()
        counted = pixels > 0
        self.recalls.index_add_(0, block[counted], (right / pixels)[counted].to(self.recalls))
        self.images.index_add_(0, block[counted], torch.ones_like(block[counted]))

    def compute(self) -> Results:
        """By metric, by region."""
        return self._of(torch.arange(self.blocks))

    def without_each_block(self) -> dict[str, dict[str, list[float]]]:
        """See `without_each_block`."""
        return without_each_block(self._of, self.blocks)

    def _of(self, kept: Tensor) -> Results:
        """The values of some blocks."""
        confusion = self.confusion[kept.to(self.confusion.device)].sum(0)
        iou, accuracy = {}, {}
        for region, members in REGIONS.items():
            table = confusion[list(members)].sum(0).double()
            right, union = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
            if table.sum() > 0:
                accuracy[region] = (right.sum() / table.sum()).item()
                iou[region] = (right[union > 0] / union[union > 0]).mean().item()
        return {"mean_iou": iou, "accuracy": accuracy, **self._of_the_paper(confusion.sum(0).double(), kept)}

    def _of_the_paper(self, table: Tensor, kept: Tensor) -> Results:
        """The measures of the paper for the whole image, from the confusion (target, prediction)."""
        if table.sum() == 0:
            return {}
        right, wanted, given = table.diagonal(), table.sum(1), table.sum(0)
        occurs = wanted + given > 0
        f2 = 5 * right / (4 * wanted + given)
        values = {
            "iou_micro": right.sum() / (wanted + given - right).sum(),
            "f1_micro": right.sum() / table.sum(),
            "f2_macro": f2[occurs].mean(),
            "accuracy_macro": (right / wanted)[wanted > 0].mean(),
            "recall_per_image": self.recalls[kept.to(self.recalls.device)].sum() / self.images[kept].sum(),
        }
        return {name: {"whole": value.item()} for name, value in values.items()}
