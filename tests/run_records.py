"""Folders of runs as train.py leaves them, with results of choice, without a training."""

from functools import cache

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.data.load import load_data
from experiments.padding_configs import store_modes
from experiments.paths import CONFIGS
from experiments.training.cell import cell_folder
from experiments.training.cells import composed
from experiments.training.run_folder import RunFolder, data_name, run_name
from experiments.training.train import build_task


@cache
def _composed(experiment, padding):
    store_modes()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return OmegaConf.to_yaml(compose("train", [f"experiment={experiment}", f"padding={padding}"]))


def write_run(runs, experiment, method, seed, results, settings=None, failure=None, without=None):
    """Write one folder; `results` None leaves it without a record. Return it."""
    config = OmegaConf.create(_composed(experiment, "zeros" if method == "halo" else method))
    for key, value in {"seed": seed, **({"data.halo": 32} if method == "halo" else {}), **(settings or {})}.items():
        OmegaConf.update(config, key, value)
    folder = RunFolder(runs / run_name(config))
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_config(config)
    if failure:
        folder.write_json(folder.failure, {"run": "some run", "reason": failure})
    if results is not None:
        record = {"data": data_name(config), "model": config.model.name, "method": config.padding.mode, "seed": seed}
        record |= {"experiment": experiment, "results": results}
        if without is not None:
            record["results_without_each_block"] = without
        folder.write_json(folder.record, record)
    return folder


def flat_results(experiment, level):
    """Results with every metric and region of an experiment's task: `level` in the frame, a tenth of it inside."""
    if experiment == "landcover_scenes":
        return {"accuracy": {"whole": level}, "shift_consistency": {"whole": level / 2}}
    shells = {f"shell_{shell}": level * (1 - shell / 10) for shell in range(8)}
    regions = {"whole": level / 5, "frame": level, "interior": level / 10, "edges": level, "corners": 2 * level}
    crops = {f"crop{crop}": level / (5 + crop) for crop in (1, 2, 4, 8)}
    metrics = ("mse", "psnr") if experiment == "globe" else ("mean_iou", "accuracy")
    return {metric: {**regions, **shells, **crops} for metric in metrics}


def finish_run(cell, results):
    """Leave a cell's run of one epoch as it is at its end, with the weights of its beginning, moved a little.

    Return its task.
    """
    config = composed(cell)
    folder, task = cell_folder(config), build_task(config, load_data(config.data))
    for tensor in task.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.01 * torch.randn_like(tensor))
    folder.checkpoints.mkdir(parents=True)
    torch.save({"state_dict": task.state_dict(), "epoch": 0}, folder.checkpoints / "0000.ckpt")
    folder.write_json(folder.record, {"epochs": 1, "method": cell.method, "results": results})
    return task
