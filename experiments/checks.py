"""Check the settings of a program, and report at once all that cannot be used, each by its name.

A check takes the name of a setting, its value, and what is allowed; it returns the value as the program uses it, or
raises ValueError. `Reader` applies checks to a configuration.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterable
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from experiments.sentences import sentence

if TYPE_CHECKING:
    import torch

__all__ = [
    "LARGEST_SEED",
    "MOST_DEGREE",
    "MOST_KERNELS",
    "MOST_SAMPLES",
    "Reader",
    "choice",
    "different",
    "file_name",
    "finite",
    "folder",
    "integer",
    "integers",
    "kernel_sizes",
    "mapping",
    "names",
    "names_or_all",
    "number",
    "numbers",
    "optional",
    "processes",
    "shown",
    "text",
    "texts",
    "torch_device",
    "writable",
    "yes_or_no",
]

LARGEST_INTEGER, LARGEST_NUMBER = 2**31 - 1, 1e30
# The seeds of epochs and of their parts are made of it, and must fit into 64 bits.
LARGEST_SEED = 2**32 - 1
# Of the studies: samples along an axis of an image that memory holds several times, kernels drawn for it, and the
# degree of a polynomial, beyond which rounding alone is left.
MOST_SAMPLES, MOST_KERNELS, MOST_DEGREE = 8192, 100_000, 20


class Reader:
    """Reads a configuration setting by setting, and remembers what cannot be used until all of it has been read.

    Args:
        config: As composed.

    Example:
        >>> read = Reader(OmegaConf.create({"seed": -1, "size": "x"}))
        >>> read("seed", integer, 0), read("size", integer, 2 * 3)
        (None, None)
        >>> read.end()
        Traceback (most recent call last):
        ...
        ValueError: seed must be an integer of at least 0, got -1; size must be an integer of at least 6, got 'x'

    """

    def __init__(self, config: DictConfig) -> None:
        self.config, self.known, self.wrong = config, set[str](), list[str]()

    def __call__(self, key: str, check: Callable[..., Any], *allowed: Any) -> Any:
        """Return a setting as its check does; None if it cannot be used, which `end` tells."""
        self.known.add(key)
        try:
            if key not in self.config and not OmegaConf.is_missing(self.config, key):
                raise ValueError(f"{key} is missing")
            value = self.config[key]
            if OmegaConf.is_config(value):
                value = OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
            return check(key, value, *allowed)
        except MissingMandatoryValue:
            self.wrong.append(f"{key} must be given, as in {key}=...")
        except OmegaConfBaseException as error:
            self.wrong.append(sentence(error))
        except ValueError as error:
            self.wrong.append(str(error))
        return None

    def end(self, other: Collection[str] = ()) -> None:
        """Report every setting that cannot be used, and every setting that was never read, which has no effect.

        Args:
            other: Settings that may be there besides.

        Raises:
            ValueError: There is something to tell.

        """
        for key in self.config:
            if key not in self.known and key not in other:
                self.wrong.append(f"there is no setting {key}; there are {', '.join(sorted(self.known))}")
        if self.wrong:
            # A check of several settings together may have found what another has.
            raise ValueError("; ".join(dict.fromkeys(self.wrong)))


def optional(key: str, value: object, check: Callable[..., Any], *allowed: Any) -> Any:
    """Return None as it is, and anything else as a check does."""
    return None if value is None else check(key, value, *allowed)


def integer(key: str, value: object, least: int, most: int = LARGEST_INTEGER) -> int:
    """Return an integer, or refuse what is not one, too small or too large."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{key} must be an integer of at least {least}, got {shown(value)}")
    if value > most:
        raise ValueError(f"{key} must be an integer of at most {most}, got {shown(value)}")
    return value


def integers(key: str, value: object, least: int = 1, most: int = LARGEST_INTEGER) -> list[int]:
    """Return a list of different integers, each at least ``least``."""
    return [integer(f"each of {key}", item, least, most) for item in different(key, value)]


def number(key: str, value: object, least: float, most: float = LARGEST_NUMBER) -> float:
    """Return a finite number, or refuse what is not one, too small or too large."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not finite(value) or value < least:
        raise ValueError(f"{key} must be a number of at least {least}, got {shown(value)}")
    if value > most:
        raise ValueError(f"{key} must be a number of at most {most:g}, got {shown(value)}")
    return float(value)


def numbers(key: str, value: object, least: float = 0, most: float = LARGEST_NUMBER) -> list[float]:
    """Return a list of different finite numbers, each at least ``least``."""
    return [number(f"each of {key}", item, least, most) for item in different(key, value)]


def yes_or_no(key: str, value: object) -> bool:
    """Return true or false; a word such as `no` is neither, and would count as true."""
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false, got {shown(value)}")
    return value


def choice(key: str, value: object, allowed: Iterable[str]) -> str:
    """Return a name of a vocabulary."""
    allowed = list(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{key} must be one of {', '.join(allowed)}; got {shown(value)}")
    return value


def names(key: str, value: object, allowed: Iterable[str]) -> list[str]:
    """Return a list of different names of a vocabulary."""
    found, allowed = different(key, value), list(allowed)
    for name in found:
        if not isinstance(name, str) or name not in allowed:
            raise ValueError(f"{key} must be of {', '.join(allowed)}; got {shown(name)}")
    return found


def names_or_all(key: str, value: object, allowed: Iterable[str]) -> list[str]:
    """Return a list of different names of a vocabulary; null takes all of them."""
    return list(allowed) if value is None else names(key, value, allowed)


def different(key: str, value: object) -> list[Any]:
    """Return a list that holds something, and nothing twice."""
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key} must be a list of at least one item, as in {key}=[...], got {shown(value)}")
    if any(value.count(item) > 1 for item in value):
        raise ValueError(f"{key} must not hold an item twice, got {shown(value)}")
    return value


def kernel_sizes(key: str, value: object) -> list[int]:
    """Return a list of kernel sizes that the studies have kernels and degrees for."""
    sizes = different(key, value)
    if any(not isinstance(size, int) or size not in (3, 5, 7) for size in sizes):
        raise ValueError(f"{key} must be of 3, 5, 7; got {shown(sizes)}")
    return sizes


def text(key: str, value: object) -> str:
    """Return a text of one line that is not empty."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"{key} must be a text, got {shown(value)}")
    return value


def texts(key: str, value: object) -> list[str]:
    """Return a list of texts, which may be empty."""
    if not isinstance(value, list):
        raise ValueError(f"{key} must be a list, as in {key}=[...], got {shown(value)}")
    return [text(f"each of {key}", item) for item in value]


def mapping(key: str, value: object) -> dict[str, Any]:
    """Return a mapping, whose entries are settings of its own."""
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key} must have settings of its own, as in {key}={{name: value}}, got {shown(value)}")
    return value


def file_name(key: str, value: object) -> str:
    """Return a word that names the files of a study."""
    if not isinstance(value, str) or not value.isidentifier() or len(value) > 100:
        raise ValueError(f"{key} must be a word that can name a file, got {shown(value)}")
    return value


def folder(key: str, value: object) -> Path:
    """Return a path, with ~ as the home directory."""
    path = text(key, value)
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{key} must be a path, got {path!r}: {error}") from error


def processes(key: str, value: object, least: int = 1) -> int:
    """Return a number of processes or of threads, not so large that the machine could not start them."""
    return integer(key, value, least, max(64, 4 * (os.cpu_count() or 1)))


def torch_device(key: str, value: object) -> "torch.device":
    """Return the device of a name; auto is CUDA's where there is one."""
    import torch

    name, has_cuda = choice(key, value, ("auto", "cpu", "cuda")), torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise ValueError(f"{key}=cuda, but torch finds no CUDA device; {key}=auto takes what there is")
    return torch.device("cuda" if has_cuda and name != "cpu" else "cpu")


def writable(key: str, path: Path) -> None:
    """Try to write to a folder, because a failure is better known before the work than after it.

    Nothing is left behind: a program that then stops for another reason has made nothing.
    """
    made: list[Path] = []
    try:
        missing = [place for place in (path, *path.parents) if not place.exists()]
        for place in reversed(missing):
            place.mkdir(exist_ok=True)
            made.append(place)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (OSError, ValueError) as error:
        raise ValueError(f"{key}: nothing can be written to {path} ({sentence(error)})") from error
    finally:
        for place in reversed(made):
            # Somebody else may have put something there meanwhile.
            with contextlib.suppress(OSError):
                place.rmdir()


def finite(value: float) -> bool:
    """Whether a number is finite as a floating-point number."""
    try:
        return isfinite(value)
    except OverflowError:
        # An integer of more than 308 digits.
        return False


def shown(value: object) -> str:
    """A value as a message tells it, cut where it is long; Python does not print integers of many thousand digits."""
    try:
        told = repr(value)
    except ValueError:
        return "an integer of very many digits"
    return told if len(told) <= 100 else f"{told[:97]}..."
