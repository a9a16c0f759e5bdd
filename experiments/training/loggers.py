"""Loggers that mirror a run elsewhere and never stop it."""

import warnings
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import Logger, WandbLogger

__all__ = ["TolerantWandb"]


class TolerantWandb(Logger):
    """Weights & Biases, given up with one warning when it fails: no network, no key, a full disk, a dead process.

    Args:
        mode: 'offline' (no account needed), 'online', or 'disabled'.
        project: the project's name there.
        folder: the run's folder, where offline files go.
        group: runs shown together: the experiment, or data and model.
        name: the method.
        config: the run's settings.
    """

    def __init__(self, mode: str, project: str, folder: Path, group: str, name: str, config: dict[str, Any]) -> None:
        super().__init__()
        if mode not in ("offline", "online", "disabled"):
            raise ValueError(f"logger.mode must be 'offline', 'online' or 'disabled', got {mode!r}")
        self._inner: WandbLogger | None = None
        self._arguments = {
            "project": project,
            "dir": str(folder),
            "group": group,
            "name": name,
            "config": config,
            "mode": mode,
        }
        self._failed = False

    def _try(self, what: str, *arguments: Any, **options: Any) -> None:
        """Call a method of W&B's logger; after a failure, nothing more."""
        if self._failed:
            return
        try:
            if self._inner is None:
                # Lightning's own call of init gives W&B an option that it warns of.
                self._inner = WandbLogger(experiment=wandb.init(**self._arguments))
            getattr(self._inner, what)(*arguments, **options)
        # Whatever W&B raises, a run must go on; history.csv is the record.
        except Exception as error:
            self._failed = True
            warnings.warn(f"W&B is given up for this run ({type(error).__name__}: {error})", stacklevel=2)

    @property
    def name(self) -> str:
        """The project."""
        return str(self._arguments["project"])

    @property
    def version(self) -> str:
        """The method's name; W&B has an identifier of its own."""
        return str(self._arguments["name"])

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """The settings were given at the start."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """See Lightning."""
        self._try("log_metrics", metrics, step)

    def log_image(self, key: str, images: list[Any]) -> None:
        """Send pictures."""
        self._try("log_image", key, images)

    def summarise(self, values: dict[str, float]) -> None:
        """Put numbers in the run's summary."""
        if self._inner is not None and not self._failed:
            try:
                self._inner.experiment.summary.update(values)
                self._inner.experiment.finish()
            except Exception as error:  # as in _try
                warnings.warn(f"W&B did not take the summary ({type(error).__name__}: {error})", stacklevel=2)
