"""The rule of every verdict, on tables for which the claim holds, holds in part, or does not."""

import itertools

import pandas as pd
import pytest

from scripts import paper_verdicts as verdicts
from scripts.figures.tables import TABLES
from scripts.paper_contrasts import OWN, RIVALS
from scripts.paper_verdicts import HELD, IN_PART, NOT, OPEN

CLAIMS = verdicts.claims_of_the_paper(TABLES)


def test_every_claim_has_a_verdict_of_the_four_and_tables_that_exist():
    assert {claim.verdict for claim in CLAIMS} <= {HELD, IN_PART, OPEN, NOT}
    assert len({claim.claim for claim in CLAIMS}) == len(CLAIMS)
    for name in itertools.chain(*(claim.tables for claim in CLAIMS)):
        assert (TABLES / f"{name}.csv").is_file()


def contrasts(primary, others, own=(0.0, -1.0, 1.0, 1.0)):
    """Rows of Diff less each method: (estimate, low, high, corrected) of `zeros`, of the others and of Diff-EBH."""
    rows = [("zeros", True, *primary), *((name, False, *others) for name in RIVALS[1:]), (OWN, False, *own)]
    columns = ["other", "primary", "estimate", "low", "high", "corrected"]
    return pd.DataFrame(rows, columns=columns).assign(metric="mse", region="frame", p=0.5, seeds=5)


BETTER, WORSE, UNSURE = (-10.0, -12.0, -8.0, 0.01), (10.0, 8.0, 12.0, 0.01), (-1.0, -4.0, 2.0, 0.5)


@pytest.mark.parametrize(
    ("primary", "others", "expected", "words"),
    [
        (BETTER, BETTER, HELD, "resolved, better."),
        (BETTER, UNSURE, IN_PART, "Not resolved as better than `reflect`, "),
        (UNSURE, BETTER, OPEN, "not resolved: at most 4.0 % better and 2.0 worse"),
        (WORSE, BETTER, NOT, "resolved, worse."),
    ],
)
def test_networks_are_judged_by_the_primary_comparison_and_then_by_all_others(primary, others, expected, words):
    claim = verdicts._training(contrasts(primary, others), "super_resolution")
    assert claim.verdict == expected
    assert words in claim.measured


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ((WORSE, WORSE), HELD),
        ((WORSE, UNSURE), IN_PART),
        ((UNSURE, UNSURE), OPEN),
        ((BETTER, UNSURE), NOT),
    ],
)
def test_a_trained_edge_kernel_gains_where_diff_is_worse_than_with_it(own, expected):
    assert verdicts._edge_kernel([contrasts(BETTER, BETTER, each) for each in own]).verdict == expected


def filtering(least):
    """Errors of two images: `least` says which method has the least error for each kernel size and image."""
    methods = [*verdicts.FIXED, "diff"]
    rows = [
        ("navier_stokes", order, size, method, 1.0 if method == least[size][order] else 2.0)
        for size, order, method in itertools.product(least, (0, 1), methods)
    ]
    return pd.DataFrame(rows, columns=["field", "order", "kernel_size", "method", "l1_error"])


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        ({3: ("diff", "diff"), 5: ("diff", "diff")}, HELD),
        ({3: ("diff", "diff"), 5: ("diff", "extrapolate")}, IN_PART),
        ({3: ("diff", "zeros"), 5: ("diff", "extrapolate")}, NOT),
    ],
)
def test_filtering_holds_if_diff_is_least_on_every_image(least, expected):
    assert verdicts._filtering(filtering(least), ["navier_stokes"], "").verdict == expected


def test_filtering_says_on_how_many_images_and_who_is_better():
    claim = verdicts._filtering(filtering({3: ("diff", "diff"), 5: ("diff", "reflect")}), ["navier_stokes"], "")
    assert "2 of 2 (k = 3) and 1 of 2 (k = 5) images; on the others: `reflect`" in claim.measured


@pytest.mark.parametrize(
    ("smooth", "terrain", "expected"), [(0.1, 2.0, HELD), (1.5, 2.0, IN_PART), (0.1, 0.5, IN_PART)]
)
def test_smooth_data_are_favoured_if_rough_data_are_not(smooth, terrain, expected):
    values = {"chebyshev": smooth, "terrain": terrain}
    rows = [(f, 1, 3, m, values[f] if m == "diff" else 1.0) for f in values for m in ("diff", "replicate")]
    table = pd.DataFrame(rows, columns=["field", "order", "kernel_size", "method", "l1_error"])
    assert verdicts._rough(table).verdict == expected


@pytest.mark.parametrize(("slope", "expected"), [(1.1, HELD), (1.7, NOT)])
def test_the_order_of_convergence_is_that_of_the_theory(slope, expected):
    rows = [("edges", "kernel", "smoothing", 3, "degree_0", slope)]
    rows += [("edges", "operator", "laplacian", 3, name, 1.0) for name in ("diff", "degree_1", "replicate")]
    columns = ["part", "reference", "operator", "kernel_size", "method", "slope"]
    assert verdicts._operator(pd.DataFrame(rows, columns=columns)).verdict == expected


@pytest.mark.parametrize(("diff", "stale", "expected"), [(1.2, None, HELD), (1.4, "old", NOT)])
def test_time_is_light_beside_replicate_and_a_stale_table_is_told(diff, stale, expected):
    ratios = {"reflect": 1.1, "replicate": 1.1, "circular": 1.1, "explicit": 2.0, "diff": diff}
    table = pd.DataFrame({"method": list(ratios), "ratio": list(ratios.values())})
    table = table.assign(group="walltime", ratio_low=1.0, ratio_high=2.0, device="a CPU")
    claim = verdicts._time(table, stale)
    assert claim.verdict == expected
    assert ("stale: old" in claim.measured) == (stale is not None)


@pytest.mark.parametrize(
    ("seconds", "peak", "expected"), [(0.7, 1.7, HELD), (0.7, 0.9, IN_PART), (0.95, 1.7, IN_PART), (0.95, 0.9, NOT)]
)
def test_speed_and_memory_are_what_the_readme_says(seconds, peak, expected):
    rows = [("zeros", 0.5, 100), ("diff_memory", 1.0, 100), ("diff_speed", seconds, 100 * peak)]
    table = pd.DataFrame(rows, columns=["method", "seconds", "peak_bytes"]).assign(group="cnn", case="one")
    claim = verdicts._speed_and_memory(table)
    assert claim.verdict == expected
    assert f"less time by {100 * (1 - seconds):.0f} %" in claim.measured


@pytest.mark.parametrize(
    ("diff", "extrapolate", "expected"), [(0.5, 0.7, HELD), (0.6, 0.5, IN_PART), (1.2, 0.5, NOT)]
)
def test_seams_are_compared_with_zero_padding_and_with_the_least(diff, extrapolate, expected):
    values = {**dict.fromkeys(RIVALS, 1.0), "extrapolate": extrapolate, "diff": diff}
    table = pd.DataFrame({"method": list(values), "value": list(values.values())})
    claim = verdicts._seams(table.assign(seed=0, measure="to_whole", distance=0))
    assert claim.verdict == expected
    assert f"Diff {diff:.2f}" in claim.measured


@pytest.mark.parametrize(
    ("diff", "extrapolate", "expected"), [(1.1, 1.2, HELD), (1.1, 1.05, IN_PART), (1.299, 1.2, OPEN), (1.5, 1.2, NOT)]
)
def test_the_ratio_of_the_frame_is_below_that_of_zeros_at_every_size(diff, extrapolate, expected):
    values = {**dict.fromkeys(RIVALS, 1.3), "extrapolate": extrapolate, "diff": diff}
    rows = [
        (size, seed, method, value + 0.001 * seed * (method == "diff"))
        for size, seed, (method, value) in itertools.product((48, 64), range(3), values.items())
    ]
    table = pd.DataFrame(rows, columns=["size", "seed", "method", "value"]).assign(region="frame/interior")
    assert verdicts._sizes(table).verdict == expected


@pytest.mark.parametrize(("at_five", "expected"), [(0.1, HELD), (2.0, IN_PART)])
def test_the_laplacian_is_least_for_every_kernel_size(at_five, expected):
    rows = [(size, method, 1.0) for size in (3, 5) for method in verdicts.FIXED]
    rows += [(3, "diff", 0.1), (5, "diff", at_five)]
    assert verdicts._laplacian(pd.DataFrame(rows, columns=["kernel_size", "method", "l1_error"])).verdict == expected
