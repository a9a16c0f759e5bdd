"""The study of slopes, on small windows."""

import sys

import hydra
import numpy as np
import pandas as pd
import pytest

from experiments.paths import CONFIGS
from experiments.settings import read_settings
from experiments.slopes import program
from experiments.slopes.methods import METHODS, richdem
from experiments.slopes.settings import Settings
from experiments.slopes.terrains import TERRAINS, Terrain

SMALL = ["terrains=[fault,sea_floor]", "sizes=[16,100]", "windows=2"]


def settings(*overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(Settings, hydra.compose("slopes", list(overrides)))


@pytest.mark.parametrize("name", TERRAINS)
def test_terrains_are_maps_with_latitudes(name):
    terrain = TERRAINS[name]()
    assert terrain.elevation.ndim == 2
    assert np.isfinite(terrain.elevation).all()
    assert terrain.latitude.shape == terrain.elevation.shape[:1]
    # The spacing is positive where rows go southwards. Rows of the sea floor are evenly spaced to two hundredths.
    np.testing.assert_allclose(
        -np.diff(terrain.latitude), terrain.spacing[0], rtol=2e-2 if name == "sea_floor" else 1e-6
    )


def test_richdem_takes_the_cell_itself_beyond_the_rim():
    elevation = np.random.default_rng(0).standard_normal((5, 6)) * 100
    spacing, latitude = (0.001, 0.002), 40 - 0.001 * np.arange(5)
    found = richdem(elevation, spacing, latitude)
    inside = METHODS["replicate"](elevation, spacing, latitude)[1:-1, 1:-1]
    np.testing.assert_allclose(found[1:-1, 1:-1], inside, rtol=1e-12)
    # The window of the cell (0, 2): its upper row is the cell itself.
    window = np.vstack([np.full(3, elevation[0, 2]), elevation[:2, 1:4]])
    alone = METHODS["replicate"](window, spacing, np.full(3, latitude[0]))[1, 1]
    assert found[0, 2] == pytest.approx(alone)


def test_the_error_is_that_of_the_rim():
    """A plane loses nothing where lines go on linearly; a wrong rim is the whole error."""
    rows, columns = np.mgrid[0:18.0, 0:18.0]
    plane = Terrain(50 * rows - 20 * columns, np.zeros(18), (0.001, 0.001))
    chosen = settings("methods=[gdal,zeros,replicate]", "windows=1")
    errors = {row["method"]: row["rim_error"] for row in program.measure(chosen, "plane", plane, 16)}
    assert errors["gdal"] < 1e-9
    assert errors["zeros"] > errors["replicate"] > 1


def test_small_run_writes_its_table(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["slopes", *SMALL, f"output_dir={tmp_path}"])
    program.main()
    table = pd.read_csv(tmp_path / "tables" / "slopes.csv")
    # The sea floor has 91 rows: too few for windows of 100.
    assert len(table) == (2 + 1) * 2 * len(METHODS)
    assert set(table[table["terrain"] == "sea_floor"]["size"]) == {16}
    assert str(tmp_path / "tables" / "slopes.csv") in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("terrains=[moon]", "terrains must be of .*; got 'moon'"),
        ("methods=[arcgis]", "methods must be of .*; got 'arcgis'"),
        ("sizes=[4]", "sizes must .* 8"),
        ("windows=0", "windows must be an integer"),
    ],
)
def test_settings_are_checked(override, message):
    with pytest.raises(ValueError, match=message):
        settings(override)
