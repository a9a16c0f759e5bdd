import subprocess
import sys
from operator import gt, le

import pandas as pd
import pytest
import torch

import diff_conv2d
from experiments.launches.bounds import BOUNDS, most
from experiments.launches.counting import counted
from experiments.launches.layers import LAYERS, METHODS, made
from experiments.launches.program import launches
from experiments.manifest import read_manifest
from experiments.paths import REPOSITORY
from scripts.figures.tables import TABLES
from scripts.launches_page import END, START, best, markdown
from scripts.pages import filled

KEPT = pd.read_csv(TABLES / "launches.csv")
KEYS = ["layer", "method", "device"]
# These are for images of two axes.
OF_TWO_AXES = ("peripheral", "pole")


def test_what_computes_or_copies_is_counted_and_views_are_free():
    image = torch.randn(4, 6)

    def work():
        part = image[1:].T.reshape(3, -1)[None]  # not contiguous: copied once
        return torch.cat([part, torch.empty_like(part)]).add_(torch.tensor(1.0))

    calls, output = counted(work)
    assert dict(calls) == {"clone": 1, "cat": 1, "lift_fresh": 1, "add_": 1}
    assert output.shape == (2, 3, 6)


def test_the_gradient_of_a_convolution_counts_what_it_computes():
    image, layer = torch.randn(1, 2, 8, 8), torch.nn.Conv2d(2, 2, 3)
    output = layer(image)
    calls, _ = counted(lambda: output.sum().backward())
    assert calls["convolution_backward"] == 2
    output = layer(image.requires_grad_())
    calls, _ = counted(lambda: output.sum().backward())
    assert calls["convolution_backward"] == 3


def test_an_operator_of_another_namespace_counts_one():
    with torch.library._scoped_library("launches_of_a_test", "FRAGMENT") as library:
        library.define("twice(Tensor x) -> Tensor")
        library.impl("twice", lambda x: x + x, "CPU")
        calls, _ = counted(lambda: torch.ops.launches_of_a_test.twice(torch.ones(2)))
    assert calls["launches_of_a_test::twice"] == 1
    assert "add" not in calls


def test_the_ways_of_the_library_are_those_it_takes_when_nothing_counts():
    """Under a mode of dispatch that it sees, it does without what was prepared for kept predictors."""
    layer, image = made(LAYERS["3x3"], "adaptive_running_in_evaluation", "cpu")
    calls, output = counted(lambda: layer(image.detach()))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        expected = layer(image.detach())
    seen = {event.key.removeprefix("aten::"): event.count for event in profiler.key_averages()}
    assert {name: calls[name] for name in ("bmm", "copy_")} == {name: seen.get(name, 0) for name in ("bmm", "copy_")}
    assert torch.equal(output, expected)


@pytest.mark.parametrize(("method", "counts"), [("zeros", (1, 3)), ("reflect", (2, 4)), ("replicate", (2, 4))])
def test_torchs_own_modes(method, counts):
    assert launches("3x3", method) == counts


def test_a_fit_comes_on_top_of_what_is_done_between_two():
    between, at_fit = (launches("3x3", f"adaptive_running{state}") for state in ("", "_at_fit"))
    assert at_fit[0] > between[0]
    assert at_fit[1] == between[1]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """What the program counts now, in a process of its own."""
    folder = tmp_path_factory.mktemp("launches")
    command = [sys.executable, "-m", "experiments.launches", f"output_dir={folder}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return pd.read_csv(folder / "tables" / "launches.csv")


@pytest.mark.slow
def test_no_layer_exceeds_a_bound(table):
    found = most(table)
    holds = {key: bound.holds for key, bound in BOUNDS.items()}
    over = {key: (found[key], bound) for key, bound in holds.items() if not all(map(le, found[key], bound))}
    assert over == {}


@pytest.mark.slow
def test_no_count_is_higher_than_in_the_table_that_is_kept(table):
    """The table is remade on purpose, and then shows in the history what has become dearer."""
    if read_manifest(TABLES / "made_from" / "launches.json")["torch"] != torch.__version__:
        pytest.skip("the table is that of another torch, whose own operators may call others")
    both = table.merge(KEPT, on=KEYS, suffixes=("", "_kept"))
    assert len(both)
    dearer = both[(both["forwards"] > both["forwards_kept"]) | (both["backwards"] > both["backwards_kept"])]
    assert dearer.empty, dearer.to_string()


@pytest.mark.slow
def test_every_layer_has_every_mode(table):
    for _, counts in table.groupby("device"):
        there = set(counts.set_index(["layer", "method"]).index)
        missing = {(layer, method) for layer in LAYERS for method in METHODS} - there
        assert missing == {(layer, method) for layer in ("1-D", "3-D") for method in OF_TWO_AXES}


def test_a_bound_is_no_lower_than_its_aim_and_every_aim_has_counts():
    """An aim that is reached is what holds from then on."""
    for bound in BOUNDS.values():
        assert bound.aim is None or bound.holds == bound.aim or any(map(gt, bound.holds, bound.aim))
    assert {method for (_, method), bound in BOUNDS.items() if bound.aim} <= set(best(KEPT))


def test_the_page_shows_the_table_that_is_kept():
    page = (REPOSITORY / "docs" / "speed.md").read_text(encoding="utf-8")
    assert filled(page, START, END, markdown(KEPT)) == page, "`make pages` brings it up to date"


def test_the_page_says_which_aims_are_missed():
    rows = [("3x3", "diff", "gpu", 9, 17), ("3x3", "explicit", "gpu", 8, 8), ("3x3", "zeros", "cpu", 1, 3)]
    rows += [("7x7", "diff", "gpu", 4, 4), ("7x7", "explicit", "gpu", 7, 8)]
    small = pd.DataFrame(rows, columns=[*KEYS, "forwards", "backwards"])
    text = markdown(small)
    assert "| on a GPU | 3x3 | 7x7 |" in text
    assert "| `diff` | 9 + 17 | 4 + 4 |" in text
    assert "| `zeros` | 1 + 3 |  |" in text
    assert "On a GPU at most what is aimed at, in every layer: `explicit` (8 + 8)." in text
    assert "More than what is aimed at: `diff` (3 + 4; now up to 9 + 17)." in text
    reached = markdown(small.assign(forwards=2, backwards=4))
    assert "in every layer: `diff` (3 + 4) and `explicit` (8 + 8)." in reached
    assert "More" not in reached


@pytest.mark.parametrize(
    ("option", "sentence"),
    [("layers=[9x9]", "layers must be of 1-D, "), ("methods=[fitted]", "methods must be of zeros, ")],
)
def test_what_is_wrong_is_one_sentence(option, sentence):
    command = [sys.executable, "-m", "experiments.launches", option]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith(f"launches: {sentence}")


def test_a_layer_that_cannot_have_a_mode_has_no_count():
    assert launches("1-D", "peripheral") is None
    assert diff_conv2d.modes.MODES.keys() <= METHODS.keys()
