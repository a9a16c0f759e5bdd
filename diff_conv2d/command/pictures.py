"""Images in files, read as tensors and written again: arrays of numpy always, pictures where Pillow is installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from types import ModuleType

try:
    import numpy as np
except ImportError as error:
    raise ImportError('images need numpy: pip install "diff-conv2d[images]"') from error

__all__ = ["Picture", "beside", "pillow", "pixels", "read_picture", "write_picture"]

_INSTALL = 'pip install "diff-conv2d[images]"'
# What Pillow calls pictures of one channel of 16 bits.
_OF_16_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
# Channels of an array whose last axis they are.
_MOST_CHANNELS = 4


@dataclass(frozen=True)
class Picture:
    """An image, and how its file shows it.

    Attributes:
        values: (channels, height, width), float32, or float64 where float32 cannot hold them.
        white: the value of white, 255 or 65535; None if the file has no such, as one of floating point.
        alpha: the opacity, (height, width), in the same units; None if there is none.
        valid: (height, width), False where a pixel is transparent or NaN; None if all are valid.
        note: what was lost on reading, a sentence; empty if nothing was.
    """

    values: Tensor
    white: float | None = None
    alpha: Tensor | None = None
    valid: Tensor | None = None
    note: str = ""

    def __str__(self) -> str:
        channels, height, width = self.values.shape
        outside = "" if self.valid is None else f", {100 * (~self.valid).float().mean().item():.2g} % masked"
        return f"{height} rows x {width} columns, {channels} channel{'s' * (channels > 1)}{outside}"


def pillow() -> ModuleType | None:
    """Return the module of Pillow's images; None if it is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def read_picture(path: Path) -> Picture:
    """Read an image.

    Transparent pixels and NaN are masked. Colours are taken as they are in the file, 0 to 255 or 65535.

    Args:
        path: of a file .npy, which holds (height, width) or (height, width, channels), or of any picture that Pillow
            or imageio reads.

    Raises:
        OSError: the file is not there, or cannot be read.
        ValueError: it holds no such image.
        ImportError: it is a picture, and neither Pillow nor imageio is installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.suffix.lower() == ".npy":
        return _of_array(path, np.load(path, allow_pickle=False))
    image = pillow()
    try:
        if image is not None:
            return _read_by_pillow(image, path)
    # Pillow raises errors of many classes for files that are damaged.
    except Exception as error:
        if (array := _read_by_imageio(path)) is None:
            raise ValueError(f"{path} cannot be read as an image: {error}") from error
    else:
        array = _read_by_imageio(path)
    if array is None:
        raise ImportError(f"{path} is a picture, and reading it needs Pillow: {_INSTALL}; a file .npy needs nothing")
    return _of_array(path, array)


def _read_by_imageio(path: Path) -> Any:
    """Read what Pillow cannot, such as floating point colours; None where imageio is missing or cannot either."""
    try:
        return import_module("imageio.v3").imread(path)
    except Exception:
        return None


def _read_by_pillow(image: Any, path: Path) -> Picture:
    from PIL import ImageOps

    # The limit protects servers from strangers; this is one's own file.
    limit, image.MAX_IMAGE_PIXELS = image.MAX_IMAGE_PIXELS, None
    try:
        with image.open(path) as opened:
            deep = opened.format == "PNG" and _bits_of_png(path) == 16
            frames = getattr(opened, "n_frames", 1)
            picture = ImageOps.exif_transpose(opened)
    finally:
        image.MAX_IMAGE_PIXELS = limit
    notes = [f"the first of {frames} pictures is taken"] if frames > 1 else []
    if picture.mode in _OF_16_BITS or (picture.mode == "I" and deep):
        return _of_array(path, np.asarray(picture).astype(np.uint16), white=65535, notes=notes)
    if picture.mode in ("F", "I"):
        return _of_array(path, np.asarray(picture), notes=notes)
    if picture.mode == "1":
        picture = picture.convert("L")
    has_alpha = picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info
    gray = picture.mode in ("L", "LA", "La")
    if deep:
        notes.append("of its 16 bits the upper 8 are read, as Pillow does for colours")
    array = np.asarray(picture.convert(("LA" if gray else "RGBA") if has_alpha else ("L" if gray else "RGB")))
    if not has_alpha:
        return _of_array(path, array, white=255, notes=notes)
    return _of_array(path, array[..., :-1], white=255, notes=notes, alpha=array[..., -1])


def _bits_of_png(path: Path) -> int:
    """Return the bits of a sample, which Pillow does not tell: the ninth byte of the first chunk's data."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _of_array(path: Path, array: Any, white: float | None = None, notes: Any = (), alpha: Any = None) -> Picture:
    """Return the picture of an array (height, width) or (height, width, channels)."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] > _MOST_CHANNELS) or not array.size:
        raise ValueError(
            f"{path} must hold an image of shape (height, width), or (height, width, channels) with at most "
            f"{_MOST_CHANNELS} channels, got shape {array.shape}"
        )
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ValueError(f"{path} must hold real numbers of up to 64 bits, got dtype {array.dtype}")
    exact = np.result_type(array.dtype, np.float32)
    values = torch.from_numpy(np.array(array, exact).reshape(*array.shape[:2], -1)).movedim(-1, 0).contiguous()
    if values.isinf().any():
        raise ValueError(f"{path} must hold numbers that are finite, or NaN where there is none; it holds infinity")
    valid = ~values.isnan().any(0)
    opacity = None if alpha is None else torch.from_numpy(np.array(alpha, np.float32))
    if opacity is not None:
        valid &= opacity > 0
    if not valid.any():
        raise ValueError(f"{path} has no valid pixel: all are transparent or NaN")
    return Picture(values, white, opacity, None if valid.all() else valid, "; ".join(notes))


def beside(path: Path, *words: str, suffix: str | None = None) -> Path:
    """Return where a result is written if nobody says: beside the image, named after it.

    Example:
        >>> beside(Path("maps/dem.tif"), "adaptive", suffix=".png").as_posix()
        'maps/dem.adaptive.png'
    """
    name = ".".join([path.stem, *(re.sub("[^a-zA-Z0-9_.=-]+", "-", word) for word in words)])
    return path.with_name(name + (path.suffix if suffix is None else suffix))


def write_picture(path: Path, values: Tensor, white: float | None, alpha: Tensor | None = None) -> str:
    """Write an image (channels, height, width), and return what the file does not show, a sentence or none.

    A file .npy holds the values as they are, and so does a file .tif of one channel of floating point. Any other has
    8 bits, or 16 if white is 65535 and there is one channel. Where nothing is known to be white, the least value is
    black and the largest white.

    Raises:
        OSError: it cannot be written.
        ValueError: Pillow knows no such format.
        ImportError: it is a picture, and Pillow is missing.
    """
    if path.suffix.lower() == ".npy":
        np.save(path, (values[0] if len(values) == 1 else values.movedim(0, -1)).contiguous().numpy())
        return ""
    image = pillow()
    if image is None:
        raise ImportError(f"{path} is a picture, and writing it needs Pillow: {_INSTALL}; or write a file .npy")
    if path.suffix.lower() in (".tif", ".tiff") and white is None and len(values) == 1:
        image.fromarray(values[0].float().numpy()).save(path)
        return ""
    shown, note = pixels(values, white)
    if alpha is not None:
        shown = np.concatenate([shown, alpha.round().numpy().astype(np.uint8)[..., None]], -1)
    elif white == 65535 and len(values) == 1 and path.suffix.lower() in (".png", ".tif", ".tiff"):
        shown = values.round().clamp(0, white).numpy().astype(np.uint16).transpose(1, 2, 0)
    image.fromarray(shown[..., 0] if shown.shape[-1] == 1 else shown).save(path)
    return note


def pixels(values: Tensor, white: float | None) -> tuple[Any, str]:
    """Return an image as pixels of 8 bits, (height, width, channels) of gray or RGB, and what they do not show."""
    channels, known = len(values), values[values.isfinite()]
    low, high = (0.0, float(white)) if white else (known.min().item(), known.max().item())
    note = "" if white else f"{low:.4g} is black and {high:.4g} white"
    beyond = ((known < low - 0.5) | (known > high + 0.5)).double().mean().item() if white else 0.0
    if beyond:
        note = f"{100 * beyond:.2g} % of the values lie outside 0 to {high:.0f}, and are cut off"
    scaled = ((values - low) * (255 / ((high - low) or 1.0))).nan_to_num(0.0).round().clamp(0, 255)
    if channels not in (1, 3):
        scaled = scaled[:1] if channels == 2 else scaled[:3]
        note = "; ".join(filter(None, [note, f"the first {len(scaled)} of {channels} channels are shown"]))
    return scaled.to(torch.uint8).movedim(0, -1).numpy(), note
