"""Patches restored by the networks of finished runs."""

import numpy as np
import torch

from experiments.data.deblurring import BlurredPatches
from experiments.data.splits import Splits
from experiments.error_maps.settings import Settings
from experiments.models.halo import crop
from experiments.paths import REPOSITORY
from experiments.training.checkpoints import final_weights
from experiments.training.finished_runs import HALO, Run, flatten, read_runs
from experiments.training.train import build_task

__all__ = ["chosen_runs", "restored"]

# Patches at a time.
BATCH = 16


def chosen_runs(settings: Settings) -> dict[str, Run]:
    """Find one finished run for each method.

    Raises:
        ValueError: there are none or several of a method.
    """
    where = flatten(settings.where or {})
    found: dict[str, Run] = {}
    for run in read_runs(REPOSITORY.joinpath(settings.runs_dir), [settings.experiment_name]):
        fits = run.record and run.seed == settings.seed
        if not fits or any(run.settings.get(key) != value for key, value in where.items()):
            continue
        if run.method in found:
            both = f"{found[run.method].folder.path} and {run.folder.path}"
            raise ValueError(
                f"several runs of {run.method} with seed {settings.seed}: {both}; tell them apart by where"
            )
        found[run.method] = run
    methods = list(found) if settings.methods is None else settings.methods
    missing = [method for method in dict.fromkeys(["zeros", *methods]) if method not in found]
    if missing:
        others = f"seed={settings.seed} " + " ".join(f"{k}={str(v).lower()}" for k, v in where.items())
        names = {HALO: "zeros data.halo=32"}
        raise ValueError(
            f"no finished run of {missing[0]} with seed {settings.seed} for {settings.experiment_name}; "
            f"`python train.py experiment={settings.experiment_name} padding={names.get(missing[0], missing[0])} "
            f"{others.strip()}` makes it"
        )
    return {method: found[method] for method in methods}


def restored(run: Run, data: Splits, corners: np.ndarray) -> np.ndarray:
    """Restore patches by a run's network, in the unit of the fields.

    Args:
        run: finished.
        data: of its own settings, with its halo.
        corners: map, row and column of each patch, (N, 3).

    Returns:
        float64, (N, size, size).

    Raises:
        ValueError: the run has no checkpoint, or its last one is damaged.
    """
    weights = final_weights(run.folder)
    if weights is None:
        raise ValueError(f"{run.folder.path} has no checkpoint; remove its record.json and run it again")
    # Some modes need the data's size only; the weights come from the checkpoint.
    task = build_task(run.config, data)
    task.load_state_dict(weights)
    task.eval()
    # Random padding draws noise.
    torch.manual_seed(run.seed)
    test = data.test
    patches = BlurredPatches(test.fields, corners, test.size, test.halo, test.normalisation, False, test.least_scale)
    images = torch.stack([patches[index][0] for index in range(len(patches))])
    with torch.no_grad():
        outputs = torch.cat([task(batch) for batch in images.split(BATCH)])
    # Some networks cut the halo off themselves.
    outputs = crop(outputs, (outputs.shape[-1] - test.size) // 2)
    pictures = []
    for output, corner in zip(outputs[:, 0].double(), corners.tolist(), strict=True):
        centre, scale = patches.affine(*test.fields.window(*corner, test.size, test.size))
        pictures.append((output * scale + centre).numpy())
    return np.stack(pictures)
