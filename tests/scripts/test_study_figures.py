"""The figures of the studies of the operator, from small tables as the programs write them."""

import itertools
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from PIL import Image

from experiments.methods import METHODS
from experiments.records import write_table
from scripts.figures import convergence, regimes, rollouts, shells, slopes, style

NAMES = [*METHODS, "degree_0", "degree_1", "degree_2"]
SCALE = {name: 10.0 ** -(index % 7) for index, name in enumerate(NAMES)}


def table(columns, *factors):
    return pd.DataFrame(itertools.product(*factors), columns=columns)


def convergence_tables():
    operators, parts = ["smoothing", "gradient", "laplacian"], ["edges", "corners"]
    keys = ["operator", "kernel_size", "method", "part"]
    errors = table([*keys, "samples"], operators, [3, 5], NAMES, parts, [16, 32, 64])
    errors["l1_error"] = errors["method"].map(SCALE) / errors["samples"]
    slopes = table([*keys, "reference"], operators, [3, 5], NAMES, parts, ["kernel", "operator"])
    return {"convergence": errors.assign(rounding=1e-15), "convergence_slopes": slopes.assign(slope=1.0)}


def shells_tables():
    columns = ["field", "kernel_size", "method", "part", "shell"]
    errors = table(columns, ["chebyshev", "terrain"], [5], NAMES, ["edges", "corners"], [0, 1])
    return {"shells": errors.assign(l1_error=errors["method"].map(SCALE))}


def regimes_tables():
    levels = {"blurred_noise": [0.0, 1.0, 4.0, 8.0], "blurred_terrain": [0.0, 2.0], "noise_added": [0.0, 1e-4, 1e-2]}
    keys = pd.concat([table(["field", "level", "kernel_size"], [name], of, [3, 5]) for name, of in levels.items()])
    errors = keys.merge(pd.DataFrame({"method": NAMES}), how="cross")
    errors["l1_error"] = errors["method"].map(SCALE)
    found = {"family": ["mode", "fixed mode", "degree"], "best": ["diff", "diff", "degree_1"]}
    best = keys.merge(pd.DataFrame(found), how="cross")
    return {
        "regimes": errors,
        "regimes_rounding": errors.assign(rounding=1e-7).drop(columns="l1_error"),
        "regimes_best": best.assign(wins=8, crops=8),
    }


def rollouts_tables():
    columns = ["problem", "kernel_size", "method"]
    errors = table([*columns, "region", "step"], ["heat", "advection_diffusion"], [3], NAMES, ["image"], [1, 10, 100])
    errors["error"] = errors["method"].map(SCALE)
    stability = table([*columns, "quantity"], ["heat", "advection_diffusion"], [3], NAMES, ["spectral_radius"])
    blown = pd.DataFrame([("heat", 3, "partial", "blow_up_step")], columns=[*columns, "quantity"])
    return {
        "rollouts": errors[(errors["method"] != "partial") | (errors["step"] < 100)],
        "rollouts_stability": pd.concat([stability.assign(value=1.0), blown.assign(value=15.0)]),
    }


def slopes_tables():
    columns = ["terrain", "size", "window", "method"]
    errors = table(columns, ["fault", "plain"], [64, 128], [0, 1], ["gdal", "richdem", "adaptive", "zeros"])
    scale = {"gdal": 1.0, "richdem": 1.3, "adaptive": 0.7, "zeros": 20.0}
    return {"slopes": errors.assign(rim_error=errors["method"].map(scale), slope=2.0)}


FIGURES = {
    "convergence": (convergence, convergence_tables),
    "shells": (shells, shells_tables),
    "regimes": (regimes, regimes_tables),
    "rollouts": (rollouts, rollouts_tables),
    "slopes": (slopes, slopes_tables),
}


def draw(monkeypatch, name, tables, output):
    monkeypatch.setattr(sys, "argv", [name, "--tables", str(tables), "--output", str(output)])
    with mpl.rc_context():
        FIGURES[name][0].main()
    plt.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_written_as_pdf_and_png(name, tmp_path, monkeypatch, capsys):
    for file, content in FIGURES[name][1]().items():
        write_table(tmp_path / f"{file}.csv", content)
    draw(monkeypatch, name, tmp_path, tmp_path / "figures")
    paths = [tmp_path / "figures" / f"{name}.{kind}" for kind in ("pdf", "png")]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in paths]
    with Image.open(paths[1]) as image:
        assert image.width == pytest.approx(style.PAGE_WIDTH * 200, abs=1)


@pytest.mark.parametrize("name", FIGURES)
def test_a_missing_table_is_told_in_one_sentence(name, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=rf"no table .*{name}\.csv; `python -m experiments\.{name}` makes it"):
        draw(monkeypatch, name, tmp_path, tmp_path)


def test_what_is_compared_is_in_the_legends():
    with mpl.rc_context(style.RC):
        figures = {name: module.draw(*make().values()) for name, (module, make) in FIGURES.items()}
    legends = {name: [len(found.get_texts()) for found in figure.legends] for name, figure in figures.items()}
    assert legends == {
        "convergence": [3, len(METHODS), 4],
        "shells": [len(METHODS)],
        "regimes": [len(METHODS), 3 + 2],
        "rollouts": [len(METHODS), 3],
        # Its methods are rows.
        "slopes": [],
    }
    rows = [label.get_text() for label in figures["slopes"].axes[0].get_yticklabels()]
    assert rows == ["richdem", "GDAL", "Adapt"]
    assert "Zero: 20 to 20" in figures["slopes"].texts[0].get_text()
    cells = [text.get_text() for ax in figures["regimes"].axes for text in ax.texts]
    assert set(cells) == {"Diff", "1"}
    # Blurs beyond the map are left out of it: 3 + 2 + 3 levels, two sizes, three families.
    assert len(cells) == (3 + 2 + 3) * 2 * 3
    plt.close("all")


def test_every_degree_has_a_style_of_its_own():
    looks = [(s.label, s.color, s.marker) for s in style.DEGREES.values()]
    assert len(set(looks)) == len(looks) == 7
    assert style.family(["degree_1", "zeros", "degree_0"], style.DEGREES) == ["degree_0", "degree_1"]
    assert style.family(["degree_1", "zeros", "diff"], style.METHODS) == ["diff", "zeros"]
