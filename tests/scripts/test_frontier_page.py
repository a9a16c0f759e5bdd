"""What the frontier's page and figure say, from a small table."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scripts.figures import frontier, style
from scripts.figures.tables import TABLES
from scripts.frontier_page import MARKS, PAGE, choices, interval, parts, saved, sentences, small_halos
from scripts.frontier_points import best, cheapest, points
from scripts.pages import between_marks
from scripts.saved_halo import saved_table

HALOS = (0, 4, 8, 64)
# By method: error without a halo, what no halo takes away, seam without a halo, time.
LEVELS = {"zeros": (0.5, 0.4, 0.1, 1.0), "diff": (0.35, 0.3, 0.05, 1.2), "halo": (0.6, 0.2, 0.2, 1.0)}


def made(seeds=3, models=("unet", "unet_no_norm")):
    rows, costs, arrays = [], [], {}
    arrays = {"method": np.array(list(LEVELS)), "seed": np.arange(seeds), "halo": np.array(HALOS)}
    for model in models:
        for name, part in (("mse", "whole"), ("mse", "frame"), ("seam", "whole")):
            arrays[f"globe/{model}/{name}/{part}"] = np.full((3, seeds, 4, 5), np.nan, np.float32)
        for number, (method, (error, rest, seam, time)) in enumerate(LEVELS.items()):
            for place, halo in enumerate(HALOS):
                costs.append(("globe", model, method, halo, 100.0, time * (1 + halo / 32)))
                for seed in range(seeds):
                    share, factor = np.exp(-halo / 3), 1 + 0.01 * seed
                    values = {("mse", part): factor * (rest + (error - rest) * share) for part in ("whole", "frame")}
                    values |= {
                        ("seam", "whole"): factor * seam * share,
                        ("mse", "interior"): rest * (1 + (halo == 4)),
                    }
                    for (name, part), value in values.items():
                        rows.append(("globe", model, method, seed, 64, halo, name, part, value))
                        if part != "interior":
                            arrays[f"globe/{model}/{name}/{part}"][number, seed, place] = value
    table = pd.DataFrame(rows, columns=frontier.COLUMNS["frontier"])
    cost = pd.DataFrame(costs, columns=frontier.COLUMNS["frontier_cost"])
    return table, arrays, cost[cost["method"] != "halo"]


def test_points_have_the_cost_of_their_halo():
    table, _, cost = made()
    found = points(table, cost).set_index(["model", "method", "halo"])
    assert found["time"]["unet", "halo", 8] == 1.25
    assert found["error"]["unet", "zeros", 0] == pytest.approx(0.5 * 1.01)
    assert (found["seeds"] == 3).all()
    # Means are over the seeds that all methods have.
    without = table[(table["method"] != "diff") | (table["seed"] != 2)]
    assert points(without, cost).set_index(["model", "method", "halo"])["error"]["unet", "zeros", 0] == pytest.approx(
        0.5025
    )
    with pytest.raises(ValueError, match="no seed of globe unet is there for all"):
        points(table[(table["method"] != "diff") ^ (table["seed"] == 2)], cost)
    with pytest.raises(ValueError, match=r"has nothing of .*'costs': 'diff'.*frontier_cost` makes it"):
        points(table, cost[cost["method"] != "diff"])


def test_nothing_beats_what_lies_on_the_frontier():
    table, _, cost = made(models=("unet",))
    found = points(table, cost)
    front = best(found, "error")
    assert front["time"].is_monotonic_increasing
    assert front["error"].is_monotonic_decreasing
    for row in front.to_dict("records"):
        assert not ((found["time"] <= row["time"]) & (found["error"] < row["error"])).any()
    # 64 px are no better than 8 by a hundredth of a seam that nobody sees.
    assert cheapest(found.assign(seam=1e-5), "seam")["time"] == 1.0


def test_sentences_and_tables_say_what_the_curves_are():
    table, arrays, cost = made()
    found, of_points = saved_table(table, arrays), points(table, cost)
    told = " ".join(sentences(found, of_points))
    assert told.startswith(
        "Super-resolution (3 seeds, 5 blocks of the test set). The halo with which zero padding reaches the seam"
    )
    assert "that a mode has without one: 2.1 px [2.1, 2.1] (`diff`)" in told
    assert "However wide its halo, it does not reach the error of `diff`." in told
    worse = found.assign(halo=-2.0, low=-np.inf, high=-1.0)
    assert "Worse than zero padding, by as many pixels, is the error of −2.0 px (−∞, −1.0] (`diff`)." in " ".join(
        sentences(worse, of_points)
    )
    unknown = " ".join(sentences(found.assign(low=-np.inf, high=np.inf), of_points))
    assert "Not resolved, whatever the halo: the error of `diff`." in unknown
    assert "1.2 (`diff`)" in told
    assert "| Super-resolution, BatchNorm | error | `zeros`, 0 px: " not in choices(of_points)
    row = next(line for line in saved(found).splitlines() if "no normalisation" in line and "`diff`" in line)
    assert "| 3, 5 | ∞ (∞, ∞) | ∞ (∞, ∞) | 2." in row
    assert "Super-resolution, BatchNorm: +100.0 % at 4 px, +0.0 % at 8 px" in small_halos(table)
    one = saved_table(*made(seeds=1)[:2])
    assert "(1 seed, 5 blocks" in sentences(one, of_points)[0]
    assert "nan" not in saved(one)
    assert interval(-np.inf, 2.0) == "(−∞, 2.0]"


def test_the_figure_has_a_panel_for_each_network_and_measure():
    table, _, cost = made()
    with mpl.rc_context(style.RC):
        figure = frontier.draw(table, cost)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["BatchNorm", "no normalisation"] * 2
    assert [ax.get_ylabel() for ax in figure.axes[::2]] == ["Super-resolution\nMSE", "Super-resolution\nSeam (RMS)"]
    assert [ax.get_yscale() for ax in figure.axes] == ["linear"] * 2 + ["log"] * 2
    assert "Means over 3 seeds." in figure.texts[-1].get_text()
    error = figure.axes[0]
    numbers = [text.get_text() for text in error.texts]
    assert numbers[:4] == [str(halo) for halo in HALOS]
    plt.close(figure)


def test_the_page_says_what_the_tables_say():
    """Where there are no tables yet, it says nothing."""
    text = PAGE.read_text(encoding="utf-8")
    made_from = parts(TABLES) if (TABLES / "frontier.csv").is_file() else dict.fromkeys(MARKS, "")
    for name, marks in MARKS.items():
        assert between_marks(text, *marks) == made_from[name], name
