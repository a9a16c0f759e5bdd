"""The settings of a training run, checked once, before anything is made of them."""

import json
import os
import warnings
from collections.abc import Callable
from functools import cache
from inspect import isclass
from pydoc import ErrorDuringImport, locate
from typing import Any

import lightning as L
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn
from torch.utils.data import TensorDataset

from diff_conv2d import Conv2d
from diff_conv2d.modes import MODES
from experiments.checks import (
    LARGEST_SEED,
    Reader,
    choice,
    integer,
    mapping,
    number,
    optional,
    processes,
    text,
    yes_or_no,
)
from experiments.data.splits import Splits
from experiments.models.build import Network
from experiments.sentences import sentence
from experiments.training.arguments import blamed, fits, wrong_arguments
from experiments.training.quiet import hush_lightning

__all__ = ["check_settings"]

# Arguments of the Trainer that the program gives it.
RESERVED = (
    "self",
    "logger",
    "callbacks",
    "default_root_dir",
    "enable_progress_bar",
    "enable_model_summary",
    "num_sanity_val_steps",
    "use_distributed_sampler",
    "reload_dataloaders_every_n_epochs",
    "plugins",
    # With these a run would end before its epochs, or without the checkpoints that it goes on from.
    "barebones",
    "check_val_every_n_epoch",
    "enable_checkpointing",
    "fast_dev_run",
    "max_steps",
    "max_time",
    "overfit_batches",
    "val_check_interval",
)
# Arguments of a network that follow from the data.
FROM_DATA = ("self", "in_channels", "out_channels", "num_classes", "image_size")
# A network that halves an image more often, or is wider, fits no machine.
MOST = {"depth": 16, "width": 2**16, "hidden": 2**20}


def check_settings(config: DictConfig) -> None:
    """Check all settings of a run.

    Args:
        config: as composed from configs/train.yaml.

    Raises:
        ValueError: some cannot be used; each is told by its name.
    """
    read = Reader(config)
    read("seed", integer, 0, LARGEST_SEED)
    read("batch_size", integer, 1)
    read("workers", processes, 0)
    read("threads", optional, processes)
    read("force", yes_or_no)
    read("experiment_name", optional, text)
    read("runs_dir", text)
    read("data", _data)
    read("model", _model)
    read("padding", _padding)
    read("trainer", _trainer)
    read("logger", _logger)
    optimizer = read("optimizer", _optimizer)
    read("scheduler", optional, _scheduler, optimizer or torch.optim.SGD([nn.Parameter(torch.zeros(1))]))
    read.end()


def _data(key: str, value: object) -> None:
    settings = mapping(key, value)
    function = _target(key, settings)
    if not callable(function):
        raise ValueError(f"{key}._target_ must be a function that makes a data set, got {settings['_target_']}")
    _refuse(wrong_arguments(key, settings, function))


def _model(key: str, value: object) -> None:
    """Check the network by making it without memory for its parameters."""
    settings = mapping(key, value)
    _only(key, settings, "name", "options")
    name, options = text(f"{key}.name", settings["name"]), mapping(f"{key}.options", settings["options"])
    group, target = f"{key}.options", _target(key, settings)
    if not callable(getattr(target, "for_data", None)):
        raise ValueError(f"{key}._target_ must be a class that builds networks, got {settings['_target_']}")
    wrong = wrong_arguments(group, options, target, FROM_DATA) if issubclass(target, nn.Module) else []
    for part, most in MOST.items():
        if isinstance(options.get(part), int) and not 1 <= options[part] <= most:
            wrong.append(f"{group}.{part} must be an integer from 1 to {most}, got {options[part]!r}")
    _refuse(wrong)
    _refuse(_network_problems(target, name, json.dumps(options)))


@cache
def _network_problems(target: Network, name: str, options_as_json: str) -> list[str]:
    """What is wrong with a network that is made without memory for its parameters; the runs of a sweep share it."""
    group, options = "model.options", json.loads(options_as_json)
    side = 2 ** options.get("depth", 4)
    part = TensorDataset(torch.zeros(1))
    classes = () if target.tasks[0] == "super_resolution" else ("one", "other")
    data = Splits(target.tasks[0], part, part, part, 3, (side, side), classes)
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = target.for_data(name, data, options)
    except NotImplementedError:
        # Some networks look at values that are not there.
        return []
    except Exception as error:
        return [str(error) if str(error).startswith("model.") else blamed(group, options, error)]
    needed = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    if needed <= (there := _memory()):
        return []
    too_large = ValueError(f"{needed / 1e9:.0f} GB of parameters, and {there / 1e9:.0f} GB of memory")
    return [blamed(group, options, too_large)]


def _memory() -> float:
    """Bytes of memory that this machine has."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _padding(key: str, value: object) -> None:
    """Check a boundary mode by making a layer with it."""
    settings = dict(mapping(key, value))
    if "mode" not in settings:
        raise ValueError(f"{key}.mode is missing")
    mode = settings.pop("mode")
    if isinstance(mode, str):
        choice(f"{key}.mode", mode, MODES)
        # null leaves an option at its default.
        _refuse(wrong_arguments(key, {n: v for n, v in settings.items() if v is not None}, MODES[mode]))
    options = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
    try:
        Conv2d(1, 1, 3, padding=1, padding_mode=mode, **options)
    except Exception as error:
        raise ValueError(blamed(key, {"mode": mode, **settings}, error)) from error


def _optimizer(key: str, value: object) -> torch.optim.Optimizer:
    """Check the optimizer by making one."""
    return _made(key, mapping(key, value), torch.optim.Optimizer, [nn.Parameter(torch.zeros(1))], ("self", "params"))


def _scheduler(key: str, value: object, optimizer: torch.optim.Optimizer) -> None:
    """Check the schedule of the learning rate by going two epochs; there may be none."""
    settings = mapping(key, value)
    if not settings:
        return
    schedule = _made(key, settings, torch.optim.lr_scheduler.LRScheduler, optimizer, ("self", "optimizer"))
    try:
        for _ in range(2):
            optimizer.step()
            schedule.step()
    except Exception as error:
        raise ValueError(blamed(key, settings, error)) from error


def _made(key: str, settings: dict[str, Any], kind: type, argument: object, reserved: tuple[str, ...]) -> Any:
    """What a partial target of Hydra's makes of its settings and one argument."""
    target = _target(key, settings)
    if not isclass(target) or not issubclass(target, kind):
        raise ValueError(f"{key}._target_ must be a subclass of {kind.__name__}, got {settings['_target_']}")
    if settings.get("_partial_") is not True:
        raise ValueError(f"{key}._partial_ must be true, got {settings.get('_partial_')!r}")
    wrong = wrong_arguments(key, settings, target, reserved)
    for name, value in settings.items():
        if name != "last_epoch" and fits(value, float) and value < 0:
            wrong.append(f"{key}.{name} must be at least 0, got {value}")
    _refuse(wrong)
    try:
        return instantiate(settings)(argument)
    except Exception as error:
        raise ValueError(blamed(key, settings, error)) from error


def _trainer(key: str, value: object) -> None:
    """Check the arguments of Lightning's Trainer by making one."""
    settings = mapping(key, value)
    wrong = wrong_arguments(key, settings, L.Trainer, RESERVED)
    checks: dict[str, Callable[[str, object], object]] = {
        "max_epochs": lambda name, value: integer(name, value, 1),
        "num_nodes": lambda name, value: integer(name, value, 1),
        "devices": _devices,
        "gradient_clip_val": lambda name, value: optional(name, value, number, 0),
        **{f"limit_{part}_batches": _limit for part in ("train", "val", "test")},
    }
    for name, check in checks.items():
        if name in settings:
            try:
                check(f"{key}.{name}", settings[name])
            except ValueError as error:
                wrong.append(str(error))
    _refuse(list({sentence.split(" must ")[0]: sentence for sentence in wrong}.values()))
    _refuse(_trainer_problems(json.dumps(settings)))


@cache
def _trainer_problems(settings_as_json: str) -> list[str]:
    settings = json.loads(settings_as_json)
    hush_lightning()
    try:
        L.Trainer(**settings, logger=False, enable_progress_bar=False, enable_model_summary=False)
    except Exception as error:
        return [blamed("trainer", settings, error)]
    return []


def _devices(key: str, value: object) -> None:
    """Check a number of devices; what else Lightning takes, it checks."""
    if isinstance(value, int) and value != -1:
        processes(key, value)


def _limit(key: str, value: object) -> None:
    """Check a number of batches, or a share of them: a run without any would train or measure nothing."""
    if value is None or (isinstance(value, float) and 0 < value <= 1):
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"{key} must be null, a number of batches from 1 on, or a share of them such as 0.5, got {value!r}"
        )


def _logger(key: str, value: object) -> None:
    settings = mapping(key, value)
    _only(key, settings, "name")
    name = choice(f"{key}.name", settings["name"], ("csv", "wandb"))
    if name == "csv":
        return
    _only(key, settings, "name", "mode", "project")
    choice(f"{key}.mode", settings["mode"], ("offline", "online", "disabled"))
    text(f"{key}.project", settings["project"])


def _only(key: str, settings: dict[str, Any], *needed: str) -> None:
    """Refuse a group that lacks a setting."""
    if missing := [name for name in needed if name not in settings]:
        raise ValueError(f"{key}.{missing[0]} is missing")


def _target(key: str, settings: dict[str, Any]) -> Any:
    """The function or the class that a group of settings is for."""
    name = text(f"{key}._target_", settings.get("_target_"))
    try:
        # Unlike Hydra's, it logs nothing.
        found = locate(name)
    except ErrorDuringImport as error:
        raise ValueError(f"{key}._target_={name}: {sentence(error)}") from error
    if found is None:
        raise ValueError(f"{key}._target_ must be the name of a function or a class, got {name!r}")
    return found


def _refuse(wrong: list[str]) -> None:
    if wrong:
        raise ValueError("; ".join(wrong))
