import itertools

import pandas as pd
import pytest

from experiments.paths import REPOSITORY
from scripts.benchmark_page import costs, markdown, numbers, parts
from scripts.pages import filled

PAGE = REPOSITORY / "docs" / "speed.md"
ABOUT = {"device": "A", "threads": 2, "torch": "2", "rounds": 3}


def test_the_page_shows_the_table_that_is_kept():
    page = PAGE.read_text(encoding="utf-8")
    for start, end, text in parts():
        assert filled(page, start, end, text) == page, "`make pages` brings it up to date"


def test_means_are_geometric_and_the_reference_is_left_out():
    rows = [("cnn", "a", "zeros", 1, 1), ("cnn", "a", "diff", 1, 2), ("cnn", "b", "diff", 1, 8)]
    rows += [("filtering", "filter, 2048x2048, 3x3", "diff", 0.005, 0.1)]
    table = pd.DataFrame(rows, columns=["group", "case", "method", "seconds", "ratio"]).assign(**ABOUT)
    lines = markdown(table).splitlines()
    assert lines[2:5] == ["| method | layers, training step |", "|---|---|", "| `diff` | 4.00 (8.00) |"]
    assert lines[-1] == "| `diff` | 5.0 |"
    assert "This table is marked stale: old." in markdown(table, "old.")


def benchmark(diff, methods=("zeros", "replicate", "reflect", "torch_replicate", "torch_reflect", "adaptive")):
    """A table in which Diff takes `diff` times, all else twice and zeros once the time of zeros."""
    cases = {
        "a": "cnn",
        "b, kernel 7": "cnn",
        "1x2x3, groups 2": "variants",
        "1x2x3": "variants",
        "UNet, c": "networks",
    }
    ratios = {"zeros": 1.0, "diff": diff, "diff_memory": 1.0}
    rows = [
        (group, case, method, 0.01, ratios.get(method, 2.0), 100 * ratios.get(method, 2.0))
        for (case, group), method in itertools.product(cases.items(), (*methods, "diff", "diff_memory"))
    ]
    columns = ["group", "case", "method", "seconds", "ratio", "peak_bytes"]
    return pd.DataFrame(rows, columns=columns).assign(**ABOUT)


@pytest.mark.parametrize(("diff", "to_replicate"), [(1.0, "0.50"), (3.0, "1.50")])
def test_sentences_hold_whichever_is_the_slower(diff, to_replicate):
    text = costs(benchmark(diff))
    assert f"Diff {diff:.2f} times ({diff:.2f}), torch's own `replicate` layer 2.00 times (2.00)" in text
    assert f"in the UNet {to_replicate} times as long as `replicate` and {to_replicate} times as long" in text
    assert f"from seven inside, Diff takes {to_replicate} times as long as `replicate`" in text
    assert "`adaptive` takes 2.00 times zero padding's time in these layers" in text
    assert "depthwise 2.00 times and in one dimension 2.00 times." in text
    assert f"with a padded copy: 1.00 and {diff:.2f} (a)" in text
    assert "Kept predictors" not in text


def test_kept_predictors_are_compared_with_replicate():
    table = benchmark(1.0, methods=("zeros", "replicate", "adaptive_running"))
    table.loc[(table["method"] == "adaptive_running") & (table["case"] == "a"), "ratio"] = 4.0
    assert "1.41 times (2.00) in these layers and 1.00 times (1.00) in the networks (" in costs(table)


def test_a_sentence_that_lacks_a_method_is_left_out():
    text = costs(benchmark(1.5, methods=("zeros", "replicate")))
    assert [line[:20] for line in text.splitlines()] == ["- With a 7 x 7 kerne", "- Peaks of memory in"]


def test_numbers_of_single_images():
    name = "filter, 2048x2048, 3x3"
    seconds = {"zeros": 0.1, "diff": 0.01, "opencv": 0.005, "scipy": 0.02}
    rows = [("filtering", name, method, value, value / 0.1, 9 * 4 * 2048**2) for method, value in seconds.items()]
    rows += [
        ("inference", "call, 1x8", method, value, 1, 1) for method, value in (("diff", 9e-5), ("torch_reflect", 6e-5))
    ]
    columns = ["group", "case", "method", "seconds", "ratio", "peak_bytes"]
    assert numbers(pd.DataFrame(rows, columns=columns)) == {
        "benchmark.call.diff_over_torch_reflect": "30",
        "benchmark.filter.zeros.milliseconds": "100",
        "benchmark.filter.zeros.results_held": "8",
        "benchmark.filter.sizes": "3x3",
        "benchmark.filter.diff_over_opencv": "2.00",
        "benchmark.filter.diff_over_scipy": "0.50",
        "benchmark.filter.zeros_over_diff": "10",
    }


def test_filters_of_arrays_have_their_sentence():
    seconds = {"scipy": 0.1, "opencv": 0.01, "symmetric": 0.02, "adaptive": 0.03, "masked_nearest": 0.03}
    rows = [
        ("ndimage", case, method, value * (1 + (case == "sobel, uint8")), 1.0)
        for case in ("sobel, float32", "sobel, uint8")
        for method, value in seconds.items()
    ]
    table = pd.DataFrame(rows, columns=["group", "case", "method", "seconds", "ratio"]).assign(peak_bytes=1.0)
    text = costs(table)
    assert (
        "(`sobel`) take, as a multiple of SciPy's time, in SciPy's default mode: float32 0.20 (`adaptive` 0.30) and"
        in text
    )
    assert "as a multiple of OpenCV's, which saturates and rounds integers, 2.00." in text
    assert "takes as a multiple of that without one: nearest 1.50." in text
