import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from scripts.figures import style
from scripts.figures.super_resolution_sizes import draw, relative_to_zeros
from scripts.summary import RATIO

LEVELS = {"zeros": 1.0, "diff": 0.8, "halo": 0.5}


def table_of(methods=LEVELS, seeds=(0, 1), sizes=(48, 64, 192)):
    """Errors that grow with the seed and shrink with the size, and are a share of those of zeros."""
    rows = [
        ("globe", "unet", method, seed, size, "mse", region, LEVELS[method] * (1 + seed) * 48 / size * factor)
        for method in methods
        for seed in seeds
        for size in sizes
        for region, factor in (("whole", 1.0), ("frame", 1.5), ("interior", 0.5), (RATIO, 3.0))
    ]
    return pd.DataFrame(rows, columns=["data", "model", "method", "seed", "size", "metric", "region", "value"])


def test_errors_are_compared_with_zeros_of_the_same_seed_and_size():
    # In another order, as no row may be taken for its neighbour's.
    table = table_of().sample(frac=1, random_state=0)
    for region in ("frame", "interior"):
        shown = relative_to_zeros(table, region)
        for method, level in LEVELS.items():
            assert shown.loc[shown["method"] == method, "value"].to_list() == pytest.approx([100 * level] * 6)
    with pytest.raises(ValueError, match="the table has no zeros"):
        relative_to_zeros(table_of(methods=("diff",)), "frame")
    with pytest.raises(ValueError, match="the table has no zeros"):
        relative_to_zeros(table[(table["method"] != "zeros") | (table["seed"] == 0)], "frame")


@pytest.mark.parametrize("methods", [tuple(LEVELS), ("zeros",)], ids=len)
def test_the_figure_has_a_line_for_each_method_and_a_tick_for_each_size(methods):
    with mpl.rc_context(style.RC):
        figure = draw(table_of(methods=methods))
        figure.canvas.draw()
    assert len(figure.axes) == 3
    for ax in figure.axes:
        assert len(ax.lines) == len(methods)
        assert [label.get_text() for label in ax.get_xticklabels()] == ["48", "64", "192"]
    plt.close(figure)
