"""Which predictor an image wants: each is tried where the truth is known, and weighed by its error."""

from __future__ import annotations

import torch
from torch import Tensor

from diff_conv2d.masks.fills import Fill
from diff_conv2d.precision import computing_dtype

__all__ = ["blended"]

# As in the mode 'adaptive': the power of the inverse error.
_SHARPNESS = 12


def blended(planes: Tensor, fill: Fill) -> Tensor:
    """Return the values of the outside pixels of images (B, pixels): the mean of all predictors, by their shares."""
    shares = _shares(planes.detach(), fill).to(planes.dtype)
    terms = [fill.values(planes, k) * shares[:, k].index_select(1, fill.depth - 1) for k in range(fill.values.maps)]
    return torch.stack(terms).sum(0)


def _shares(planes: Tensor, fill: Fill) -> Tensor:
    r"""Return the share of each predictor, (B, predictors, depths).

    .. math:: a_k = \frac{e_k^{-16}}{\sum_l e_l^{-16}}

    with e the mean absolute error at the valid pixels that stand for outside pixels of a depth. Where none stands for
    a depth, the next shallower one counts, or the next deeper. Without any, or if no error is finite, the first
    predictor has it all.
    """
    maps, depths, counts = fill.values.maps, fill.depths, fill.counts
    planes = planes.to(computing_dtype(planes.dtype))
    there = [depth for depth, count in enumerate(counts) if count]
    errors = planes.new_full((len(planes), maps, depths), torch.inf)
    if there:
        nearest = [min(there, key=lambda other: (abs(other - depth), other)) for depth in range(depths)]
        known, found = planes[:, fill.known], []
        for k in range(maps):
            misses = (fill.trials(planes, k) - known).abs()
            sums = planes.new_zeros(len(planes), depths).index_add(1, fill.trial_depth - 1, misses)
            found.append(sums[:, nearest] / sums.new_tensor([counts[depth] for depth in nearest]))
        errors = torch.stack(found, 1)
    errors = torch.where(errors.isfinite(), errors, torch.inf)
    none = errors.isinf().all(1)
    errors[:, 0] = torch.where(none, 1.0, errors[:, 0])
    errors += torch.finfo(errors.dtype).tiny
    shares = (errors.amin(1, keepdim=True) / errors) ** _SHARPNESS
    return shares / shares.sum(1, keepdim=True)
