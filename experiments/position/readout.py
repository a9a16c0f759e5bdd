"""A linear read-out of position from the features of a frozen network, and how far it is from the truth.

The test of M. A. Islam, S. Jia and N. D. B. Bruce (2020), How Much Position Information Do Convolutional Neural
Networks Encode?, arXiv 2001.08248: features of all stages are resized to one grid, and a small module is fitted to
predict from them a map that has nothing to do with the image, such as the horizontal coordinate. Three things differ.
Their module is a convolution of 3 x 3 trained by gradient descent; here it is one of 1 x 1, which has no edge of its
own, and its weights are those of ridge regression, so that no optimizer decides what is found. A difference of
predictions below `resolution` counts as none: rounding has an order too. A map without differences has correlation 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import rankdata
from torch import Tensor

__all__ = ["TARGETS", "Readout", "fit_readout", "mean_absolute_error", "spearman", "target_maps"]

TARGETS = ("horizontal", "vertical", "gaussian")
# Standard deviation of the Gaussian target, as a part of the way across.
SIGMA = 0.25
# A feature whose deviation is below this part of its size is constant but for rounding.
CONSTANT = 1e-5


def target_maps(size: int) -> Tensor:
    r"""The maps to predict, each from 0 to 1 over a grid: coordinates, and a bell around the centre.

    .. math:: u = \frac{j}{S - 1}, \quad v = \frac{i}{S - 1}, \quad
              g = \exp\Big(-\frac{(u - 1/2)^2 + (v - 1/2)^2}{2 \sigma^2}\Big), \quad \sigma = \tfrac14,

    the last one shifted and scaled to the range from 0 to 1.

    Args:
        size: rows and columns S of the grid.

    Returns:
        The maps in the order of `TARGETS`, float64, (3, S, S).

    Example:
        >>> horizontal, vertical, gaussian = target_maps(3)
        >>> horizontal.tolist()
        [[0.0, 0.5, 1.0], [0.0, 0.5, 1.0], [0.0, 0.5, 1.0]]
        >>> gaussian[1, 1].item(), gaussian[0, 0].item()
        (1.0, 0.0)
    """
    along = torch.linspace(0, 1, size, dtype=torch.float64)
    v, u = torch.meshgrid(along, along, indexing="ij")
    bell = torch.exp(-((u - 0.5).square() + (v - 0.5).square()) / (2 * SIGMA**2))
    return torch.stack([u, v, (bell - bell.min()) / (bell.max() - bell.min())])


@dataclass(frozen=True)
class Readout:
    """A linear map from the features of a pixel to its coordinates.

    Attributes:
        weights: (C, T), for T targets.
        offset: (T,).
        penalty: that was chosen.
    """

    weights: Tensor
    offset: Tensor
    penalty: float

    def __call__(self, features: Tensor) -> Tensor:
        """The predicted maps, (N, T, S, S), of features (N, C, S, S)."""
        return (torch.einsum("ncij,ct->ntij", features, self.weights) + self.offset[:, None, None]).double()


def fit_readout(
    features: Tensor, validation: Tensor, targets: Tensor, penalties: Sequence[float], rows: int = 4096
) -> Readout:
    r"""Fit the read-out to features at all pixels of some images, by ridge regression.

    With features :math:`x` shifted and scaled to mean 0 and variance 1 over pixels, and targets :math:`y`,

    .. math:: w = \arg\min_w \, \overline{|y - \bar y - w x|^2} + \lambda |w|^2,

    and the penalty :math:`\lambda` is the one with the least squared error on the validation images.

    Args:
        features: (N, C, S, S).
        validation: features of other images, (M, C, S, S).
        targets: (T, S, S).
        penalties: to choose from.
        rows: pixels whose products are summed at a time.

    Raises:
        ValueError: a feature is not finite.
    """
    pixels, maps = features.movedim(1, -1).flatten(0, -2), targets.flatten(1).T
    deviation, mean = torch.var_mean(pixels, 0, correction=0)
    if not bool(deviation.isfinite().all()):
        raise ValueError("the network has features that are not finite: nothing can be read from them")
    deviation = deviation.sqrt()
    size = (deviation.square() + mean.square()).sqrt()
    scale = torch.where(deviation > CONSTANT * size, deviation, torch.inf)
    offset = maps.mean(0)
    repeated = (maps - offset).repeat(len(features), 1)
    gram = features.new_zeros(len(scale), len(scale), dtype=torch.float64)
    product = features.new_zeros(len(scale), len(offset), dtype=torch.float64)
    for part, wanted in zip(pixels.split(rows), repeated.split(rows), strict=True):
        scaled = (part - mean) / scale
        gram += (scaled.T @ scaled).double() / len(pixels)
        product += scaled.double().T @ wanted / len(pixels)
    # One decomposition serves every penalty. Sums in float32 may leave eigenvalues just below 0.
    curvature, axes = torch.linalg.eigh(gram)
    found = []
    for penalty in penalties:
        shares = (axes.T @ product) / (curvature.clamp_min(0) + penalty)[:, None]
        weights = axes @ shares / scale[:, None]
        readout = Readout(weights.float(), (offset - mean.double() @ weights).float(), penalty)
        found.append(((readout(validation) - targets).square().mean().item(), penalty, readout))
    return min(found, key=lambda one: one[:2])[2]


def mean_absolute_error(predicted: Tensor, targets: Tensor) -> list[float]:
    """The mean of the absolute difference, for each target.

    Args:
        predicted: (N, T, S, S).
        targets: (T, S, S).
    """
    values: list[float] = (predicted - targets).abs().mean((0, 2, 3)).tolist()
    return values


def spearman(predicted: Tensor, targets: Tensor, resolution: float) -> list[float]:
    """Spearman's correlation of ranks of predicted and true coordinates, for each target: the mean over images.

    Args:
        predicted: (N, T, S, S).
        targets: (T, S, S).
        resolution: predictions are rounded to multiples of it; equal ones share their mean rank.

    Example:
        >>> maps = target_maps(4)
        >>> spearman(torch.stack([maps.exp(), -maps]), maps, 1e-3)
        [0.0, 0.0, 0.0]
        >>> spearman(maps[None].sqrt(), maps, 1e-3), spearman(1e-4 * maps[None], maps, 1e-3)
        ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    """
    found = _ranks((predicted / resolution).round())
    # Places of equal distance to the centre are equal but for rounding.
    true = _ranks(targets.round(decimals=9))
    norm = found.norm(dim=-1) * true.norm(dim=-1)
    correlation = (found * true).sum(-1) / torch.where(norm > 0, norm, 1)
    values: list[float] = correlation.mean(0).round(decimals=12).tolist()
    return values


def _ranks(maps: Tensor) -> Tensor:
    """The ranks of the pixels of each map, less their mean: (..., S, S) to (..., S^2)."""
    ranks = torch.from_numpy(rankdata(maps.flatten(-2).cpu().numpy(), axis=-1))
    return ranks - ranks.mean(-1, keepdim=True)
