"""The study of position: what is read out of features, which units see the edge, and the table."""

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from run_records import finish_run
from scipy.stats import spearmanr
from torch import nn

from experiments.data.load import load_data
from experiments.finetuning.converted_networks import converted
from experiments.models.halo import crop
from experiments.paths import CONFIGS
from experiments.position.edge_units import EdgeResponse, watched_layers
from experiments.position.features import features
from experiments.position.networks import needed_cells, network_of, studied
from experiments.position.program import COLUMNS, run
from experiments.position.readout import TARGETS, fit_readout, mean_absolute_error, spearman, target_maps
from experiments.position.settings import Settings
from experiments.settings import read_settings
from experiments.trained_networks import trained_weights
from experiments.training.cells import composed, sweep_cells

PENALTIES = (1e-6, 1e-3, 1.0, 1e4)


def random_features(count, channels=6, size=8, seed=0):
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed))


# The read-out


def test_targets_have_the_whole_range_and_the_symmetry_of_their_names():
    maps = target_maps(7)
    assert maps.amin((1, 2)).tolist() == [0, 0, 0]
    assert maps.amax((1, 2)).tolist() == [1, 1, 1]
    horizontal, vertical, gaussian = maps
    assert torch.equal(horizontal, vertical.T)
    assert torch.equal(horizontal, horizontal[:1].expand(7, 7))
    assert gaussian[3, 3] == 1
    torch.testing.assert_close(gaussian, gaussian.flip(0).T)


def test_position_that_is_in_the_features_is_read():
    maps = target_maps(8)
    mixing = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 2], [1, -1, 3]])
    found = torch.einsum("ct,tij->cij", mixing, maps.float()).expand(20, 4, 8, 8) + 5
    readout = fit_readout(found, found[:2], maps, PENALTIES)
    assert readout.penalty == PENALTIES[0]
    predicted = readout(found[:3])
    assert max(mean_absolute_error(predicted, maps)) < 1e-4
    assert min(spearman(predicted, maps, 1e-3)) > 0.999


def test_nothing_is_read_where_nothing_is():
    maps = target_maps(8)
    readout = fit_readout(random_features(40), random_features(10, seed=1), maps, PENALTIES)
    assert readout.penalty == PENALTIES[-1]
    predicted = readout(random_features(30, seed=2))
    assert max(map(abs, spearman(predicted, maps, 1e-3))) < 0.1
    # As good as the mean.
    chance = mean_absolute_error(maps.mean((1, 2))[:, None, None].expand(1, 3, 8, 8), maps)
    assert mean_absolute_error(predicted, maps) == pytest.approx(chance, rel=0.01)


def test_it_is_ridge_regression():
    found, maps = random_features(5, channels=3, size=4) * torch.tensor([1.0, 5, 0.2])[:, None, None], target_maps(4)
    readout = fit_readout(found, found, maps, [0.3], rows=7)
    x = found.double().movedim(1, -1).reshape(-1, 3).numpy()
    y = np.tile(maps.flatten(1).T.numpy(), (5, 1))
    z = (x - x.mean(0)) / x.std(0)
    weights = np.linalg.solve(z.T @ z / len(z) + 0.3 * np.eye(3), z.T @ (y - y.mean(0)) / len(z))
    expected = z @ weights + y.mean(0)
    got = readout(found).movedim(1, -1).reshape(-1, 3).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_rounding_of_a_constant_feature_tells_nothing():
    maps = target_maps(8)
    found = random_features(40)
    found[:, 0] = 1 + 1e-6 * maps[0].float()
    predicted = fit_readout(found, random_features(10, seed=1), maps, [1e-6])(found)
    assert abs(spearman(predicted, maps, 1e-3)[0]) < 0.2


def test_features_that_are_not_finite_are_told():
    found = random_features(4)
    found[0, 0, 0, 0] = torch.inf
    with pytest.raises(ValueError, match="features that are not finite"):
        fit_readout(found, found, target_maps(8), PENALTIES)


def test_spearman_is_scipys_with_ties():
    maps = target_maps(6)
    predicted = torch.rand(4, 3, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    # Rounded to tenths, many predictions are equal.
    rounded = (predicted * 10).round()
    expected = [
        np.mean([spearmanr(rounded[n, t].flatten(), maps[t].round(decimals=9).flatten())[0] for n in range(4)])
        for t in range(3)
    ]
    assert spearman(predicted, maps, 0.1) == pytest.approx(expected, abs=1e-9)


# Units that see the edge


def naive(layer, images, halo=0):
    """The number d of each unit, output by output."""
    with torch.no_grad():
        response = layer(images).double()
    stride = layer.stride[0]
    response = crop(response, halo // stride)
    size = images.shape[-1] - 2 * halo
    sides = {name: [] for name in ("top", "bottom", "left", "right", "inside")}
    for i in range(response.shape[-2]):
        for j in range(response.shape[-1]):
            touched = set()
            for (low, high), at in (((("top", "bottom")), i), (("left", "right"), j)):
                window = [at * stride - layer.padding[0] + layer.dilation[0] * t for t in range(layer.kernel_size[0])]
                touched |= {low} if min(window) < 0 else set()
                touched |= {high} if max(window) >= size else set()
            if len(touched) < 2:
                sides[touched.pop() if touched else "inside"].append(response[:, :, i, j])
    inside = torch.stack(sides.pop("inside"))
    means = [torch.stack(values).mean((0, 1)) for values in sides.values() if values]
    apart = torch.stack([(mean - inside.mean((0, 1))).abs() for mean in means]).amax(0)
    return apart / inside.std((0, 1), correction=0)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "size"),
    [(3, 1, 1, 1, 8), (3, 2, 1, 1, 8), (3, 2, 1, 1, 9), (7, 2, 3, 1, 16), (3, 1, 2, 2, 12), (5, 1, 2, 1, 10)],
)
def test_sides_of_the_frame_are_where_windows_leave(kernel, stride, padding, dilation, size):
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 5, kernel, stride, padding, dilation)
    images = 1 + torch.rand(6, 2, size, size)
    response = EdgeResponse(layer)
    with torch.no_grad():
        for part in images.split(4):
            response.add(part, layer(part))
    torch.testing.assert_close(response.distances(), naive(layer, images))


def test_a_halo_is_cut_off():
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 5, 3, 2, 1)
    images = torch.rand(6, 2, 32, 32)
    response = EdgeResponse(layer, share=8 / 32)
    with torch.no_grad():
        response.add(images, layer(images))
    torch.testing.assert_close(response.distances(), naive(layer, images, halo=8))


def test_zero_padding_is_seen_and_replicate_is_not():
    torch.manual_seed(0)
    images = 5 + torch.randn(200, 1, 10, 10)
    for mode, seen in (("zeros", True), ("replicate", False)):
        layer = nn.Conv2d(1, 4, 3, padding=1, padding_mode=mode)
        nn.init.uniform_(layer.weight, 0.5, 1)
        with watched_layers(layer) as found:
            layer(images)
        assert ((found[""].distances() > 0.5) == seen).all()


def test_what_has_no_frame_or_no_inside_is_not_counted():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3, padding=1))
    with watched_layers(network) as found:
        network(torch.rand(2, 1, 4, 4))
    # The first two have no padding; of the last one's four outputs none is inside.
    assert list(found) == ["2"]
    assert found["2"].distances() is None
    assert not any(layer._forward_hooks for layer in network)


# Features


class Stages(nn.Module):
    """Two stages, of whole and of half size, and what a task is asked for."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential()
        self.network.add_module("one", nn.Identity())
        self.network.add_module("two", nn.AvgPool2d(2))

    def forward(self, images):
        return self.network(images)


def test_features_are_the_outputs_of_the_stages_on_one_grid():
    images = torch.rand(5, 3, 16, 16)
    found = features(Stages(), images, ["one", "two"], grid=8, batch=2)
    assert found.shape == (5, 6, 8, 8)
    half = nn.functional.avg_pool2d(images, 2)
    torch.testing.assert_close(found[:, 3:], half)
    # Half the size, bilinearly: the mean of four pixels.
    torch.testing.assert_close(found[:, :3], half)
    inner = features(Stages(), images, ["two"], grid=4, share=0.25)
    torch.testing.assert_close(inner, half[..., 2:6, 2:6])


def test_a_stage_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="stages must name parts of the network, such as layer1; got 'three'"):
        features(Stages(), torch.rand(1, 3, 8, 8), ["one", "three"], grid=4)


# The study

QUICK = ["trainer.max_epochs=1", "data.train_tiles=40", "data.validation_tiles=12", "data.test_tiles=33"]
FEW = ["fit_images=24", "validation_images=8", "test_images=16", "artificial_images=6", "calibration_batches=1"]


def settings(runs, *overrides):
    quick = ",".join(f"'{setting}'" for setting in QUICK)
    fixed = [f"runs_dir={runs}", f"settings=[{quick}]", "device=cpu", "seeds=[0]", *FEW]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("position", [*fixed, *overrides])


@pytest.fixture(scope="module")
def studied_networks(tmp_path_factory):
    """The settings, and the table, of networks that are hardly trained."""
    runs = tmp_path_factory.mktemp("runs")
    config = settings(runs, "only=[zeros,replicate,halo]")
    for cell in sweep_cells(config):
        finish_run(cell, {"accuracy": {"whole": 0.5}})
    return read_settings(Settings, config), run(read_settings(Settings, config), Console(quiet=True))


@pytest.mark.slow
def test_the_table(studied_networks):
    _, table = studied_networks
    assert list(table.columns) == COLUMNS
    networks = {("zeros", "trained"), ("zeros", "untrained"), ("halo", "trained"), ("halo", "untrained")}
    networks |= {("replicate", network) for network in ("trained", "untrained", "converted")}
    assert set(table[["method", "network"]].itertuples(index=False, name=None)) == networks
    of_one = table.groupby(["method", "network"]).size()
    assert (of_one == 3 * len(TARGETS) * 2 + 4).all()
    values = table.set_index(["method", "network", "images", "measure", "target"])["value"].sort_index()
    # Units that see the edge are fewer at a higher threshold, and never more than there are.
    for method, network in networks:
        counts = [values[method, network, "natural", m, "edge"] for m in ("aware_1", "aware_0.5", "aware_0.25")]
        assert counts == sorted(counts)
        assert values[method, network, "natural", "units", "edge"] == 2368 >= counts[-1]
    assert values["zeros", "trained", "natural", "aware_0.5", "edge"] > 1000
    assert values["replicate", "trained", "natural", "aware_0.5", "edge"] < 100
    # Zeros beyond the edge are seen in an image of one colour; the edge repeated is not.
    assert values["zeros", "untrained", "constant", "spearman", "horizontal"] > 0.8
    assert values["replicate", "untrained", "constant", "spearman", "horizontal"] == 0
    assert values["zeros", "untrained", "natural", "mae", "horizontal"] < 0.2


@pytest.mark.slow
def test_each_kind_of_network_is_what_its_name_says(studied_networks):
    found, _ = studied_networks
    cells = {cell.method: cell for cell in needed_cells(found)}
    data = load_data(composed(cells["zeros"]).data)
    states = {
        kind: network_of(cells["replicate"], kind, data, found).state_dict()
        for kind in ("trained", "untrained", "converted")
    }
    zeros, own = trained_weights(cells["zeros"]), trained_weights(cells["replicate"])
    assert all(torch.equal(tensor, own[name]) for name, tensor in states["trained"].items())
    assert all(torch.equal(tensor, zeros[name]) for name, tensor in states["converted"].items())
    assert not any(torch.equal(states["untrained"][name], own[name]) for name in own if name.endswith("conv1.weight"))
    task = network_of(cells["replicate"], "converted", data, found)
    expected = converted(composed(cells["zeros"]), data, zeros, composed(cells["replicate"]).padding)
    assert task.network.conv1.padding_mode == expected.network.conv1.padding_mode == "replicate"


@pytest.mark.slow
def test_a_part_gives_the_rows_of_the_whole(studied_networks):
    found, table = studied_networks
    alone = settings(found.sweep.runs_dir, "only=[replicate]", "networks=[converted]")
    part = run(read_settings(Settings, alone), Console(quiet=True))
    whole = table[(table["method"] == "replicate") & (table["network"] == "converted")]
    np.testing.assert_allclose(part["value"], whole["value"], rtol=1e-5)


def test_networks_are_converted_to_modes_without_parameters_of_their_own(tmp_path):
    only = "only=[zeros,replicate,explicit,diff,learned,adaptive_running,halo]"
    kinds = [(cell.method, kind) for cell, kind in studied(read_settings(Settings, settings(tmp_path, only)))]
    assert {method for method, kind in kinds if kind == "converted"} == {"replicate", "diff", "adaptive_running"}
    assert sum(kind == "trained" for _, kind in kinds) == sum(kind == "untrained" for _, kind in kinds) == 7
    needed = needed_cells(read_settings(Settings, settings(tmp_path, "only=[diff]", "networks=[converted]")))
    assert [cell.method for cell in needed] == ["zeros"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["networks=[pruned]"], "networks must be of trained, untrained, converted; got 'pruned'"),
        (["stages=[]"], "stages must name at least one part of the network"),
        (["sweep=[classification,segmentation]"], "sweep must be one sweep of classifiers"),
        (["penalties=[0]"], "each of penalties must be a number of at least 1e-06, got 0"),
        (["resolution=2"], "resolution must be a number of at most 1, got 2"),
    ],
)
def test_settings_that_do_not_fit_are_told(overrides, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        read_settings(Settings, settings(tmp_path, *overrides))


def test_a_network_that_is_not_there_names_the_command_that_trains_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="reproduce-classification METHODS=zeros SEEDS=0` trains it"):
        run(read_settings(Settings, settings(tmp_path, "only=[diff]", "networks=[converted]")), Console(quiet=True))
