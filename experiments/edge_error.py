"""The error of a method at the edge, measured as in the paper: against what lies beyond a crop."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from experiments.methods import Method
from experiments.models.halo import crop

__all__ = ["edge_errors", "frame", "frame_l1"]

# All kernels at once would write 100 MB for each image; sixteen at a time use the same memory again, which was
# measured to be four times faster. torch works on channels in blocks of 8: a multiple of 8 is best.
CHUNK = 16


def frame(image: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the frame of some width as four strips: top and bottom with the corners, left and right without."""
    middle = image[..., width:-width, :]
    return image[..., :width, :], image[..., -width:, :], middle[..., :width], middle[..., -width:]


def frame_l1(output: Tensor, truth: Tensor, width: int) -> float:
    """Average the absolute difference over the frames of some width of two stacks of images, (..., H, W)."""
    pairs = zip(frame(output, width), frame(truth, width), strict=True)
    differences = [(a - b).abs() for a, b in pairs]
    # A strip is summed in its own dtype, pairwise: rounding stays far below the error.
    return sum(d.sum().item() for d in differences) / sum(d.numel() for d in differences)


def edge_errors(images: Tensor, kernels: Tensor, methods: Mapping[str, Method]) -> dict[str, float]:
    r"""Measure how far each method is from the truth where its window leaves the image.

    .. math:: E = \frac{1}{K |I|} \sum_{w} \sum_{x \in I} |M(C, w)(x) - V(x)|

    with C the image cropped by k // 2 on each side, M the method's convolution of it with kernel w (one of K),
    V the valid convolution of the whole image, which has the size of C, and I the invalid pixels: those whose
    window leaves C, a frame of width k // 2.

    References:
        | K. Leng and J. Thiyagalingam, arXiv 2309.06370, section on filtering.

    Args:
        images: The whole image, :math:`(H, W)`, or several, :math:`(N, H, W)`, of which the mean is taken.
        kernels: Kernels, :math:`(K, k, k)`, k odd and at least 3, in the dtype of the image.
        methods: Functions of an image and kernels, as in ``experiments.methods``.

    Returns:
        The error of each method, in the unit of the image.

    Raises:
        ValueError: The kernels are not square and odd, or the image is so small that no interior is left.

    Example:
        Any polynomial of degree 1 or more extends a straight line exactly; repeating the last value does not.

        >>> import torch
        >>> from experiments.methods import METHODS
        >>> image = torch.arange(8.0).expand(8, 8)
        >>> edge_errors(image, torch.ones(1, 3, 3), {name: METHODS[name] for name in ("diff", "replicate")})
        {'diff': 0.0, 'replicate': 1.8}

    """
    width, samples = _frame_width(images, kernels), images.unsqueeze(-3)
    cropped = crop(samples, width)
    errors = dict.fromkeys(methods, 0.0)
    for chunk in kernels[:, None].split(CHUNK):
        truth = F.conv2d(samples, chunk)
        for name, method in methods.items():
            # The whole image is convolved although the frame is all we use: a method may look at any pixel
            # (circular at the other side, random at the statistics), so anything less would need to know it.
            errors[name] += frame_l1(method(cropped, chunk), truth, width) * len(chunk) / len(kernels)
    return errors


def _frame_width(images: Tensor, kernels: Tensor) -> int:
    """Return k // 2, or refuse what has no frame or no interior."""
    size = kernels.shape[-1]
    if kernels.ndim != 3 or kernels.shape[-2] != size or size % 2 == 0 or size < 3:
        raise ValueError(f"kernels must have shape (K, k, k) with k odd and at least 3, got {tuple(kernels.shape)}")
    # Crop (k - 1), then a frame (k - 1) around at least one interior pixel.
    if images.ndim not in (2, 3) or min(images.shape[-2:]) < 2 * size - 1:
        raise ValueError(
            f"images must be (H, W) or (N, H, W) of at least {2 * size - 1} samples for kernels of size {size}, "
            f"got shape {tuple(images.shape)}"
        )
    return size // 2
