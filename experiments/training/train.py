"""One training run from its configuration to its record."""

import platform
from collections.abc import Mapping
from time import monotonic
from typing import Any

import lightning as L
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.models.build import build_model
from experiments.padding_configs import mode_name
from experiments.provenance import made_from, modules_named
from experiments.tasks.classification import Classification
from experiments.tasks.segmentation import Segmentation
from experiments.tasks.super_resolution import SuperResolution
from experiments.tasks.task import Task
from experiments.training.callbacks import (
    EpochSeed,
    History,
    Pictures,
    ProgressBar,
    StopBetweenBatches,
    WaitingTime,
)
from experiments.training.checkpoints import CheckpointFiles, checkpoint_callback, newest_checkpoint
from experiments.training.loaders import Loaders
from experiments.training.loggers import TolerantWandb
from experiments.training.quiet import hush_lightning
from experiments.training.run_folder import RunFolder, data_name, is_first_process, method_name, run_name
from experiments.training.stopping import deferred

__all__ = ["build_task", "train"]


def build_task(config: DictConfig, data: Splits) -> Task:
    """The network, its boundary mode, loss and metrics, for a data set."""
    # The weights depend on the seed alone, whatever was drawn before.
    torch.manual_seed(config.seed)
    model, padding = (OmegaConf.to_container(group, resolve=True) for group in (config.model, config.padding))
    network = build_model(model, padding, data)
    scheduler = instantiate(config.scheduler) if config.scheduler else None
    blocks = {"test_blocks": data.test_blocks}
    arguments = network, instantiate(config.optimizer), scheduler, mode_name(config.padding.mode)
    if data.task == "classification":
        return Classification(*arguments, **blocks)
    if data.task == "segmentation":
        classes = {"num_classes": len(data.classes), "ignore_index": data.ignore_index}
        return Segmentation(*arguments, halo=data.halo, **classes, **blocks)
    return SuperResolution(*arguments, halo=data.halo, **blocks)


def train(config: DictConfig, folder: RunFolder, console: Console) -> dict[str, Any]:
    """Train and test, or go on with a run that was stopped; write the record and return it.

    Args:
        config: the settings, checked.
        folder: the run's folder, locked by this process.
        console: where to say what happens.

    Raises:
        ValueError: settings do not fit together.
        FileNotFoundError: data is missing.
        TrainingDivergedError: the loss is no number.
        OSError: a file cannot be written.
        Stopped: SIGTERM has come.
    """
    hush_lightning()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    data = load_data(config.data)
    task = build_task(config, data)
    if is_first_process():
        if config.force:
            # Clear the folder only now that there is something to train: the old run is lost.
            folder.clear()
        folder.write_config(config)
    run = run_name(config).as_posix()
    checkpoint = newest_checkpoint(folder.checkpoints, task.state_dict(), run)
    if checkpoint is not None:
        console.print(f"going on from {checkpoint}", highlight=False, soft_wrap=True)

    logger = _logger(config, folder)
    history, waiting = History(folder.path / "history.csv", console), WaitingTime()
    # In this order: the checkpoint of a run that is stopped holds the loss of the last batch.
    callbacks = [EpochSeed(config.seed), history, waiting, Pictures()]
    callbacks += [StopBetweenBatches(folder.checkpoints), checkpoint_callback(folder.checkpoints)]
    if console.is_terminal and is_first_process():
        callbacks.append(ProgressBar(leave=False))
    options = OmegaConf.to_container(config.trainer, resolve=True)
    trainer = L.Trainer(
        **options,
        logger=logger or False,
        plugins=[CheckpointFiles(run)],
        callbacks=callbacks,
        default_root_dir=folder.path,
        enable_progress_bar=console.is_terminal and is_first_process(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
    )
    images = len(data.train) // trainer.world_size
    if images < config.batch_size:
        each = f" for each of {trainer.world_size} devices" if trainer.world_size > 1 else ""
        raise ValueError(
            f"batch_size must be at most {images}, the images that data={data_name(config)} has to train on{each}: "
            f"no batch is made of fewer; got {config.batch_size}"
        )
    loaders = Loaders(data, config.batch_size, config.seed, config.workers)
    start = monotonic()
    with deferred():
        trainer.fit(task, datamodule=loaders, ckpt_path=checkpoint, weights_only=True)
        seconds = monotonic() - start
        if trainer.global_step == 0:
            raise ValueError("nothing was trained: trainer.limit_train_batches leaves no batch")
        if trainer.current_epoch != trainer.max_epochs:
            raise ValueError(f"only {trainer.current_epoch} of {trainer.max_epochs} epochs were trained")
        trainer.test(task, datamodule=loaders, verbose=False)
        record = _record(config, folder, data, task, trainer)
        record |= {"fit_seconds": round(seconds, 2), "waiting_share": round(waiting.share, 4)}
        if trainer.is_global_zero:
            folder.write_json(folder.record, record)
            if isinstance(logger, TolerantWandb):
                flat = {f"test/{m}/{r}": v for m, regions in task.test_results.items() for r, v in regions.items()}
                logger.summarise(flat)
    return record


def _record(config: DictConfig, folder: RunFolder, data: Splits, task: Task, trainer: L.Trainer) -> dict[str, Any]:
    """What was trained on what, how well it does, and what that depends on."""
    return {
        "run": str(folder.path.name),
        "data": data_name(config),
        "model": config.model.name,
        "options": OmegaConf.to_container(config.model.options, resolve=True),
        "method": method_name(config),
        "padding": OmegaConf.to_container(config.padding, resolve=True),
        "halo": data.halo,
        "seed": config.seed,
        "experiment": config.experiment_name,
        "epochs": trainer.max_epochs,
        "parameters": sum(p.numel() for p in task.network.parameters()),
        "train_images": len(data.train),
        "test_images": len(data.test),
        "results": task.test_results,
        "results_without_each_block": task.test_results_without_each_block,
        "made_from": made_from("experiments.training.train", *modules_named(config)),
        "environment": _environment(trainer),
    }


def _logger(config: DictConfig, folder: RunFolder) -> TolerantWandb | None:
    if config.logger.name == "csv" or not is_first_process():
        return None
    group = config.experiment_name or f"{data_name(config)}-{config.model.name}"
    return TolerantWandb(
        mode=config.logger.mode,
        project=config.logger.project,
        folder=folder.path,
        group=group,
        name=f"{mode_name(config.padding.mode)}-seed{config.seed}",
        config=OmegaConf.to_container(config, resolve=False),
    )


def _environment(trainer: L.Trainer) -> Mapping[str, Any]:
    """What a number of this run depends on beside its settings."""
    cuda = trainer.strategy.root_device.type == "cuda"
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning": L.__version__,
        "device": torch.cuda.get_device_name() if cuda else f"CPU {platform.machine()}",
        "devices": trainer.world_size,
        "threads": torch.get_num_threads(),
        "precision": str(trainer.precision),
    }
