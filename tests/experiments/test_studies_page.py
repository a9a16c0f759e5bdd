"""The numbers of docs/studies.md are those of the tables."""

import re

import numpy as np
import pandas as pd
import pytest

from experiments.paths import REPOSITORY

PAGE = " ".join((REPOSITORY / "docs" / "studies.md").read_text(encoding="utf-8").split())
TABLES = REPOSITORY / "results" / "tables"


def read(name):
    return pd.read_csv(TABLES / f"{name}.csv")


def says(text):
    """Whether the page holds a text, with any amount of space between its words."""
    assert " ".join(text.split()) in PAGE, text


def test_convergence():
    slopes = read("convergence_slopes")
    edges = slopes[slopes["part"] == "edges"]
    kernel = edges[(edges["reference"] == "kernel") & edges["method"].str.startswith("degree_")]
    degree = kernel["method"].str.removeprefix("degree_").astype(int)
    expected = degree + 1 - kernel["operator"].map({"smoothing": 0, "gradient": 1, "laplacian": 2})
    assert len(kernel) == 7 * 3 * 3
    says(f"differ from that by at most {(kernel['slope'] - expected).abs().max():.2f}")
    of_operator = edges[edges["reference"] == "operator"]
    cells = of_operator.set_index(["operator", "kernel_size", "method"])["slope"].sort_index()
    slope = cells["laplacian", 3]
    says(f"Diff (degree 2) has slope {slope['diff']:.2f}")
    says(f"degree 1 does not converge (slope {slope['degree_1']:.2f})")
    says(f"`replicate` diverges ({slope['replicate']:.2f})")
    # The least degree that keeps the order k - 1 of the differences.
    for operator, order in (("gradient", 1), ("laplacian", 2)):
        for size in (3, 5):
            enough = size + order - 2
            assert cells[operator, size, f"degree_{enough}"] > size - 1 - 0.1
            assert cells[operator, size, f"degree_{enough - 1}"] < size - 1 - 0.7
    smooth = edges[edges["reference"] == "kernel"].pivot_table("slope", ["operator", "kernel_size"], "method")
    np.testing.assert_allclose(smooth["linear_prediction"], smooth["degree_1"], atol=0.1)


def test_shells():
    errors = read("shells")
    errors = errors[errors["kernel_size"] == 7].assign(log=lambda table: np.log(table["l1_error"]))
    means = np.exp(errors.pivot_table("log", ["field", "method", "part"], "shell"))
    diff, repl = (means.loc["terrain"].loc[name] for name in ("diff", "replicate"))
    says(
        f"Diff's error is {diff.loc['edges', 0]:.0f} along the edge at distance 0 and {diff.loc['edges', 2]:.1f} at "
        f"distance 2, in the corner {diff.loc['corners', 0]:.0f} and {diff.loc['corners', 2]:.0f}"
    )
    says(
        f"stays at {repl.loc['edges', 0]:.2f} and {repl.loc['edges', 2]:.2f}, and {repl.loc['corners', 0]:.2f} and "
        f"{repl.loc['corners', 2]:.2f}"
    )
    gains = means.loc["chebyshev"].loc["replicate"][0] / means.loc["chebyshev"].loc["diff"][0]
    says(f"{gains['edges']:.0f} times better than `replicate` along the edge and {gains['corners']:.0f} times")


def test_regimes():
    best = read("regimes_best").set_index(["field", "family", "kernel_size", "level"])["best"].sort_index()
    blurs = best["blurred_noise", "degree"]
    texts = {3: "up to a blur of {:g} px and degree 6 from {:g} px", 7: "up to {:g} px and from {:g} px"}
    for size, text in texts.items():
        of_size = blurs[size]
        low = max(level for level in of_size.index if (of_size.loc[:level] == "degree_0").all())
        high = min(level for level in of_size.index if (of_size.loc[level:] == "degree_6").all())
        says(text.format(low, high))
    for level, degree in ((1e-4, 2), (0.01, 1), (0.1, 0)):
        assert all(best["noise_added", "degree", size, level] == f"degree_{degree}" for size in (3, 5, 7))
    assert [best["blurred_terrain", "mode", 7, level] for level in (3.5, 4)] == ["diff", "diff"]
    assert all(best["blurred_noise", "mode", size, 0] == "zeros" for size in (3, 5, 7))
    fixed = best["blurred_noise", "fixed mode"]
    for size, text in ((3, "Diff from a blur of {:g} px with 3 x 3"), (7, "{:g} px with 7 x 7")):
        of_size = fixed[size].loc[:4]
        says(text.format(min(level for level in of_size.index if (of_size.loc[level:] == "diff").all())))
    modes = best[best.index.get_level_values("family") == "mode"]
    assert modes.isin(["adaptive", "linear_prediction"]).mean() > 0.9


def test_rounding():
    both = read("regimes").merge(read("regimes_rounding"))
    both = both[both["field"] == "blurred_noise"]
    over = both[both["rounding"] > both["l1_error"]].groupby(["method", "kernel_size"])["level"].min()
    texts = {6: "degree 6 from a blur of {:g} px", 5: "of degree 5 from {:g} px", 4: "of degree 4 from {:g} px"}
    for degree, text in texts.items():
        (level,) = set(over[f"degree_{degree}"])
        says(text.format(level))
    assert not {f"degree_{degree}" for degree in range(4)} & set(over.index.get_level_values("method"))
    at_four = both[(both["level"] == 4) & (both["kernel_size"] == 7)].set_index("method")["rounding"]
    mantissa = f"{at_four['degree_6']:.1e}".replace("e-04", "e-4")
    says(f"it is {mantissa} for degree 6 and 7 x 7 kernels, {at_four['degree_6'] / at_four['degree_0']:.0f} times")


def test_rollouts():
    errors, stability = read("rollouts"), read("rollouts_stability")
    heat = errors[(errors["problem"] == "heat") & (errors["region"] == "image")]
    heat = heat.set_index(["method", "step"])["error"]
    numbers = stability.set_index(["problem", "method", "quantity"])["value"].sort_index()
    adaptive = re.sub(r"e-0", "e-", f"{heat['adaptive', 100]:.1e}")
    says(f"error of {adaptive}, Diff {heat['diff', 100]:.2g} and `replicate` {heat['replicate', 100]:.2g}")
    says(
        f"after 1000, `adaptive` {heat['adaptive', 1000]:.2g}, `replicate` {heat['replicate', 1000]:.2f} and Diff "
        f"{heat['diff', 1000]:.2f}"
    )
    says(
        f"(at step {numbers['heat', 'adaptive', 'blow_up_step']:.0f}; advection-diffusion "
        f"{numbers['advection_diffusion', 'adaptive', 'blow_up_step']:.0f})"
    )
    says(f"Diff has an error of {heat['diff', 10_000]:.1f} (advection-diffusion: blown up at")
    says(f"blown up at {numbers['advection_diffusion', 'diff', 'blow_up_step']:.0f})")
    last = heat.xs(10_000, level="step")
    says(f"`replicate` ({last['replicate']:.2f}) and `linear_prediction` ({last['linear_prediction']:.2f})")
    says(f"by step {numbers['advection_diffusion', 'extrapolate', 'blow_up_step']:.0f} too")
    says(f"blows up at step {numbers['heat', 'partial', 'blow_up_step']:.0f}")
    says(f"its small error at the end ({heat['zeros', 10_000]:.2f})")
    for degree in range(7):
        grows = numbers["heat", f"degree_{degree}", "spectral_radius"] > 1 + 1e-6
        assert grows == (degree >= 3)


@pytest.mark.parametrize("name", ["convergence", "shells", "regimes", "rollouts"])
def test_figures_are_there(name):
    says(f"../results/figures/{name}.png")
    assert (REPOSITORY / "results" / "figures" / f"{name}.png").is_file()
