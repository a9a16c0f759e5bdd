"""The page and the figure of the surrogate, from small tables whose numbers are known."""

import itertools
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from experiments.records import write_table
from experiments.surrogate.rows import DOMAIN, PERSISTENCE, TABLES, WINDOW, tables_of
from scripts import surrogate_page
from scripts.claims import claims, corrected
from scripts.figures import style, surrogate
from scripts.figures.tables import TABLES as FOLDER
from scripts.figures.tables import read_tables
from scripts.intervals import estimate, holm
from scripts.pages import between_marks
from scripts.summary import BLOCK_COLUMNS, RUN_COLUMNS
from scripts.surrogate_comparisons import comparisons, relative, rollout_comparisons

FLOWS, STEPS, LONG = 4, (1, 3), 10
SEEDS = {"zeros": 4, "adaptive": 4, "reflect": 2, "halo": 1}
LEVELS = {"zeros": 1.0, "adaptive": 0.8, "reflect": 1.5, "halo": 0.5, PERSISTENCE: 4.0}


def noise(*key):
    return np.random.default_rng([ord(letter) for part in key for letter in str(part)]).normal()


def write(folder, seeds=SEEDS, blown=None):
    tables, runs, blocks = {name: [] for name in TABLES}, [], []
    for method, count in {**seeds, PERSISTENCE: 1}.items():
        control = method == PERSISTENCE
        for seed, context in itertools.product(range(count), (WINDOW,) if control else (WINDOW, DOMAIN)):
            about = "flow_windows", "none" if control else "stepper", method, seed, context
            level = LEVELS[method] * (1 if context == WINDOW else 0.5) * (1 + 0.02 * noise(method, seed))
            for region, step in itertools.product(("whole", "frame", "interior", "shell_0", "shell_1"), (1, 2, 3)):
                if step in STEPS or not region.startswith("shell"):
                    tables["surrogate_rollouts"].append((*about, region, step, level * step))
            for flow in range(FLOWS):
                of_flow = level * (1 + 0.01 * noise(method, seed, flow))
                rows = [("mse", region, step, of_flow * step) for region in ("frame", "interior") for step in STEPS]
                rows.append(("stable_time", "whole", STEPS[-1], 2 / level))
                if not control and context == WINDOW:
                    rows.append(("bounded_time", "whole", LONG, 5 if (method, flow) == (blown, 0) else LONG))
                tables["surrogate_flows"] += [(*about, flow, *row) for row in rows]
            for distance, step, wave in itertools.product((0, 2), STEPS, (1, 2, 3, 4)):
                tables["surrogate_spectra"].append(
                    (*about, distance, step, wave, LEVELS[method] if wave == 2 else 3.0)
                )
        for seed, region in itertools.product(range(0 if control else count), ("frame", "interior")):
            cells = LEVELS[method] + 0.01 * np.array([noise(method, seed, region, b) for b in range(FLOWS)])
            # Of all others, the first seed tells another story.
            cells += 9 * (method == "adaptive" and seed == 0)
            place = "flow_windows", "stepper", method, seed, "mse", region
            runs.append((*place, cells.mean()))
            blocks += [(*place, b, np.delete(cells, b).mean()) for b in range(FLOWS)]
    for name, columns in TABLES.items():
        write_table(folder / f"{name}.csv", pd.DataFrame(tables[name], columns=columns))
    write_table(folder / "surrogate_runs.csv", pd.DataFrame(runs, columns=RUN_COLUMNS))
    write_table(folder / "surrogate_blocks.csv", pd.DataFrame(blocks, columns=BLOCK_COLUMNS))
    return read_tables(folder, TABLES, "none")


def test_the_primary_test_leaves_out_the_seed_that_had_been_seen(tmp_path):
    """With it the estimate would be far above 0."""
    write(tmp_path)
    table = claims(tmp_path, "surrogate")
    primary = table[table["primary"].astype(bool)]
    assert primary[["method", "region", "seeds"]].to_numpy().tolist() == [["adaptive", "frame", 3]]
    assert primary["estimate"].item() == pytest.approx(-20, abs=3)
    inside = table[(table["method"] == "adaptive") & (table["region"] == "interior")]
    assert inside["seeds"].item() == 4
    assert inside["estimate"].item() > 100
    told = surrogate_page.parts(tmp_path)["sentences"].replace("\n", " ")
    assert "Primary comparison (3 seeds, without seed 0; 4 flows): the error of one step in the frame" in told
    assert "zero padding, −2" in told
    assert "Over all 4 seeds, of which seed 0 had been seen before: +" in told
    assert "In the interior (secondary, 4 seeds): +" in told


def test_rollouts_are_compared_by_seed_and_flow(tmp_path):
    _, flows, _ = write(tmp_path)
    found = rollout_comparisons(flows).set_index(["method", "metric", "region", "step"])
    chosen = flows[(flows["context"] == WINDOW) & (flows["metric"] == "mse") & (flows["region"] == "frame")]
    by = chosen[chosen["step"] == 3].pivot(index=["method", "seed"], columns="flow", values="value")
    difference = (by.loc["reflect"] - by.loc["zeros"].loc[[0, 1]]).to_numpy()
    without = np.stack([np.delete(difference, flow, 1).mean(1) for flow in range(FLOWS)], 1)
    expected = (
        100 / by.loc["zeros"].loc[[0, 1]].to_numpy().mean() * np.array(estimate(difference.mean(1), without)[:3])
    )
    row = found.loc["reflect", "mse", "frame", 3]
    np.testing.assert_allclose(row[["estimate", "low", "high"]].to_numpy(float), expected, rtol=1e-6)
    assert (row["seeds"], row["flows"]) == (2, FLOWS)
    # The sweep's own tables have errors of one step; times are in steps.
    assert not any(key[1] == "mse" and key[3] == 1 for key in found.index)
    assert found.loc["adaptive", "stable_time", "whole", 3]["estimate"] == pytest.approx(2 / 0.8 - 2, abs=0.1)


def test_all_but_the_primary_comparison_are_corrected_together(tmp_path):
    _, flows, _ = write(tmp_path)
    table = comparisons(tmp_path, flows)
    others = ~table["primary"].astype(bool)
    assert (~others).sum() == 1
    np.testing.assert_allclose(table.loc[others, "corrected"], holm(table.loc[others, "p"].to_numpy(float)))
    tests = table.loc[others, "p"].notna().sum()
    assert f"Holm's correction counts: {tests}." in surrogate_page.parts(tmp_path)["differences"]


def test_the_tables_of_the_page(tmp_path):
    write(tmp_path, blown="adaptive")
    parts = surrogate_page.parts(tmp_path)
    rows = {line.split("|")[1].strip(" `"): line for line in parts["levels"].splitlines()[2:]}
    assert list(rows) == ["adaptive", "reflect", "zeros", "halo", PERSISTENCE]
    assert rows["halo"].split("|")[2].strip() == "1"
    frame = rows["zeros"].split("|")[3].strip()
    outside, inside = (float(number) for number in frame.rstrip(")").split(" ("))
    assert outside == pytest.approx(1, abs=0.05)
    assert inside == pytest.approx(0.5, abs=0.03)
    # The short ones of the waves that are resolved: of four, the second.
    spectra = {line.split("|")[1].strip(" `"): line for line in parts["spectra"].splitlines()[2:]}
    assert spectra["reflect"] == "| `reflect` | 1.50 | 1.50 | 1.50 | 1.50 |"
    assert rows["adaptive"].split("|")[-2].strip() == "8.8"
    told = parts["sentences"].replace("\n", " ")
    assert "Error of step 3 in the frame (secondary, 4 seeds): −2" in told
    assert "Bounded time, of 10 steps at most (secondary, 4 seeds): −1.2 steps [" in told
    halo = next(line for line in parts["differences"].splitlines() if line.startswith("| `halo`"))
    assert "[" not in halo
    assert "Rollouts that blew up within 10 steps: `adaptive` 4 of 16." in parts["sentences"].replace("\n", " ")


def test_a_figure_of_few_and_of_many_seeds(tmp_path):
    for seeds in (SEEDS, {"zeros": 1, "adaptive": 1}):
        with mpl.rc_context(style.RC):
            figure = surrogate.draw(*write(tmp_path, seeds))
            figure.canvas.draw()
        titles = [ax.get_title() for ax in figure.axes]
        assert titles[:3] == ["(a) Error in the frame", "(b) Error in the frame", "(c) Error in the interior"]
        assert "(h) Lines at 2 px, step 3" in titles
        note = figure.texts[-1].get_text()
        assert ("Adapt 4, Refl 2, Zero 4, True context 1." if seeds is SEEDS else "Adapt 1, Zero 1.") in note
        plt.close(figure)


def test_per_cents_are_of_the_mean_of_zeros_over_the_seeds_that_a_method_has():
    table = pd.DataFrame(
        [("zeros", 0, 1, 1.0), ("zeros", 1, 1, 3.0), ("diff", 0, 1, 2.0), ("diff", 1, 1, 3.0), ("halo", 0, 1, 0.5)],
        columns=["method", "seed", "step", "value"],
    )
    found = relative(table, "step").set_index(["method", "seed"])["value"]
    assert found.to_dict() == {("diff", 0): 50.0, ("diff", 1): 0.0, ("halo", 0): -50.0}


def test_the_command_fills_the_page(tmp_path, monkeypatch):
    write(tmp_path)
    page = tmp_path / "surrogate.md"
    page.write_text(surrogate_page.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(surrogate_page, "PAGE", page)
    monkeypatch.setattr(surrogate_page, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["surrogate_page"])
    surrogate_page.main()
    text = page.read_text(encoding="utf-8")
    for name, content in surrogate_page.parts(tmp_path).items():
        assert between_marks(text, *surrogate_page.MARKS[name]) == content


def test_other_sweeps_are_told_by_their_rollouts(tmp_path):
    write(tmp_path)
    for old, new in zip(TABLES, tables_of("surrogate_advection"), strict=True):
        (tmp_path / f"{old}.csv").rename(tmp_path / f"{new}.csv")
    write(tmp_path, blown="reflect")
    for old, new in zip(TABLES, tables_of("surrogate_unrolled"), strict=True):
        (tmp_path / f"{old}.csv").rename(tmp_path / f"{new}.csv")
    write(tmp_path)
    told = surrogate_page.parts(tmp_path)["others"]
    two, advection = told.split("**Advection-diffusion**")
    assert "Rollouts that blew up within 10 steps: `reflect` 2 of 8." in two.replace("\n", " ")
    assert "Rollouts that blew up within 10 steps: none." in advection.replace("\n", " ")
    # Of one step too, all corrected together: nine for each of two methods, and none where there is one seed.
    assert two.count("one step, frame, %") == 1
    flows = read_tables(tmp_path, TABLES, "none")[1]
    compared = corrected(rollout_comparisons(flows, first=1))
    assert set(compared.loc[compared["metric"] == "mse", "step"]) == set(STEPS)
    tests = compared["p"].notna()
    np.testing.assert_allclose(compared.loc[tests, "corrected"], holm(compared.loc[tests, "p"].to_numpy(float)))
    assert f"Holm's correction counts: {tests.sum()}." in advection
    for table in tables_of("surrogate_unrolled"):
        (tmp_path / f"{table}.csv").unlink()
    told = surrogate_page.parts(tmp_path)["others"]
    assert told.startswith("**Trained on two steps**: no table has it yet (`make reproduce-surrogate-unrolled`).")


@pytest.mark.skipif(not (FOLDER / "surrogate_rollouts.csv").is_file(), reason="the tables have not been made")
def test_the_page_says_what_the_tables_say():
    text = surrogate_page.PAGE.read_text(encoding="utf-8")
    for name, content in surrogate_page.parts(FOLDER).items():
        assert between_marks(text, *surrogate_page.MARKS[name]) == content
