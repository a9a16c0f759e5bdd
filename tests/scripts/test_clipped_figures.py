"""What an axis does not hold is marked with its number, and nothing else is."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.text import Text

from scripts.figures import adaptive, benchmark, style
from scripts.figures.beyond import mark_beyond, plain, power_of_ten

METHODS = ("diff", "replicate", "linear_prediction", "adaptive")


def numbers(ax):
    """Rows and texts of the numbers that are written at the rims of axes."""
    return {(round(text.get_position()[1]), text.get_text()) for text in ax.texts}


def benchmark_table(ratios):
    rows = [
        ("cnn", case, method, 1e-3, ratio, 0.9 * ratio, 1.1 * ratio, "CPU", 1)
        for case, by_method in ratios.items()
        for method, ratio in by_method.items()
    ]
    return pd.DataFrame(rows, columns=benchmark.COLUMNS)


def test_benchmark_writes_the_ratios_that_lie_beyond_its_axis():
    ratios = {"layer": {"diff": 1.2, "adaptive": 7.9}, "call": {"diff": 2.5, "adaptive": 36.14, "diff_memory": 20.4}}
    with mpl.rc_context(style.RC):
        figure = benchmark.draw(benchmark_table(ratios))
    ax = figure.axes[0]
    assert numbers(ax) == {(1, "20"), (1, "36")}
    assert ax.get_xlim() == (benchmark.SMALLEST, benchmark.LARGEST)
    # Each other ratio is a marker at its own place.
    within = {
        (x, y)
        for line in ax.lines
        if line.get_transform() == ax.transData and line.get_marker() != "None"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert within == {(1.2, 0), (7.9, 0), (2.5, 1)}
    plt.close(figure)


def test_the_axis_of_the_benchmark_begins_below_the_least_ratio():
    with mpl.rc_context(style.RC):
        figure = benchmark.draw(benchmark_table({"layer": {"diff": 0.2, "adaptive": 2.0}}))
    assert figure.axes[0].get_xlim()[0] == pytest.approx(0.18)
    plt.close(figure)


def adaptive_tables(ratios):
    """Tables in which a method's error is so many times that of the best degree, which is 1."""
    fields = [("rough", 1.0), ("far", ratios)]
    columns = ["field", "size", "kernel_size", "method", "l1_error"]
    rows = [(field, 128, 3, "degree_0", 1.0) for field, _ in fields]
    for (field, of), method in itertools.product(fields, METHODS):
        rows.append((field, 128, 3, method, of if isinstance(of, float) else of[method]))
    variants = [(field, 128, 3, "taps=2", 1.0 if field == "rough" else 1e5) for field, _ in fields]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(variants, columns=columns)


def test_adaptive_writes_what_lies_beyond_either_end():
    tables = adaptive_tables({"diff": 10.0, "replicate": 10**5.5, "linear_prediction": 10**3.2, "adaptive": 10**-4.2})
    with mpl.rc_context(style.RC):
        figure = adaptive.draw(*tables)
        figure.canvas.draw()
    fields, _, variants = figure.axes
    assert numbers(fields) == {(1, "$10^{3.2}$"), (1, "$10^{5.5}$"), (1, "$10^{-4.2}$")}
    assert numbers(variants) == {(0, "$10^{5.0}$")}
    # Numbers lie outside, and cover neither names nor each other.
    names = [label for label in fields.get_yticklabels() if label.get_text() in ("rough", "far")]
    boxes = [text.get_window_extent() for text in [*fields.texts, *names]]
    assert not any(box.overlaps(fields.bbox) for box in boxes)
    assert not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))
    assert all(figure.bbox.contains(box.x0, box.y0) for box in boxes)
    plt.close(figure)


def test_marks_do_not_widen_the_axes_and_none_are_made_of_nothing():
    figure, ax = plt.subplots()
    ax.set_xlim(1, 10)
    ax.set_ylim(0, 1)
    assert mark_beyond(ax, 0, {}) == 0.0
    assert not ax.texts
    reach = mark_beyond(ax, 0, {"diff": 300.0, "zeros": 12.0}, power_of_ten)
    assert [text.get_text() for text in ax.texts] == ["$10^{1.1}$", "$10^{2.5}$"]
    assert reach > mark_beyond(ax, 0, {"diff": 300.0}, plain) > 0
    assert (ax.get_xlim(), ax.get_ylim()) == ((1, 10), (0, 1))
    assert [text.get_text() for text in figure.findobj(Text) if text.get_text() == "300"] == ["300"]
    plt.close(figure)
