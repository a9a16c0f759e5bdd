"""Pictures kept in files: read one at a time, and named when they cannot be read."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "normalise", "read_picture"]

# Mean and standard deviation of ImageNet's channels, red, green and blue, for values from 0 to 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def read_picture(path: str | Path, mode: str | None = None, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a picture as an array of bytes.

    Args:
        path: The file.
        mode: What to convert the picture to, such as ``"RGB"``, which repeats a grey one in three channels;
            ``None`` leaves it as it is.
        size: Rows and columns to resize the picture to, with bilinear weights that grow as it shrinks;
            ``None`` leaves them as they are.

    Returns:
        The pixels, :math:`(H, W)` or :math:`(H, W, C)`.

    Raises:
        ValueError: The file is missing, damaged or no picture; the message names it.

    Example:
        >>> read_picture("nowhere.png")
        Traceback (most recent call last):
        ...
        ValueError: nowhere.png cannot be read: no such file
    """
    try:
        with Image.open(path) as picture:
            converted = picture.convert(mode) if mode else picture
            if size is not None:
                converted = converted.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            return np.array(converted)
    except FileNotFoundError as error:
        raise ValueError(f"{path} cannot be read: no such file") from error
    # Pillow raises SyntaxError for some broken PNG files, and OSError, without the name, for a truncated JPEG.
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def normalise(pixels: np.ndarray) -> Tensor:
    """Turn bytes into what networks trained on ImageNet expect.

    Args:
        pixels: Bytes, uint8, :math:`(H, W, 3)`.

    Returns:
        The image, float32, :math:`(3, H, W)`, normalised by :data:`IMAGENET_MEAN` and :data:`IMAGENET_STD`.

    Example:
        >>> normalise(np.zeros((1, 1, 3), np.uint8)).flatten()
        tensor([-2.1179, -2.0357, -1.8044])
    """
    image = torch.from_numpy(pixels).permute(2, 0, 1).to(torch.float32).div_(255)
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return image.sub_(mean).div_(std).contiguous()
