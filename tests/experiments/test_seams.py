"""Seams of networks that are hardly trained."""

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from rich.console import Console

from experiments.paths import CONFIGS
from experiments.seams.measures import MEASURES
from experiments.seams.program import run
from experiments.seams.settings import Settings
from experiments.settings import read_settings
from experiments.training.cell import run_cell
from experiments.training.cells import composed, sweep_cells
from scripts.figures.seams import draw

QUICK = ["model.options.depth=1", "model.options.width=2", "data.train_patches=16", "trainer.max_epochs=1"]
QUICK += ["trainer.limit_val_batches=1", "trainer.limit_test_batches=1", "threads=1", "trainer.accelerator=cpu"]


def settings(runs, *overrides):
    quick = ",".join(f"'{setting}'" for setting in QUICK)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("seams", [f"runs_dir={runs}", f"settings=[{quick}]", "device=cpu", *overrides])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    config = settings(runs, "seeds=[0,1]", "only=[zeros,halo]", "distances=[0,1,31]", "picture=1")
    for cell in sweep_cells(config):
        assert run_cell(composed(cell), Console(quiet=True, force_terminal=False)) is None
    return runs, run(read_settings(Settings, config), Console(quiet=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_table_and_the_picture(measured):
    _, (table, arrays) = measured
    assert list(table.columns) == ["data", "model", "method", "seed", "measure", "distance", "value"]
    # No two overlapping tiles have a pixel 31 from the edges of both.
    assert len(table) == 2 * 2 * (3 + 2 + 3 + 3)
    assert set(table["measure"]) == set(MEASURES)
    values = table.set_index(["measure", "method", "distance"]).sort_index()["value"]
    assert (values["to_whole", "zeros", 0] > 1e-3).all()
    # A network of depth 1 sees less than 32 pixels: with that much true context there is no seam.
    assert (values["to_whole", "halo"] < 1e-5).all()
    assert (values["overlap", "halo"] < 1e-5).all()
    assert (values["to_whole", "zeros", 31] < 1e-5).all()
    assert set(arrays) == {"clear", "difference/zeros", "difference/halo"}
    assert arrays["clear"].shape == arrays["difference/zeros"].shape == (192, 192)
    seam = np.abs(arrays["difference/zeros"].astype(float))
    assert seam[:, [63, 64]].mean() > 100 * seam[28:36, 28:36].mean()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_figure_is_drawn_from_them(measured):
    _, (table, arrays) = measured
    figure = draw(table, arrays)
    titles = [ax.get_title() for ax in figure.axes]
    assert "Truth" in titles
    assert any(title.startswith("Zero: RMS") for title in titles)
    with pytest.raises(ValueError, match="the table has no overlap"):
        draw(table[table["measure"] != "overlap"], arrays)
    with pytest.raises(ValueError, match="no picture to show"):
        draw(table, {"clear": arrays["clear"]})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_network_that_is_not_there_names_the_command_that_trains_it(measured):
    runs, _ = measured
    config = settings(runs, "seeds=[0]", "only=[zeros,diff]")
    with pytest.raises(FileNotFoundError, match="reproduce-super-resolution METHODS=diff SEEDS=0` trains it"):
        run(read_settings(Settings, config), Console(quiet=True))
    with pytest.raises(ValueError, match="picture must be within 0 and 15, got 18"):
        run(read_settings(Settings, settings(runs, "seeds=[0]", "only=[zeros]", "picture=18")), Console(quiet=True))
