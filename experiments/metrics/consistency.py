"""How steady a classifier's answer is when the image is shifted by some pixels."""

import torch
from torch import Tensor, nn

__all__ = ["shift_consistency"]


def shift_consistency(scores: nn.Module, images: Tensor, shift: int = 2) -> Tensor:
    """Whether the predicted class of a crop stays when the crop is shifted.

    Each image is cropped by `shift` on every side, which needs nothing from outside it; the crop in the middle is
    compared with the four that are shifted by `shift` along one axis.

    Source: the measure of R. Zhang (2019), Making Convolutional Networks Shift-Invariant Again, with crops.

    Args:
        scores: gives class scores (N, K) for images.
        images: (N, C, H, W), H and W above 2 `shift`.
        shift: pixels.

    Returns:
        float32, (N,): share of the four shifted crops with the class of the middle one.
    """
    height, width = (size - 2 * shift for size in images.shape[-2:])

    def predicted(top: int, left: int) -> Tensor:
        return scores(images[..., top : top + height, left : left + width]).argmax(1)

    middle = predicted(shift, shift)
    offsets = ((0, shift), (2 * shift, shift), (shift, 0), (shift, 2 * shift))
    return torch.stack([(predicted(*offset) == middle).float() for offset in offsets]).mean(0)
