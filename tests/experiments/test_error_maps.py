"""Error maps from runs of a small data set, with checkpoints of networks that were never trained."""

from functools import cache

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from run_records import flat_results, write_run

from experiments.data.deblurring import BlurredPatches, InMemoryFields
from experiments.error_maps import program as error_maps
from experiments.error_maps.blocks import chosen_block
from experiments.error_maps.restoration import chosen_runs, restored
from experiments.error_maps.second_derivative import second_derivative
from experiments.error_maps.settings import Settings
from experiments.paths import CONFIGS
from experiments.training.finished_runs import read_runs
from experiments.training.train import build_task

SMALL = {"model.options.depth": 1, "model.options.width": 2, "data.size": 16, "data.train_patches": 4}


@cache
def splits(text):
    return instantiate(OmegaConf.create(text))


@pytest.fixture(autouse=True)
def _data_once(monkeypatch):
    """The terrain is blurred for each data set that is made; here they are few."""
    monkeypatch.setattr(error_maps, "load_data", lambda config: splits(OmegaConf.to_yaml(config)))


def write_network(runs, method, seed=0):
    """A finished run; its last layer gives 0, so that the restored patch is the mean of the blurred one."""
    folder = write_run(runs, "globe", method, seed, flat_results("globe", 1.0), SMALL)
    (run,) = [run for run in read_runs(runs, ["globe"]) if run.method == method]
    task = build_task(run.config, error_maps.load_data(run.config.data))
    state = {key: torch.zeros_like(v) if v.is_floating_point() else v for key, v in task.state_dict().items()}
    folder.checkpoints.mkdir()
    torch.save({"state_dict": state}, folder.checkpoints / "0000.ckpt")
    return run


def configuration(runs, **changes):
    base = {
        "at_scale": {},
        "scale": "embedded",
        "experiment_name": "globe",
        "name": "error_maps",
        "seed": 0,
        "where": None,
        "methods": None,
        "block": 2,
        "corner": None,
        "patches": 256,
    }
    return Settings(**{**base, "runs_dir": str(runs), "output_dir": runs, **changes})


def test_arrays_of_a_network_whose_answer_is_known(tmp_path):
    run, _ = (write_network(tmp_path, method) for method in ("zeros", "diff"))
    arrays = error_maps.error_maps(configuration(tmp_path))
    blurred, clear = arrays["input"].astype(float), arrays["target"].astype(float)
    assert clear.shape == (32, 32)
    means = blurred.reshape(2, 16, 2, 16).mean((1, 3))
    expected = np.kron(means, np.ones((16, 16)))
    # Half precision has 3 or 4 digits.
    np.testing.assert_allclose(arrays["prediction"].astype(float), expected, rtol=2e-3)
    # What is left of the true picture is the error; in half precision it is good to some metres.
    error = second_derivative(expected - clear)
    shown = arrays["error/diff"] * float(arrays["level"])
    np.testing.assert_array_equal(arrays["error/diff"], arrays["error/zeros"])
    assert np.corrcoef(error.ravel(), shown.ravel())[0, 1] > 0.99
    at_seams = error_maps.near_seams(2, 16)
    measured = [np.sqrt(np.mean(error[mask] ** 2)) for mask in (at_seams, ~at_seams)]
    np.testing.assert_allclose(arrays["rms/zeros"], measured, rtol=0.05)
    # The test's patches, laid on one another: what is left of each is its clear picture, less the blurred one's mean.
    test = error_maps.load_data(run.config.data).test
    pairs = [test[index] for index in np.linspace(0, len(test) - 1, int(arrays["patches"])).astype(int)]
    blurred, clear = (torch.stack([pair[side][0] for pair in pairs]).double().numpy() for side in (0, 1))
    folded = ((clear - blurred.mean((1, 2), keepdims=True)) ** 2).mean(0)
    assert arrays["patches"] == 256
    assert arrays["frame"] == 4
    np.testing.assert_allclose(arrays["folded/diff"].astype(float), folded, rtol=2e-3)
    np.testing.assert_allclose(arrays["folded_means/diff"][1], folded[4:-4, 4:-4].mean(), rtol=1e-4)
    around = (folded.sum() - folded[4:-4, 4:-4].sum()) / (16**2 - 8**2)
    np.testing.assert_allclose(arrays["folded_means/diff"][0], around, rtol=1e-4)
    # Of an error, the size in a window: neither larger than the largest, nor, as a around, another one.
    error = arrays["prediction"].astype(float) - arrays["target"].astype(float)
    assert arrays["local/diff"].shape == (16, 16)
    assert arrays["local/diff"].max() <= np.abs(error).max() * 1.01
    measured = np.sqrt((arrays["local/diff"].astype(float) ** 2).mean())
    np.testing.assert_allclose(measured, np.sqrt((error**2).mean()), rtol=0.1)
    tiles = error.reshape(2, 16, 2, 16)[:, 4:-4, :, 4:-4]
    np.testing.assert_allclose(arrays["local_rms/diff"][1], np.sqrt((tiles**2).mean()), rtol=0.02)
    top, left, height, width = arrays["box"]
    rows, columns = arrays["map"].shape
    assert 0 <= top <= 1 - height
    assert 0 <= left <= 1 - width
    assert max(rows, columns) <= error_maps.MAP_SIZE


def test_the_block_is_complete_and_has_no_plain_in_it():
    rough = np.random.default_rng(0).normal(size=(60, 90))
    rough[10:30, 10:40] *= 0.01
    fields = InMemoryFields(rough, sigma=1.0)
    corners = np.array([(0, r, c) for r in (10, 20, 30, 40) for c in (10, 20, 30, 50, 60) if (r, c) != (40, 60)])
    chosen = chosen_block(BlurredPatches(fields, corners, 10), 2, None)
    assert {tuple(corner) for corner in chosen.tolist()} <= {tuple(corner) for corner in corners.tolist()}
    stds = [fields.clear[r : r + 10, c : c + 10].std().item() for _, r, c in chosen.tolist()]
    assert min(stds) > 0.5
    with pytest.raises(ValueError, match="no 4 x 4 patches side by side"):
        chosen_block(BlurredPatches(fields, corners, 10), 4, None)
    given = chosen_block(BlurredPatches(fields, corners, 10), 2, [0, 5, 6])
    assert given.tolist() == [[0, 5, 6], [0, 5, 16], [0, 15, 6], [0, 15, 16]]


def test_missing_runs_and_checkpoints_are_told_in_one_sentence(tmp_path):
    with pytest.raises(
        ValueError, match=r"no finished run of zeros .* `python train\.py experiment=globe padding=zeros"
    ):
        error_maps.error_maps(configuration(tmp_path))
    run = write_network(tmp_path, "zeros")
    with pytest.raises(ValueError, match=r"padding=zeros data\.halo=32 seed=0` makes it"):
        error_maps.error_maps(configuration(tmp_path, methods=["halo"]))
    (run.folder.checkpoints / "0000.ckpt").unlink()
    with pytest.raises(ValueError, match="has no checkpoint"):
        restored(run, error_maps.load_data(run.config.data), np.zeros((1, 3), int))


def test_two_runs_of_one_method_are_told_apart(tmp_path):
    for batch_norm in (True, False):
        settings = {"model.options.batch_norm": batch_norm}
        write_run(tmp_path, "globe", "zeros", 0, flat_results("globe", 1.0), settings)
    with pytest.raises(ValueError, match="several runs of zeros with seed 0"):
        chosen_runs(configuration(tmp_path))
    where = {"model": {"options": {"batch_norm": False}}}
    chosen = chosen_runs(configuration(tmp_path, where=where))
    assert chosen["zeros"].settings["model.options.batch_norm"] is False


class Tiles:
    """Patches of tiles in files, of which each window is a constant: the tile's number and its place."""

    paths = ("ETOPO_2022_v1_15s_N30E030_surface.tif", "ETOPO_2022_v1_15s_N45E045_surface.tif")

    def __init__(self):
        self.read = []

    def window(self, number, top, left, rows, columns):
        self.read.append((number, top, left))
        relief = torch.zeros(rows, columns)
        relief[::2] = number * 10_000 + top + left
        return relief, relief


def test_the_papers_block_is_named_by_its_tile():
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("error_maps", ["scale=paper"])
    assert (config.experiment_name, config.name) == ("paper_super_resolution", "paper_error_maps")
    patches = BlurredPatches(Tiles(), np.zeros((1, 3), int), 192)
    corners = chosen_block(patches, config.block, config.corner)
    assert corners.shape == (16, 3)
    assert corners[0].tolist() == [1, 1700, 800]
    assert corners[-1].tolist() == [1, 1700 + 3 * 192, 800 + 3 * 192]
    # Nothing is read to choose it.
    assert patches.fields.read == []


@pytest.mark.parametrize(
    ("corner", "message"),
    [
        (["N60E045", 1700, 800], "corner names the tile N60E045, .*of 2 tiles, none is N60E045"),
        (["N45E045", 3000, 800], "corner must leave 768 x 768 pixels within the rows 264 to 3336"),
        ([2, 1700, 800], "of one of 2 maps"),
        ([1700, 800], "corner must be a map, a row and a column"),
    ],
)
def test_a_corner_without_a_block_is_refused(corner, message):
    with pytest.raises(ValueError, match=message):
        chosen_block(BlurredPatches(Tiles(), np.zeros((1, 3), int), 192), 4, corner)


def test_the_search_for_a_block_reads_each_patch_once_and_not_all_of_them():
    grid = [(0, 264 + 192 * i, 264 + 192 * j) for i in range(16) for j in range(16)]
    corners = np.array([(number, row, column) for number in range(2) for _, row, column in grid])
    patches = BlurredPatches(Tiles(), corners, 192)
    chosen = chosen_block(patches, 4, None)
    assert len(patches.fields.read) == len(set(patches.fields.read))
    assert chosen[0, 0] == 1
    many = np.array([(number, row, column) for number in range(40) for _, row, column in grid])
    patches = BlurredPatches(Tiles(), many, 192)
    assert chosen_block(patches, 4, None)[0, 0] > 30
    assert len(patches.fields.read) <= 128 * 16
