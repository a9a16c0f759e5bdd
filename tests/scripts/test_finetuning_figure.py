import itertools
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from PIL import Image

from experiments.finetuning.summary import MOST_FREQUENT
from experiments.records import write_table
from scripts.figures import finetuning, style

METHODS = ("zeros", "replicate", "diff")


def table():
    columns = ["data", "model", "method", "seed", "steps", "metric", "region", "value"]
    rows = [("scenes", "resnet18", MOST_FREQUENT, seed, 0, "accuracy", "whole", 0.17) for seed in (0, 1)]
    for (number, method), seed, steps in itertools.product(enumerate(METHODS), (0, 1), (0, 20, 60)):
        accuracy, error = 0.6 - 0.1 * number + 0.02 * seed, 0.2 + 0.3 * number + 0.02 * seed
        rows.append(("scenes", "resnet18", method, seed, steps, "accuracy", "whole", accuracy))
        rows.append(("globe", "unet", method, seed, steps, "mse", "frame", error))
        rows.append(("globe", "unet", method, seed, steps, "mse", "whole", 9.0))
    return pd.DataFrame(rows, columns=columns)


def drawn(content):
    with mpl.rc_context(style.RC):
        figure = finetuning.draw(content)
    plt.close(figure)
    return figure


def test_panels_lines_and_references():
    figure = drawn(table())
    accuracy, error = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["(a) Classification", "(b) Super-resolution"]
    assert (accuracy.get_yscale(), error.get_yscale()) == ("linear", "log")
    # A line for each method, and the network as trained; for a class also the most frequent one.
    assert len(accuracy.lines) == len(METHODS) + 2
    assert len(error.lines) == len(METHODS) + 1
    levels = [line.get_ydata()[0] for line in accuracy.lines[-2:]]
    assert levels == pytest.approx([0.61, 0.17])
    assert error.lines[-1].get_ydata()[0] == pytest.approx(0.21)
    by_label = {line.get_label(): line for line in error.lines}
    assert list(by_label["Diff"].get_ydata()) == pytest.approx([0.81] * 3)
    assert [label.get_text() for label in error.get_xticklabels()] == ["0", "20", "60"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["Diff", "Repl", "Zero", "As trained", "Most frequent class"]


def test_a_part_of_the_tasks_is_drawn_and_nothing_is_told():
    content = table()
    assert len(drawn(content[content["metric"] == "mse"]).axes) == 1
    with pytest.raises(ValueError, match="neither accuracy nor error of the frame"):
        drawn(content[content["region"] == "interior"])
    with pytest.raises(ValueError, match="no accuracy of zeros after 0 steps"):
        drawn(content[content["method"] != "zeros"])


def test_the_figure_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["finetuning", "--tables", str(tmp_path), "--output", str(tmp_path / "figures")])
    with pytest.raises(SystemExit, match=r"no table .*finetuning\.csv; `python -m experiments\.finetuning` makes it"):
        finetuning.main()
    write_table(tmp_path / "finetuning.csv", table())
    with mpl.rc_context():
        finetuning.main()
    plt.close("all")
    paths = [tmp_path / "figures" / f"finetuning.{kind}" for kind in ("pdf", "png")]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in paths]
    with Image.open(paths[1]) as image:
        assert image.width == pytest.approx(style.PAGE_WIDTH * 200, abs=1)
