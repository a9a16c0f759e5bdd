"""What docs/studies.md says beside its numbers is in the tables, and its settings in configs/."""

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from experiments.paths import REPOSITORY
from scripts import studies_page
from scripts.figures.slopes import ratios
from scripts.pages import number_names, without_marks

TEXT = (REPOSITORY / "docs" / "studies.md").read_text(encoding="utf-8")
PAGE = " ".join(without_marks(TEXT).split())
TABLES = REPOSITORY / "results" / "tables"


def read(name):
    return pd.read_csv(TABLES / f"{name}.csv")


def settings(name):
    # Only values are read, so that what the interpolations need is not.
    return OmegaConf.load(REPOSITORY / "configs" / f"{name}.yaml")


def says(text):
    """Whether the page holds a text, with any amount of space between its words."""
    assert " ".join(text.split()) in PAGE, text


def test_every_study_has_its_numbers_written():
    studies = {name.split(".")[0] for name in number_names(TEXT)}
    assert studies == {"convergence", "shells", "regimes", "rollouts", "slopes"}


def test_convergence():
    slopes = read("convergence_slopes")
    edges = slopes[slopes["part"] == "edges"]
    kernel = edges[(edges["reference"] == "kernel") & edges["method"].str.startswith("degree_")]
    assert len(kernel) == 7 * 3 * 3
    of_operator = edges[edges["reference"] == "operator"]
    cells = of_operator.set_index(["operator", "kernel_size", "method"])["slope"].sort_index()
    # Degree 1 does not converge, and replicate diverges.
    assert abs(cells["laplacian", 3, "degree_1"]) < 0.05
    assert cells["laplacian", 3, "replicate"] < -0.9
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
    assert (errors["shell"] < errors["kernel_size"] // 2).all()
    terrain = errors[(errors["field"] == "terrain") & (errors["method"] == "diff") & (errors["kernel_size"] == 7)]
    means = terrain.groupby(["part", "shell"])["l1_error"].mean()
    assert means["edges"].is_monotonic_decreasing
    assert means["corners"].is_monotonic_decreasing


def test_regimes():
    best = read("regimes_best").set_index(["field", "family", "kernel_size", "level"])["best"].sort_index()
    for level in (1e-4, 0.01, 0.1):
        degrees = {best["noise_added", "degree", size, level] for size in (3, 5, 7)}
        assert len(degrees) == 1, "the page says that every kernel size has one degree"
    assert all(best["blurred_noise", "mode", size, 0] == "zeros" for size in (3, 5, 7))
    # Below Diff, extrapolate and then replicate.
    fixed = best["blurred_noise", "fixed mode"]
    for size in (3, 7):
        order = fixed[size].drop_duplicates(keep="last").tolist()
        assert order[-3:] == ["replicate", "extrapolate", "diff"]


def test_rounding():
    both = read("regimes").merge(read("regimes_rounding"))
    both = both[both["field"] == "blurred_noise"]
    over = both[both["rounding"] > both["l1_error"]].groupby(["method", "kernel_size"])["level"].min()
    for degree in (4, 5, 6):
        assert len(set(over[f"degree_{degree}"])) == 1, "the page says that the kernel's size does not matter"
    assert not {f"degree_{degree}" for degree in range(4)} & set(over.index.get_level_values("method"))


def test_rollouts():
    errors, stability = read("rollouts"), read("rollouts_stability")
    heat = errors[(errors["problem"] == "heat") & (errors["region"] == "image")]
    heat = heat.set_index(["method", "step"])["error"]
    numbers = stability.set_index(["problem", "method", "quantity"])["value"].sort_index()
    # Accuracy and stability are opposites: the order of the first steps is reversed in the end.
    assert heat["adaptive", 100] < heat["diff", 100] < heat["replicate", 100]
    assert heat["adaptive", 1000] < heat["replicate", 1000] < heat["diff", 1000]
    blown_up = stability[stability["quantity"] == "blow_up_step"].groupby("problem")["method"].agg(set)
    assert "adaptive" in blown_up["heat"]
    assert {"adaptive", "diff", "extrapolate"} <= blown_up["advection_diffusion"]
    for problem in ("heat", "advection_diffusion"):
        assert not {"replicate", "linear_prediction", "zeros"} & blown_up[problem]
    assert heat["diff", 10_000] > heat["replicate", 10_000] > heat["linear_prediction", 10_000]
    for degree in range(7):
        grows = numbers["heat", f"degree_{degree}", "spectral_radius"] > 1 + 1e-6
        assert grows == (degree >= 3)


def test_slopes():
    errors = read("slopes")
    found = ratios(errors)
    assert set(errors.groupby(["terrain", "size"])["window"].nunique()) == {settings("slopes").windows} == {40}
    # The bar: on more than three terrains, at every size.
    assert sum((of_terrain["adaptive"] <= 0.8).all() for _, of_terrain in found.groupby("terrain")) == 5
    assert (found["adaptive"] < 1).all()
    assert (found["diff"] > 1).all()


def test_settings_are_those_of_the_configurations():
    convergence, shells = settings("convergence"), settings("shells")
    regimes, rollouts = settings("regimes"), settings("rollouts")
    says(f"on {min(convergence.samples)} to {max(convergence.samples)} samples along an axis")
    says(f"with {shells.num_kernels} random kernels, in float64")
    assert regimes.crops == regimes.num_kernels == 8
    says(f"eight crops of {regimes.size} px and eight random kernels of each size")
    assert studies_page.SHARE == 7 / 8
    says("at least seven of eight crops")
    assert rollouts.windows == 4
    assert list(rollouts.kernel_sizes) == [3]
    says(f"on four windows of {rollouts.size} px of a periodic world of {rollouts.world} px")
    says(f"when a value exceeds {rollouts.limit}")
    assert rollouts.steps == 10_000


@pytest.mark.parametrize("name", ["convergence", "shells", "regimes", "rollouts", "slopes"])
def test_figures_are_there(name):
    says(f"../results/figures/{name}.png")
    assert (REPOSITORY / "results" / "figures" / f"{name}.png").is_file()
