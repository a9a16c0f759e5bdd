import itertools
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.text import Text
from PIL import Image
from run_records import flat_results

from experiments.error_maps.program import near_seams
from experiments.records import write_arrays, write_table
from scripts.figures import classification, error_maps, normalization, segmentation, style, super_resolution
from scripts.summary import INTERVALS, RUN_COLUMNS, summarise
from scripts.sweeps import SWEEPS

# All of them together take many seconds.
pytestmark = pytest.mark.slow

FIGURES = {
    "classification": classification,
    "segmentation": segmentation,
    "super_resolution": super_resolution,
    "normalization": normalization,
}


def table_of(name, seeds=(0, 1, 2), methods=None, far=()):
    """A table of every method, as collected; `far` methods have ten times the error."""
    sweep, rows = SWEEPS[name], []
    for model in list(sweep.models) or ["network"]:
        for index, method in enumerate(methods or sweep.methods):
            for seed in seeds:
                level = (0.05 + 0.001 * index + 0.002 * ((seed * 7 + index) % 3)) * (10 if method in far else 1)
                results = flat_results(sweep.config, level)
                for metric, regions in results.items():
                    rows += [("d", model, method, seed, metric, region, v) for region, v in regions.items()]
    return summarise(pd.DataFrame(rows, columns=RUN_COLUMNS))


def drawn(name, **options):
    with mpl.rc_context(style.RC):
        figure = FIGURES[name].draw(table_of(name, **options))
        figure.canvas.draw()
    return figure


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


@pytest.mark.parametrize("name", FIGURES)
def test_every_method_is_a_row_and_no_letter_leaves_the_page(name):
    figure = drawn(name)
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == [style.METHODS[method].label for method in style.in_order(SWEEPS[name].methods)]
    page = figure.bbox
    # Labels of ticks beyond the limits have a place, but are not drawn.
    hidden = {
        tick.label1
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            box = text.get_window_extent()
            assert page.x0 <= box.x0, text
            assert box.x1 <= page.x1, text
            assert box.y1 <= page.y1, text
    plt.close(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_one_seed_and_three_methods_are_drawn_without_intervals(name):
    figure = drawn(name, seeds=(0,), methods=("zeros", "replicate", "diff"))
    assert any("one seed" in text for text in texts(figure))
    assert not any("95 %" in text for text in texts(figure))
    plt.close(figure)


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("name", FIGURES)
def test_a_table_of_zeros_alone_is_drawn_and_says_that_it_compares_nothing(name, seeds):
    figure = drawn(name, seeds=seeds, methods=("zeros",))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [style.METHODS["zeros"].label]
    # In classification the differences share their rows with the levels, so that one panel is empty.
    assert ("No other method to compare." in texts(figure)) == (name != "classification")
    plt.close(figure)


@pytest.mark.parametrize(("seeds", "note"), [((0, 1, 2), "filled: 0 is not in the interval"), ((0,), "marks")])
def test_panels_of_classification_have_titles_of_their_own_and_marks_are_explained(seeds, note):
    figure = drawn("classification", seeds=seeds)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["Accuracy", "Accuracy − Zero's", "Shift consistency", "Shift consistency − Zero's"]
    assert any(note in text.lower() for text in texts(figure))
    plt.close(figure)


def test_a_marker_is_filled_when_its_interval_does_not_hold_zero():
    table = table_of("super_resolution")
    figure = drawn("super_resolution")
    frame = table[(table["metric"] == "mse") & (table["region"] == "frame")].set_index("method")
    frame = frame.drop(index="zeros")
    resolved = (frame["difference_low"] > 0) | (frame["difference_high"] < 0)
    assert resolved.any()
    assert not resolved.all()
    # After three panels of levels, those of whole and frame.
    markers = [line for line in figure.axes[4].lines if line.get_marker() == "o"]
    filled = [line.get_markerfacecolor() != "white" for line in markers]
    centres = [line.get_xdata()[0] for line in markers]
    expected = (
        100 * frame["difference"] / table.set_index(["metric", "region", "method"])["mean"]["mse", "frame", "zeros"]
    )
    assert centres == pytest.approx(expected.tolist())
    assert filled == resolved.tolist()
    plt.close(figure)


def test_what_is_far_out_does_not_flatten_the_others():
    figure = drawn("super_resolution", far=("circular",))
    assert "beyond: Circ" in texts(figure)
    assert figure.axes[4].get_xlim()[1] < 100
    # Of zero padding's error it has 1058 %, which its small panel says, and no panel shows.
    assert "beyond:\n1058 to 1058" in texts(figure)
    assert figure.axes[-1].get_ylim()[1] < 200
    plt.close(figure)


@pytest.mark.parametrize("name", ["segmentation", "super_resolution"])
def test_each_method_has_a_panel_by_distance_with_the_interval_of_its_difference(name):
    table, metric = table_of(name), {"segmentation": "accuracy", "super_resolution": "mse"}[name]
    figure = drawn(name)
    by_region = table[table["metric"] == metric].set_index(["method", "region"])
    shells = [f"shell_{shell}" for shell in range(8)]
    methods = [method for method in style.in_order(table["method"]) if method != "zeros"]
    panels = figure.axes[-len(methods) :]
    assert [ax.get_title() for ax in panels] == [style.METHODS[method].label for method in methods]
    for ax, method in zip(panels, methods, strict=True):
        rows, zeros = by_region.loc[method].loc[shells], by_region.loc["zeros"].loc[shells]["mean"]
        (band,) = (found for found in ax.collections if found.get_paths()[0].vertices.shape[0] > 8)
        corners = band.get_paths()[0].vertices
        sign, reference = (1, zeros) if metric == "mse" else (-1, 1 - zeros)
        ends = [100 + sign * 100 * rows[end] / reference for end in ("difference_low", "difference_high")]
        for shell in range(8):
            heights = corners[corners[:, 0] == shell, 1]
            expected = sorted(end.iloc[shell] for end in ends)
            assert [heights.min(), heights.max()] == pytest.approx(expected)
        line = next(line for line in ax.lines if line.get_color() == style.METHODS[method].color)
        assert line.get_ydata() == pytest.approx(100 + (sign * 100 * rows["difference"] / reference).to_numpy())
    assert len({ax.get_ylim() for ax in panels}) == 1
    plt.close(figure)


def test_what_counts_places_of_the_test_set_is_told_from_what_counts_seeds_alone():
    table = table_of("segmentation")
    table.loc[table["region"].isin(["shell_0", "whole", "frame", "interior"]), "blocks"] = 9
    with mpl.rc_context(style.RC):
        figure = segmentation.draw(table)
    by_distance, cropped = (ax for ax in figure.axes if ax.get_xlabel().startswith(("Distance to", "Cropped")))
    for ax, at, without in ((by_distance, [0, 9.5], range(1, 8)), (cropped, [0], [1, 2, 4, 8])):
        bars = [found for found in ax.collections if isinstance(found, LineCollection)]
        (band,) = (found for found in ax.collections if found not in bars)
        assert [segment[0, 0] for found in bars for segment in found.get_segments()] == at
        assert set(band.get_paths()[0].vertices[:, 0]) == set(without)
    titles = [ax.get_title() for ax in figure.axes]
    assert [title for title in titles if title.endswith(" *")] == ["Edges *", "Corners *"]
    assert any(text.endswith("*: over seeds alone") for text in texts(figure))
    assert {"Zero, 95 % over seeds", "Zero, 95 % over seeds and places"} <= set(texts(figure))
    plt.close(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_a_program_writes_its_files_and_tells_what_is_missing(name, tmp_path, monkeypatch, capsys):
    write_table(tmp_path / f"{name}.csv", table_of(name, methods=("zeros", "diff")), may_be_empty=INTERVALS)
    run(monkeypatch, FIGURES[name], tmp_path, tmp_path / "one")
    paths = [tmp_path / "one" / f"{name}.{kind}" for kind in ("pdf", "png")]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in paths]
    with Image.open(tmp_path / "one" / f"{name}.png") as image:
        assert image.width == pytest.approx(style.PAGE_WIDTH * 200, abs=1)
    with pytest.raises(SystemExit, match=rf"no table .*{name}\.csv; `python -m scripts\.collect {name}` makes it"):
        run(monkeypatch, FIGURES[name], tmp_path / "nowhere", tmp_path)


def run(monkeypatch, module, tables, output):
    monkeypatch.setattr(sys, "argv", ["figure", "--tables", str(tables), "--output", str(output)])
    with mpl.rc_context():
        module.main()
    plt.close("all")


def error_arrays(methods):
    noise = np.random.default_rng(0)
    arrays = {key: noise.normal(size=(24, 24)).astype(np.float16) for key in ("input", "target", "prediction")}
    arrays |= {"map": noise.normal(size=(20, 30)), "box": np.array([0.1, 0.1, 0.2, 0.2])}
    arrays |= {key: np.array(value) for key, value in {"patch": 8, "seed": 0, "patches": 5, "frame": 2}.items()}
    arrays |= {"level": np.array(0.5)}
    for index, method in enumerate(methods):
        arrays[f"error/{method}"] = noise.integers(-127, 128, size=(20, 20), dtype=np.int8)
        arrays[f"rms/{method}"] = np.array([10.0 + index, 5.0])
        arrays[f"local/{method}"] = np.full((12, 12), 20.0 + index, np.float16)
        arrays[f"local_rms/{method}"] = np.array([30.0 + index, 6.0])
        arrays[f"folded/{method}"] = np.full((8, 8), 0.5 + (method != "zeros") * index / 16, np.float16)
        arrays[f"folded_means/{method}"] = np.array([0.5 + (method != "zeros") * index / 16, 0.25])
    return arrays


def test_error_maps_have_ticked_maps_and_numbers_for_each_method(tmp_path, monkeypatch):
    methods = list(style.METHODS)
    with mpl.rc_context(style.RC):
        figure = error_maps.draw(error_arrays(methods))
        figure.canvas.draw()
    written = texts(figure)
    assert {f"{30 + index} / 6" for index in range(len(methods))} <= set(written)
    # Filtered errors are shown of some only.
    filtered = [methods.index(method) for method in error_maps.FILTERED]
    assert {f"{10 + index} / 5" for index in filtered} <= set(written)
    assert {style.METHODS[m].label for m in methods} <= set(written)
    # Of the mean square error: the reference's own, and how much more it is with each other method, in %.
    assert "0.500 / 0.250" in written
    changes = [100 * index / 8 for index, method in enumerate(methods) if method != "zeros"]
    assert {f"{change:+.1f} / +0.0" for change in changes} <= set(written)
    filtered_map, local, folded = (ax for ax in figure.axes if ax.get_title() == "Diff")
    # Seams lie between the pixels 5 and 6, 13 and 14: 8 and 16, less the 2 that the filter has cut.
    assert filtered_map.get_xticks().tolist() == [5.5, 13.5]
    # Of every second pixel: between the pixels 7 and 8.
    assert local.get_xticks().tolist() == [3.75, 7.75]
    assert folded.get_xticks().tolist() == []
    assert near_seams(3, 8)[0].nonzero()[0].tolist() == [4, 5, 6, 7, 12, 13, 14, 15]
    # What is shown is the difference to zero padding.
    place = methods.index("diff") - methods.index("zeros")
    np.testing.assert_array_equal(local.images[0].get_array(), np.full((12, 12), float(place)))
    boxes = [text.get_window_extent() for text in figure.texts]
    assert not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))
    plt.close(figure)

    arrays = error_arrays(methods)
    del arrays["folded/diff"]
    with pytest.raises(ValueError, match=r"no folded/diff; `python -m experiments\.error_maps` makes it again"):
        error_maps.draw(arrays)

    write_arrays(tmp_path / "error_maps.npz", error_arrays(("zeros", "diff")))
    run(monkeypatch, error_maps, tmp_path, tmp_path)
    assert (tmp_path / "error_maps.png").exists()
    with pytest.raises(SystemExit, match=r"`python -m experiments\.error_maps` makes it"):
        run(monkeypatch, error_maps, tmp_path / "nowhere", tmp_path)
