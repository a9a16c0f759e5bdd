"""The figure of seams, from a small table and small pictures."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scripts.figures import seams, style

LEVELS = {"zeros": 0.2, "diff": 0.1, "halo": 1e-3}


def drawn(levels, seeds=(0, 1), scale=1.0):
    rows = [
        (method, seed, measure, distance, (1 + 0.1 * seed) * level / (1 + distance))
        for (method, level), seed, measure, distance in itertools.product(
            levels.items(), seeds, seams.PANELS, (0, 1, 5)
        )
    ]
    noise = np.random.default_rng(0)
    arrays = {name: scale * noise.normal(size=(12, 12)) for name in ("clear", *(f"difference/{m}" for m in levels))}
    with mpl.rc_context(style.RC):
        figure = seams.draw(pd.DataFrame(rows, columns=seams.COLUMNS), arrays)
        figure.canvas.draw()
    return figure


def tick_texts(ax):
    low, high = ax.get_ylim()
    ticks = [tick for tick in ax.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [tick.label1.get_text() for tick in ticks]


@pytest.mark.parametrize(("levels", "powers"), [(LEVELS, True), ({"zeros": 0.2, "diff": 0.1}, False)])
def test_logarithmic_axes_have_one_notation(levels, powers):
    figure = drawn(levels)
    logarithmic = [ax for ax in figure.axes if ax.get_yscale() == "log"]
    written = [text for ax in logarithmic for text in tick_texts(ax)]
    assert len(logarithmic) == 2
    assert len(written) > 2
    assert [text.startswith("$\\mathdefault{10^") for text in written] == [powers] * len(written)
    plt.close(figure)


def test_the_colour_bar_and_the_lines_say_what_they_show():
    figure = drawn(LEVELS)
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert "Standard deviations" in labels
    assert "RMS (standard deviations)" in labels
    notes = [text.get_text() for text in figure.texts]
    assert "Lines: mean over 2 seeds; bands: from the least to the largest of them." in notes
    plt.close(figure)
    figure = drawn(LEVELS, seeds=(3,))
    assert "(b) to (d): one seed, 3." in [text.get_text() for text in figure.texts]
    plt.close(figure)


def test_a_small_difference_is_not_written_as_none():
    figure = drawn(LEVELS, scale=3e-4)
    titles = [ax.get_title() for ax in figure.axes if "RMS" in ax.get_title()]
    assert len(titles) == len(LEVELS)
    assert all(float(title.split()[-1]) == pytest.approx(3e-4, rel=0.3) for title in titles)
    plt.close(figure)
