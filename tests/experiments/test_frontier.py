"""The frontier's measures, and networks that are hardly trained."""

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from torch import nn

from experiments.frontier.images import chosen_images, large_images
from experiments.frontier.measures import TiledMeasures, cut, run_tiles, steps, windows
from experiments.frontier.program import COLUMNS, run
from experiments.frontier.settings import Settings
from experiments.models.unet import UNet
from experiments.paths import CONFIGS
from experiments.settings import read_settings
from experiments.tiling import stitched
from experiments.training.cell import run_cell
from experiments.training.cells import composed, sweep_cells

QUICK = ["model.options.depth=1", "model.options.width=4", "trainer.max_epochs=1", "trainer.limit_train_batches=1"]
QUICK += ["trainer.limit_val_batches=1", "trainer.limit_test_batches=1", "threads=1", "trainer.accelerator=cpu"]


def settings(runs, *overrides):
    quick = ",".join(f"'{setting}'" for setting in QUICK)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("frontier", [f"runs_dir={runs}", f"settings=[{quick}]", "device=cpu", "jobs=1", *overrides])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    config = settings(runs, "seeds=[0]", "only=[zeros,halo]", "halos=[0,3,64]", "most_images=3")
    for cell in sweep_cells(config):
        assert run_cell(composed(cell), Console(quiet=True, force_terminal=False)) is None
    return runs, run(read_settings(Settings, config), Console(quiet=True))


def test_tiles_are_read_with_their_surroundings_and_cut_to_their_places():
    image = torch.randn(2, 24, 24)
    for halo in (0, 1, 4):
        found = run_tiles(lambda tiles: tiles, image, context=4, tile=8, halo=halo)
        assert torch.equal(found, cut(image[:, 4:-4, 4:-4], 8))
    assert torch.equal(windows(image, 4, 8, 4)[2], image[:, 8:24, 0:16])
    assert torch.equal(stitched(cut(image[:, 4:-4, 4:-4], 8)[:, 1].view(2, 2, 8, 8)), image[1, 4:-4, 4:-4])
    assert cut(image[0, 4:-4, 4:-4], 8).shape == (4, 8, 8)


def test_a_step_is_between_the_pixels_at_both_sides_of_a_seam():
    image = torch.arange(36.0).view(1, 6, 6) ** 2
    found = steps(cut(image, 3)).flatten()
    right = image[0, :, 3] - image[0, :, 2]
    down = image[0, 3] - image[0, 2]
    torch.testing.assert_close(found.sort().values, torch.cat([right, down]).sort().values)


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_the_widest_halo_is_wider_than_a_network_of_depth_3_sees(mode):
    """A pixel that is no number makes every output that depends on it one, through pooling and activation too."""
    network = UNet(1, 1, depth=3, width=2, batch_norm=False).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            layer.padding_mode = mode
    reach = 0
    with torch.no_grad():
        for phase in range(8):
            image = torch.zeros(1, 1, 192, 192)
            image[0, 0, 96 + phase, 96] = float("nan")
            rows = network(image).isnan()[0, 0].any(1).nonzero()
            reach = max(reach, 96 + phase - rows.min().item(), rows.max().item() - 96 - phase)
    assert 32 < reach < 64


def test_measures_are_those_of_the_definition():
    torch.manual_seed(0)
    measures = TiledMeasures(0, None, 2, tile=20)
    images = [[torch.randn(1, 40, 40) for _ in range(3)] for _ in range(3)]
    for (tiled, whole, target), block in zip(images, (0, 1, 1), strict=True):
        measures.update(cut(tiled, 20), whole, target, block)
    found = measures.compute()
    errors = torch.stack([(tiled - target).square().mean() for tiled, _, target in images])
    seams = torch.stack([(tiled - whole).square().mean() for tiled, whole, _ in images])
    assert found["mse", "whole"][0] == pytest.approx(errors.mean().item(), rel=1e-5)
    assert found["mse", "whole"][1] == pytest.approx([errors[1:].mean().item(), errors[0].item()], rel=1e-5)
    assert found["seam", "whole"][0] == pytest.approx(seams.mean().sqrt().item(), rel=1e-5)
    assert found["seam", "whole"][1] == pytest.approx(
        [seams[1:].mean().sqrt().item(), seams[0].sqrt().item()], rel=1e-5
    )
    inner = torch.stack([(cut(tiled - target, 20)[..., 8:-8, 8:-8]).square().mean() for tiled, _, target in images])
    assert found["mse", "interior"][0] == pytest.approx(inner.mean().item(), rel=1e-5)
    differences = [tiled - whole for tiled, whole, _ in images]
    jumps = [torch.cat([(d[0, :, 20] - d[0, :, 19]), (d[0, 20] - d[0, 19])]).square().mean() for d in differences]
    assert found["jump", "whole"][0] == pytest.approx(torch.stack(jumps).mean().sqrt().item(), rel=1e-5)


def test_segmentations_are_compared_by_probabilities():
    torch.manual_seed(0)
    scores, target = torch.randn(3, 40, 40), torch.randint(3, (40, 40))
    measures = TiledMeasures(3, None, 1, tile=20)
    # Scores that differ by a number alone are the same probabilities.
    measures.update(cut(scores + 5, 20), scores, target, 0)
    found = measures.compute()
    assert found["seam", "whole"][0] < 1e-6
    assert found["accuracy", "whole"][0] == pytest.approx((scores.argmax(0) == target).double().mean().item())
    assert "mse" not in {metric for metric, _ in found}


def test_blocks_have_their_turns():
    blocks = torch.tensor([3, 3, 3, 1, 5, 5])
    chosen, found = chosen_images(6, blocks, 4)
    assert chosen == [0, 1, 3, 4]
    assert found.tolist() == [1, 1, 0, 2]
    assert chosen_images(3, None, 2)[1].tolist() == [0, 1]


def test_large_images_are_normalised_as_those_of_the_training():
    config = settings("/tmp", "seeds=[0]", "sweep=frontier_landcover", "only=[zeros]")
    of_run = composed(sweep_cells(config)[0])
    found = [
        large_images(of_run, {"landcover": {**config.images.landcover, "train_tiles": count}}, 64, 64, 4)
        for count in (1, 50)
    ]
    assert torch.equal(found[0].test[2][0], found[1].test[2][0])
    assert found[0].test[0][0].shape == (3, 256, 256)
    assert len(set(found[0].test_blocks.tolist())) == 4
    with pytest.raises(ValueError, match="images of landcover must be squares of a multiple of tile=60 pixels"):
        large_images(of_run, config.images, 60, 64, 4)
    with pytest.raises(ValueError, match="images must say how large images of landcover are made; got globe"):
        large_images(of_run, {"globe": {}}, 64, 64, 4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_table_and_the_values_without_blocks(measured):
    _, (table, arrays, _) = measured
    assert list(table.columns) == COLUMNS
    assert set(table["model"]) == {"unet", "unet_group_norm", "unet_no_norm"}
    assert set(table["method"]) == {"zeros", "halo"}
    assert not table.duplicated(COLUMNS[:-1]).any()
    values = table.set_index(COLUMNS[:-1])["value"].sort_index()
    for data, metric in (("globe", "mse"), ("landcover", "mean_iou")):
        for model in ("unet", "unet_no_norm"):
            of = values[data, model, "zeros", 0]
            # The widest halo is exact: no seam, and the error of the whole image.
            assert of[64, 64, "seam", "whole"] < 1e-5 < of[64, 0, "seam", "whole"]
            wide = 192 if data == "globe" else 128
            assert of[64, 64, metric, "frame"] == pytest.approx(of[wide, 64, metric, "frame"], rel=1e-4)
        # Statistics of a tile are not those of the image.
        assert values[data, "unet_group_norm", "zeros", 0][64, 64, "seam", "whole"] > 1e-5
        without = arrays[f"{data}/unet/{metric}/whole"]
        assert without.shape == (2, 1, 3, 3)
        assert np.isfinite(without).all()
    assert arrays["method"].tolist() == ["zeros", "halo"]
    assert arrays["halo"].tolist() == [0, 3, 64]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_networks_that_are_not_there_are_told_of_or_left_out(measured, capsys):
    runs, _ = measured
    few = ["seeds=[0]", "only=[zeros,diff]", "sweep=frontier_globe", "halos=[0,64]", "most_images=2"]
    with pytest.raises(FileNotFoundError, match=r"3 of 6 networks .* `make reproduce-frontier METHODS=diff SEEDS=0`"):
        run(read_settings(Settings, settings(runs, *few)), Console(quiet=True))
    table, arrays, _ = run(read_settings(Settings, settings(runs, *few, "missing=leave_out")), Console())
    assert set(table["method"]) == set(arrays["method"]) == {"zeros"}
    assert "left out: 3 of 6 networks, which have not been trained" in capsys.readouterr().out
    alone = settings(runs, *few, "seeds=[7]", "only=[zeros]", "missing=leave_out")
    alone.sweeps.frontier_globe.embedded.variants = {"unet": ["model.options.batch_norm=true"]}
    with pytest.raises(FileNotFoundError, match="1 of 1 networks"):
        run(read_settings(Settings, alone), Console(quiet=True))
