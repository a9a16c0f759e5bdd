"""Trained networks converted to another boundary mode, tested, and trained further."""

from collections.abc import Iterator
from itertools import islice

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.utils.data import DataLoader

from diff_conv2d import calibrate, convert
from diff_conv2d.modes.kept_predictors import RunningPredictors
from experiments.data.splits import Splits
from experiments.finetuning.settings import Settings
from experiments.metrics.block_mean import BlockMean
from experiments.metrics.dense import RegionError, Results
from experiments.tasks.classification import Classification
from experiments.tasks.task import Batch, Task, TrainingDivergedError
from experiments.training.train import build_task

__all__ = ["calibrated", "chance", "converted", "fine_tuned", "measured", "training_batches"]


def converted(config: DictConfig, data: Splits, weights: dict[str, Tensor], padding: DictConfig) -> Task:
    """A trained network, converted.

    Args:
        config: the settings of the run that trained it.
        data: what it was trained on.
        weights: from `experiments.trained_networks.trained_weights`.
        padding: the mode to convert to and its options, as in configs/padding.
    """
    task = build_task(config, data)
    task.load_state_dict(weights)
    options = OmegaConf.to_container(padding, resolve=True)
    mode = options.pop("mode")
    given = {str(k): tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    convert(task.network, mode, verbose=False, what="convolution", **given)
    return task


def calibrated(task: Task, data: Splits, config: DictConfig, settings: Settings) -> dict[str, float]:
    """Fit the running predictors of a converted network, if it has any, to the first batches of fine-tuning.

    Returns:
        For each layer, what `diff_conv2d.calibrate` says: the error of predicting samples near the edges, relative to
        that of the mode before.
    """
    if not any(isinstance(module, RunningPredictors) for module in task.modules()):
        return {}
    batches = islice(training_batches(data, config), settings.calibration_batches)
    return calibrate(task.to(settings.device), (images.to(settings.device) for images, _ in batches))


@torch.no_grad()
def measured(task: Task, data: Splits, config: DictConfig, device: torch.device) -> Results:
    """Test a network, in evaluation mode, as a run does at its end.

    Returns:
        By metric, by region: accuracy of a classifier, mean squared error of a super-resolution.
    """
    task.to(device).eval()
    accuracy, error = BlockMean(), RegionError().to(device)
    # Random padding draws noise: the same after every step.
    torch.manual_seed(config.seed)
    limit = config.trainer.limit_test_batches
    for number, batch in enumerate(DataLoader(data.test, config.batch_size)):
        if limit is not None and number >= limit:
            break
        images, targets = (part.to(device) for part in batch)
        if isinstance(task, Classification):
            accuracy.update((task.scores(images).argmax(1) == targets).float().cpu())
        else:
            error.update(task(images), targets)
    if isinstance(task, Classification):
        return {"accuracy": {"whole": accuracy.compute().item()}}
    return {"mse": error.compute()["mse"]}


def training_batches(data: Splits, config: DictConfig) -> Iterator[Batch]:
    """Training batches without end; which images are in one, and how they are flipped, depends on the seed alone.

    Raises:
        ValueError: there are fewer training images than a batch has.
    """
    # The seed of the epoch that would come next: no epoch of the training had it.
    first = 1_000_003 * config.seed + config.trainer.max_epochs
    order = torch.Generator().manual_seed(first)
    loader = DataLoader(data.train, config.batch_size, shuffle=True, drop_last=True, generator=order)
    if len(loader) == 0:
        images = len(data.train)
        raise ValueError(f"batch_size must be at most {images}, all training images; got {config.batch_size}")
    step, batches = 0, iter(loader)
    while True:
        # Flips come from torch's own generator, which a mode that draws noise has moved on.
        torch.manual_seed(1009 * first + step)
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            continue
        yield batch
        step += 1


def fine_tuned(task: Task, data: Splits, config: DictConfig, settings: Settings) -> Iterator[tuple[int, Results]]:
    """Train a network further, and test it on the way.

    Args:
        task: the network; it is changed.
        data: what it was trained on.
        config: the settings of the run that trained it.
        settings: of the study.

    Yields:
        The number of steps, and the results then.

    Raises:
        TrainingDivergedError: the loss is no number.
    """
    device = settings.device
    task.to(device)
    rate = config.optimizer.lr * settings.learning_rate_share
    # After the conversion: edge kernels are parameters too.
    optimizer = instantiate(config.optimizer, lr=rate)(task.network.parameters())
    yield 0, measured(task, data, config, device)
    for step, batch in enumerate(training_batches(data, config), 1):
        if step > max(settings.steps):
            return
        task.train()
        loss = task.loss((batch[0].to(device), batch[1].to(device)))
        if not bool(loss.detach().isfinite()):
            raise TrainingDivergedError(
                f"the loss is {loss.item()} in step {step} of fine-tuning; try a lower learning_rate_share"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in settings.steps:
            yield step, measured(task, data, config, device)


def chance(data: Splits) -> float:
    """The accuracy of always answering the class that is most frequent in the test."""
    classes = torch.tensor([int(data.test[number][1]) for number in range(len(data.test))])
    return classes.bincount().max().item() / len(classes)
