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
    total = torch.zeros((), dtype=planes.dtype, device=planes.device)
    depth = fill.depth.to(planes.device) - 1
    for k in range(fill.values.maps):
        total = total + fill.values(planes, k) * shares[:, k].index_select(1, depth)
    return total


def _shares(planes: Tensor, fill: Fill) -> Tensor:
    r"""Return the share of each predictor, (B, predictors, depths).

    .. math:: a_k = \frac{e_k^{-16}}{\sum_l e_l^{-16}}

    with e the mean absolute error at the valid pixels that stand for outside pixels of a depth. Where none stands for
    a depth, the next shallower one counts, or the next deeper. Without any, or if no error is finite, the first
    predictor has it all.
    """
    maps, depths = fill.values.maps, int(fill.depth.max()) if len(fill.depth) else 0
    planes = planes.to(computing_dtype(planes.dtype))
    counts = fill.trial_depth.bincount(minlength=depths + 1)[1:].tolist()
    there = [depth for depth, count in enumerate(counts) if count]
    errors = planes.new_full((len(planes), maps, depths), torch.inf)
    known = planes[:, fill.known.to(planes.device)]
    of_trial = fill.trial_depth.to(planes.device) - 1
    for k in range(maps) if there else ():
        sums = planes.new_zeros(len(planes), depths)
        sums = sums.index_add(1, of_trial, (fill.trials(planes, k) - known).abs())
        means = sums / torch.tensor([max(1, count) for count in counts], device=planes.device)
        nearest = [min(there, key=lambda other: (abs(other - d), other)) for d in range(depths)]
        errors[:, k] = means[:, nearest]
    errors = torch.where(errors.isfinite(), errors, torch.inf)
    none = errors.isinf().all(1)
    errors[:, 0] = torch.where(none, 1.0, errors[:, 0])
    errors += torch.finfo(errors.dtype).tiny
    shares = (errors.amin(1, keepdim=True) / errors) ** _SHARPNESS
    return shares / shares.sum(1, keepdim=True)
