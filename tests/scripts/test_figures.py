import itertools
import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from experiments.methods import METHODS
from experiments.paths import REPOSITORY
from experiments.records import write_arrays, write_table
from scripts.figures import filtering, style

# All of them together take many seconds.
pytestmark = pytest.mark.slow

FIELDS = ("chebyshev", "spherical_harmonics", "navier_stokes", "terrain")


def write_tables(folder, fields=FIELDS, sizes=(3, 5, 7), methods=tuple(METHODS), orders=tuple(range(1, 12))):
    """Tables as the experiment writes them, with errors that grow with the order and differ by method."""
    columns = ["field", "order", "kernel_size", "method", "l1_error"]
    scale = {method: 10.0**-index for index, method in enumerate(METHODS)}
    rows = [(f, n, k, m, n * k * scale[m]) for f, n, k, m in itertools.product(fields, orders, sizes, methods)]
    write_table(folder / "filtering.csv", pd.DataFrame(rows, columns=columns))
    rows = [(k, m, k * scale[m]) for k, m in itertools.product(sizes, methods)]
    write_table(folder / "laplacian.csv", pd.DataFrame(rows, columns=columns[2:]))

    noise = np.random.default_rng(0)
    shown = orders[:: max(1, len(orders) // 4)]
    pictures = {f"field/{f}/{n}": noise.normal(size=(20, 20)).astype(np.float16) for f in fields for n in shown}
    pictures["laplacian/analytical"] = noise.normal(scale=0.1, size=(50, 50))
    for size, method in itertools.product(sizes, ("truth", *methods)):
        pictures[f"laplacian/zoom/{size}/{method}"] = noise.normal(scale=0.1, size=(10, 10))
    write_arrays(folder / "filtering_pictures.npz", pictures)


def draw(monkeypatch, tables, output):
    monkeypatch.setattr(sys, "argv", ["filtering", "--tables", str(tables), "--output", str(output)])
    with mpl.rc_context():
        filtering.main()
    plt.close("all")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write_tables(folder)
    return folder


@pytest.fixture(scope="module")
def figure(tables):
    columns = [pd.read_csv(tables / f"{name}.csv") for name in ("filtering", "laplacian")]
    with np.load(tables / "filtering_pictures.npz") as archive, mpl.rc_context(style.RC):
        drawn = filtering.draw(*columns, dict(archive))
        drawn.canvas.draw()
        yield drawn
    plt.close("all")


def test_figure_is_written_as_pdf_and_png_and_again_with_the_same_bytes(tables, tmp_path, monkeypatch, capsys):
    for name in ("one", "two"):
        draw(monkeypatch, tables, tmp_path / name)
    one, two = ([tmp_path / name / f"filtering.{kind}" for kind in ("pdf", "png")] for name in ("one", "two"))
    assert capsys.readouterr().out.splitlines() == [str(path) for path in one + two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    with Image.open(one[1]) as image:
        assert image.width == pytest.approx(style.PAGE_WIDTH * 200, abs=1)
    pdf = one[0].read_bytes()
    # Embedded TrueType outlines, and no date.
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf


def test_letters_are_readable_and_nothing_overlaps(figure):
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    ticks = [tick for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for tick in _ticks_beyond_limits(axis)]
    hidden = {label for tick in ticks for label in (tick.label1, tick.label2)}
    texts = [t for t in texts if t not in hidden]
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts]
    assert len(boxes) > 100
    assert min(t.get_fontsize() for t in texts) >= 7
    for text, box in boxes:
        assert figure.bbox.fully_containsx(box.x0), text
        assert figure.bbox.fully_containsx(box.x1), text
        assert figure.bbox.fully_containsy(box.y0), text
        assert figure.bbox.fully_containsy(box.y1), text
    for (one, box), (two, other) in itertools.combinations(boxes, 2):
        assert not box.overlaps(other), f"{one!r} overlaps {two!r}"
    for ax, text in itertools.product(figure.axes, texts):
        assert text in ax.texts or not text.get_window_extent().overlaps(ax.bbox), text
    for one, two in itertools.combinations(figure.axes, 2):
        assert not one.bbox.overlaps(two.bbox)


def _ticks_beyond_limits(axis):
    """Ticks that matplotlib keeps but does not draw."""
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [tick for tick in ticks if not low <= tick.get_loc() <= high]


def test_diff_is_black_and_on_top(figure):
    panel = next(ax for ax in figure.axes if ax.get_yscale() == "log")
    assert panel.lines[-1].get_label() == "Diff"
    assert panel.lines[-1].get_color() == "#000000"
    assert len(panel.lines) == len(METHODS)


def test_every_compared_method_has_a_style_of_its_own():
    assert METHODS.keys() <= style.METHODS.keys()
    looks = [(s.color, s.linestyle, s.marker) for s in style.METHODS.values()]
    assert len(set(looks)) == len(looks)
    with pytest.raises(ValueError, match="no label and colour for the method 'mirror'"):
        style.in_order(["diff", "mirror"])


@pytest.mark.parametrize(
    "part",
    [
        {"sizes": (3,), "fields": ("terrain",)},
        {"methods": ("diff", "symmetric"), "fields": ("chebyshev", "navier_stokes")},
        {"orders": (5,), "sizes": (5, 7)},
    ],
)
def test_tables_of_a_part_of_the_experiment_are_drawn(part, tmp_path, monkeypatch):
    write_tables(tmp_path, **part)
    draw(monkeypatch, tmp_path, tmp_path)
    assert (tmp_path / "filtering.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["filtering.csv", "laplacian.csv", "filtering_pictures.npz"])
def test_a_missing_table_names_the_command_that_makes_it(name, tmp_path, monkeypatch):
    write_tables(tmp_path, fields=("terrain",), sizes=(3,))
    (tmp_path / name).unlink()
    with pytest.raises(SystemExit, match=rf"no table .*{name}; `python -m experiments.filtering` makes it"):
        draw(monkeypatch, tmp_path, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("", "has no column field"), ("field,order\n", "has no column kernel_size"), (None, "has no rows")],
)
def test_a_table_without_its_columns_or_rows_is_refused(content, sentence, tmp_path, monkeypatch):
    write_tables(tmp_path, fields=("terrain",), sizes=(3,))
    header = (tmp_path / "filtering.csv").read_text().splitlines()[0]
    (tmp_path / "filtering.csv").write_text(header if content is None else content)
    with pytest.raises(SystemExit, match=sentence):
        draw(monkeypatch, tmp_path, tmp_path / "figures")


def test_without_tables_the_program_ends_with_status_1(tmp_path):
    command = [sys.executable, "-m", "scripts.figures.filtering", "--tables", str(tmp_path)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "python -m experiments.filtering" in ended.stderr
