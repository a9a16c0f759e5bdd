import itertools
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from PIL import Image

from experiments.adaptive.variants import VARIANTS
from experiments.methods import METHODS
from experiments.records import write_table
from scripts.figures import adaptive, style

# All of them together take many seconds.
pytestmark = pytest.mark.slow

COLUMNS = ["field", "size", "kernel_size", "method", "l1_error"]


def write_tables(folder, fields=("discs", "waves", "navier_stokes_11"), sizes=(32, 128)):
    """Tables as the experiment writes them, with errors that differ by powers of ten between methods."""
    degrees = [f"degree_{d}" for d in range(3)]
    for name, methods in (("adaptive", [*METHODS, *degrees]), ("adaptive_ablation", list(VARIANTS))):
        rows = [
            (field, size, 3, method, 10.0 ** (index % 7 - 3))
            for field, size, (index, method) in itertools.product(fields, sizes, enumerate(methods))
        ]
        write_table(folder / f"{name}.csv", pd.DataFrame(rows, columns=COLUMNS))


def draw(monkeypatch, tables, output):
    monkeypatch.setattr(sys, "argv", ["adaptive", "--tables", str(tables), "--output", str(output)])
    with mpl.rc_context():
        adaptive.main()
    plt.close("all")


def test_figure_is_written_as_pdf_and_png_and_again_with_the_same_bytes(tmp_path, monkeypatch, capsys):
    write_tables(tmp_path)
    for name in ("one", "two"):
        draw(monkeypatch, tmp_path, tmp_path / name)
    one, two = ([tmp_path / name / f"adaptive.{kind}" for kind in ("pdf", "png")] for name in ("one", "two"))
    assert capsys.readouterr().out.splitlines() == [str(path) for path in one + two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    with Image.open(one[1]) as image:
        assert image.width == pytest.approx(style.PAGE_WIDTH * 200, abs=1)


def test_fields_variants_and_methods_of_the_tables_are_named(tmp_path):
    write_tables(tmp_path, sizes=(64,))
    with mpl.rc_context(style.RC):
        figure = adaptive.draw(*(pd.read_csv(tmp_path / f"{name}.csv") for name in ("adaptive", "adaptive_ablation")))
    labels = [[text.get_text() for text in ax.get_yticklabels()] for ax in figure.axes]
    assert labels[0] == ["discs", "waves", "navier stokes 11"]
    assert labels[2] == list(VARIANTS)
    assert len(figure.legends[0].get_texts()) == len(METHODS)
    plt.close(figure)


def test_a_missing_table_is_told_in_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"no table .*adaptive\.csv; `python -m experiments\.adaptive` makes it"):
        draw(monkeypatch, tmp_path, tmp_path)
