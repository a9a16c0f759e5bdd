"""A data set as every part of the training sees it."""

from dataclasses import dataclass

from torch.utils.data import Dataset

__all__ = ["TASKS", "Splits"]

TASKS = ("classification", "segmentation", "super_resolution")


@dataclass(frozen=True)
class Splits:
    """Training, validation and test data of one task.

    Items are pairs of an image, float32 (C, H, W), and a target: a class, int64 scalar (classification); a class for
    each pixel, int64 (H, W) (segmentation); or a clear image, float32 (1, H, W) (super-resolution).

    Args:
        task: one of ``TASKS``.
        train: training data.
        validation: data to watch the training by.
        test: held-out data, for the result.
        in_channels: channels of an image.
        image_size: height and width of an image.
        classes: names of the classes, by number.
        ignore_index: a target that counts in neither loss nor metrics.

    Raises:
        ValueError: the task is unknown.
    """

    task: str
    train: Dataset
    validation: Dataset
    test: Dataset
    in_channels: int
    image_size: tuple[int, int]
    classes: tuple[str, ...] = ()
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        """Check the task."""
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}; got {self.task!r}")
