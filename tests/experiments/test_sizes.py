"""Networks that are hardly trained, on patches of several sizes."""

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console

from experiments.data.deblurring import BlurredPatches, InMemoryFields
from experiments.paths import CONFIGS
from experiments.settings import read_settings
from experiments.sizes.patches import batches, within
from experiments.sizes.program import RATIO, REGIONS, run
from experiments.sizes.settings import Settings
from experiments.training.cell import cell_folder, run_cell
from experiments.training.cells import composed, sweep_cells
from experiments.training.train import train

QUICK = ["model.options.depth=1", "model.options.width=2", "data.train_patches=16", "trainer.max_epochs=1"]
QUICK += ["trainer.limit_val_batches=1", "trainer.limit_test_batches=1", "threads=1", "trainer.accelerator=cpu"]


def settings(runs, *overrides):
    quick = ",".join(f"'{setting}'" for setting in QUICK)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("sizes", [f"runs_dir={runs}", f"settings=[{quick}]", "device=cpu", *overrides])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    config = settings(runs, "seeds=[0,1]", "only=[zeros,halo]", "sizes=[32,96]", "squares=3")
    for cell in sweep_cells(config):
        assert run_cell(composed(cell), Console(quiet=True, force_terminal=False)) is None
    return runs, run(read_settings(Settings, config), Console(quiet=True))


def test_patches_of_every_size_make_up_the_same_pixels():
    squares = np.array([[0, 10, 20], [0, 10, 212], [1, 202, 20]])
    seen = {}
    for size in (48, 64, 96, 192):
        count = np.zeros((2, 420, 420), int)
        for number, top, left in within(squares, 192, size):
            count[number, top : top + size, left : left + size] += 1
        seen[size] = count
    assert seen[192].max() == 1
    assert seen[192].sum() == 3 * 192**2
    for count in seen.values():
        np.testing.assert_array_equal(count, seen[192])


def test_what_a_network_sees_is_cut_from_the_widest_halo():
    fields = InMemoryFields(np.random.default_rng(0).normal(size=(120, 120)), sigma=1.0)
    corners = np.array([[0, 40, 40], [0, 40, 72]])
    test = BlurredPatches(fields, corners, 32)
    ((wide, clear),) = batches(test, corners, 32, halo=16, workers=0)
    ((narrow, same),) = batches(test, corners, 32, halo=0, workers=0)
    torch.testing.assert_close(wide[..., 16:-16, 16:-16], narrow)
    torch.testing.assert_close(clear, same)
    assert (wide.shape, clear.shape) == ((2, 1, 64, 64), (2, 1, 32, 32))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_table_has_every_network_size_and_region(measured):
    _, table = measured
    assert list(table.columns) == ["data", "model", "method", "seed", "size", "metric", "region", "value"]
    assert len(table) == 2 * 2 * 2 * 4
    values = table.set_index(["method", "seed", "size", "region"])["value"]
    assert set(table["region"]) == {*REGIONS, RATIO}
    for key in {key[:3] for key in values.index}:
        whole, frame, interior, ratio = (values[(*key, region)] for region in (*REGIONS, RATIO))
        size = key[2]
        share = 1 - (size - 16) ** 2 / size**2
        assert whole == pytest.approx(share * frame + (1 - share) * interior)
        assert ratio == pytest.approx(frame / interior)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_size_of_the_training_gives_what_the_run_measured(measured):
    """On all patches of 64 that the run was tested on, the error is that of its record."""
    runs, _ = measured
    config = settings(runs, "seeds=[0]", "only=[zeros]", "sizes=[64]", "least_deviation=0")
    cell = sweep_cells(config)[0]
    every = composed(cell)
    every.trainer.limit_test_batches = None
    folder = cell_folder(every)
    record = train(every, folder, Console(quiet=True, force_terminal=False))
    config.settings = [s for s in config.settings if "test_batches" not in s]
    table = run(read_settings(Settings, config), Console(quiet=True)).set_index("region")["value"]
    for region in REGIONS:
        assert table[region] == pytest.approx(record["results"]["mse"][region], rel=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_does_not_fit_is_told(measured):
    runs, _ = measured
    with pytest.raises(FileNotFoundError, match="reproduce-super-resolution METHODS=diff SEEDS=0` trains it"):
        run(read_settings(Settings, settings(runs, "seeds=[0]", "only=[zeros,diff]")), Console(quiet=True))
    zeros = ["seeds=[0]", "only=[zeros]"]
    with pytest.raises(ValueError, match="each of sizes must be an integer of at least 17, got 16"):
        run(read_settings(Settings, settings(runs, *zeros, "sizes=[16,32]")), Console(quiet=True))
    with pytest.raises(ValueError, match=r"no squares of 960 pixels.*: data\.size=960.*: size must be even"):
        run(read_settings(Settings, settings(runs, *zeros, "sizes=[64,60]")), Console(quiet=True))
    with pytest.raises(ValueError, match="squares must be an integer of at least 1, got 0"):
        run(read_settings(Settings, settings(runs, *zeros, "squares=0")), Console(quiet=True))
    with pytest.raises(ValueError, match="no test square has a deviation of 100000"):
        run(
            read_settings(Settings, settings(runs, *zeros, "sizes=[96]", "least_deviation=100_000")),
            Console(quiet=True),
        )
