import subprocess
import sys
from pathlib import Path

import hydra
import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from experiments.edge_error import edge_errors, frame, frame_l1
from experiments.filtering import program as filtering
from experiments.filtering.laplacian import laplacian_study
from experiments.filtering.ranking import rank, ranking_table
from experiments.filtering.settings import Settings
from experiments.methods import METHODS
from experiments.models.halo import crop
from experiments.operators import laplacian_kernel
from experiments.paths import CONFIGS, REPOSITORY
from experiments.progress import progress_bar
from experiments.random_numbers import random_source
from experiments.records import write_arrays, write_table, write_together
from experiments.settings import read_settings

# All of them together take many seconds.
pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
PAPER_NAMES = {
    "Zero": "zeros",
    "Refl": "reflect",
    "Repl": "replicate",
    "Circ": "circular",
    "Extr": "extrapolate",
    "Part": "partial",
    "Diff": "diff",
}
SMALL = ["size=40", "num_kernels=2", "kernel_sizes=[3]", "fields=[chebyshev,terrain]", "orders.terrain=[2,11]"]


def settings(*overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return read_settings(Settings, hydra.compose("filtering", list(overrides)))


def run_program(monkeypatch, *overrides):
    monkeypatch.setattr(sys, "argv", ["filtering", *overrides])
    filtering.main()


def reference(name):
    # Random padding draws its own noise; there is nothing to compare.
    table = pd.read_csv(REFERENCE / name)
    table = table[table["method"].isin(PAPER_NAMES)]
    return table.assign(method=table["method"].map(PAPER_NAMES))


def joined(expected, rows, keys):
    both = expected.merge(pd.DataFrame(rows), on=keys, suffixes=("_expected", ""), validate="one_to_one")
    assert len(both) == len(expected)
    return both["l1_error"], both["l1_error_expected"]


# The paper's numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_laplacian_errors_are_the_authors(dtype):
    expected = reference("authors_laplacian_k3_k5.csv")
    expected = expected[expected["dtype"] == str(dtype).removeprefix("torch.")].drop(columns="dtype")
    assert len(expected) >= 12
    rows, _ = laplacian_study([3, 5], METHODS, dtype)
    got, want = joined(expected, rows, ["kernel_size", "method"])
    np.testing.assert_allclose(got, want, rtol=0.01)


def test_filtering_errors_are_the_authors():
    expected = reference("authors_filtering_k3.csv")
    chosen = settings(
        "kernel_sizes=[3]", "fields=[chebyshev,spherical_harmonics]", f"methods=[{','.join(PAPER_NAMES.values())}]"
    )
    images = filtering.load_images(chosen)
    rows = []
    with torch.inference_mode():
        for name, (source, of_field) in images.items():
            for image in of_field:
                rows += filtering.measure(chosen, name, source, image)
    assert len(expected) == 2 * 11 * len(PAPER_NAMES)
    got, want = joined(expected, rows, ["field", "kernel_size", "order", "method"])
    # Their kernels are other random kernels: the means of 100 differ by up to 20 %. On a field of degree 1 Diff is
    # exact but for float32's rounding, of which we have a third less: a difference of one unit in the last place.
    np.testing.assert_allclose(got, want, rtol=0.3, atol=torch.finfo(torch.float32).eps)


# The measure


def test_error_of_zero_padding_by_hand():
    # Nine ones are expected; zero padding sees six along an edge and four in a corner: errors of 3 and 5.
    # A crop of 8 x 8 has 24 edge pixels and 4 corners.
    errors = edge_errors(torch.ones(10, 10), torch.ones(2, 3, 3), {"zeros": METHODS["zeros"]})
    assert errors["zeros"] == pytest.approx((24 * 3 + 4 * 5) / 28)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_frame_is_every_invalid_pixel_once(width):
    image = torch.arange(11 * 13).view(11, 13)
    framed = torch.cat([strip.flatten() for strip in frame(image, width)])
    everything = torch.cat([framed, crop(image, width).flatten()])
    assert sorted(everything.tolist()) == list(range(11 * 13))


@pytest.mark.parametrize("size", [3, 7])
def test_errors_are_means_over_kernels_and_pixels(size):
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(24, 30, dtype=torch.float64, generator=generator)
    # More kernels than are convolved at once, and no multiple of that.
    kernels = torch.randn(37, size, size, dtype=torch.float64, generator=generator)
    p = size // 2
    invalid = torch.ones(24 - 2 * p, 30 - 2 * p, dtype=torch.bool)
    invalid[p:-p, p:-p] = False
    output = METHODS["circular"](crop(image, p)[None], kernels[:, None])
    truth = torch.nn.functional.conv2d(image[None], kernels[:, None])
    expected = (output - truth)[:, invalid].abs().mean().item()
    assert edge_errors(image, kernels, METHODS)["circular"] == pytest.approx(expected, rel=1e-12)


def test_interior_plays_no_part():
    output = torch.zeros(1, 6, 6)
    output[:, 2:-2, 2:-2] = 1e9
    assert frame_l1(output, torch.zeros(1, 6, 6), 2) == 0


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 3, 5), (2, 1, 1), (3, 3)])
def test_kernels_without_a_frame_are_refused(shape):
    with pytest.raises(ValueError, match=r"kernels must have shape"):
        edge_errors(torch.zeros(30, 30), torch.zeros(shape), METHODS)


def test_an_image_without_an_interior_is_refused():
    with pytest.raises(ValueError, match="at least 13 samples for kernels of size 7"):
        edge_errors(torch.zeros(30, 12), torch.zeros(1, 7, 7), METHODS)


# The Laplacian


def test_laplacian_kernels_are_the_known_ones():
    lines = {3: [1, -2, 1], 5: [-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12]}
    lines[7] = [1 / 90, -3 / 20, 3 / 2, -49 / 18, 3 / 2, -3 / 20, 1 / 90]
    for size, line in lines.items():
        kernel = laplacian_kernel(size)
        cross = torch.zeros(size, size, dtype=torch.float64)
        cross[size // 2] = cross[:, size // 2] = torch.tensor(line, dtype=torch.float64)
        cross[size // 2, size // 2] *= 2
        torch.testing.assert_close(kernel, cross)


def test_finite_differences_approach_the_analytical_laplacian():
    rows, pictures = laplacian_study([3, 5, 7], {"diff": METHODS["diff"]}, torch.float64)
    analytical = [row["l1_error_analytical"] for row in rows]
    assert analytical[0] > 20 * analytical[1] > 200 * analytical[2] > 0
    # Of the corner, the picture and the zoom of the truth show the same pixels: every third of the whole field.
    whole, zoom = pictures["laplacian/analytical"], pictures["laplacian/zoom/7/truth"]
    assert whole.shape == (167, 167)
    assert zoom.shape == (10, 10)
    # Samples 0, 3, 6, 9 from the top; 491 + 1, + 4, + 7 = 492, 495, 498 from the left.
    np.testing.assert_allclose(whole[:4, -3:], zoom[::3, [1, 4, 7]], atol=1e-5)


# The program


def test_configuration_composes_and_is_the_papers():
    whole = settings()
    assert whole.kernel_sizes == [3, 5, 7]
    assert whole.num_kernels == 100
    assert whole.dtype == torch.float32
    assert whole.methods == list(METHODS)
    assert whole.orders["chebyshev"] == [1, *range(10, 101, 10)]
    assert whole.orders["spherical_harmonics"] == list(range(5, 56, 5))
    assert whole.orders["navier_stokes"] == whole.orders["terrain"] == list(range(1, 12))
    assert whole.output_dir == REPOSITORY / "results"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("kernel_sizes=[4]", r"kernel_sizes must be odd and from 3 to 31, got \[4\]"),
        ("kernel_sizes=[1]", "kernel_sizes must be odd and from 3"),
        ("kernel_sizes=3", r"kernel_sizes must be a list .* got 3"),
        ("kernel_sizes=[]", r"kernel_sizes must be a list of at least one item"),
        ("kernel_sizes=[3.0]", "each of kernel_sizes must be an integer"),
        ("kernel_sizes=[3,3]", "kernel_sizes must not hold an item twice"),
        ("methods=[difff]", "methods must be of zeros, .*, diff, .*; got 'difff'"),
        ("methods=[explicit]", "got 'explicit'"),
        ("fields=[chebishev]", "fields must be of chebyshev, .*; got 'chebishev'"),
        ("~orders.terrain", r"orders\.terrain is missing"),
        ("orders.terrain=[0]", r"each of orders\.terrain must be an integer of at least 1, got 0"),
        ("orders.terrain=[12]", r"orders\.terrain must lie between 1 and 11, got 12"),
        ("num_kernels=0", "num_kernels must be an integer of at least 1, got 0"),
        ("num_kernels=many", "num_kernels must be an integer of at least 1, got 'many'"),
        ("seed=-1", "seed must be an integer of at least 0"),
        ("dtype=float16", "dtype must be one of float32, float64; got 'float16'"),
        ("size=12", "size must be an integer of at least 13, got 12"),
        ("navier_stokes_path=/no/such/file.npy", "no Navier-Stokes snapshots at /no/such/file.npy"),
    ],
)
def test_a_bad_value_is_told_in_one_sentence(override, sentence, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=sentence) as exit_:
        run_program(monkeypatch, override, f"output_dir={tmp_path}")
    assert exit_.value.code.startswith("filtering: ")
    assert "\n" not in exit_.value.code
    assert not (tmp_path / "tables").exists()


def test_a_bad_value_ends_with_status_1_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "experiments.filtering", "methods=[dif]", f"output_dir={tmp_path}"]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("filtering: methods must be of zeros")
    assert ended.stderr.count("\n") == 1


def test_a_run_leaves_its_tables_its_pictures_and_its_configuration(monkeypatch, tmp_path, capsys):
    run_program(monkeypatch, *SMALL, f"output_dir={tmp_path}")
    table = pd.read_csv(tmp_path / "tables" / "filtering.csv")
    columns = ["field", "order", "kernel_size", "method", "l1_error", "unit", "num_kernels", "seed", "dtype"]
    assert list(table.columns) == [*columns, "size", "source"]
    assert len(table) == (11 + 2) * len(METHODS)
    assert set(table["source"]) == {"formula", "himalaya.png"}
    laplacian = pd.read_csv(tmp_path / "tables" / "laplacian.csv")
    assert list(laplacian["method"]) == list(METHODS)
    with np.load(tmp_path / "tables" / "filtering_pictures.npz") as pictures:
        assert pictures["field/terrain/11"].shape == (40, 40)
        assert pictures["laplacian/zoom/3/diff"].shape == (10, 10)
    kept = tmp_path / "runs" / "filtering" / "config.yaml"
    assert "num_kernels: 2\n" in kept.read_text()

    printed = capsys.readouterr().out
    assert str(tmp_path / "tables" / "filtering.csv") in printed.splitlines()
    assert "replicate" in printed
    assert sum("chebyshev" in line or "terrain" in line for line in printed.splitlines()) <= 6
    assert not list(tmp_path.rglob("*.partial"))

    # The configuration stays that of the tables.
    with pytest.raises(SystemExit):
        run_program(monkeypatch, "num_kernels=0", f"output_dir={tmp_path}")
    assert "num_kernels: 2\n" in kept.read_text()


def test_a_part_of_a_run_gives_the_numbers_of_the_whole():
    whole = settings(*SMALL, "kernel_sizes=[5,3]")
    part = settings(
        *SMALL, "kernel_sizes=[3]", "methods=[random,diff]", "fields=[chebyshev]", "orders.chebyshev=[20]"
    )
    ((source, images),) = filtering.load_images(part).values()
    rows = pd.DataFrame(filtering.measure(whole, "chebyshev", source, images[0]))
    rows = rows[(rows["kernel_size"] == 3) & rows["method"].isin(["random", "diff"])]
    again = pd.DataFrame(filtering.measure(part, "chebyshev", source, images[0]))
    assert dict(zip(rows["method"], rows["l1_error"], strict=True)) == dict(
        zip(again["method"], again["l1_error"], strict=True)
    )


def test_another_seed_draws_other_kernels():
    first = random_source("kernels", 0, "terrain", 1, 3).initial_seed()
    assert first == random_source("kernels", 0, "terrain", 1, 3).initial_seed()
    assert first != random_source("kernels", 1, "terrain", 1, 3).initial_seed()


# Tables, ranking, progress


@pytest.mark.parametrize(("owner", "function"), [(pd.DataFrame, "to_csv"), (Path, "replace")])
def test_an_interrupted_write_leaves_the_old_table(owner, function, monkeypatch, tmp_path):
    path = tmp_path / "table.csv"
    write_table(path, pd.DataFrame({"value": [1.0]}))
    old = path.read_text()

    def interrupt(written, target, **_):
        if function == "to_csv":
            target.write_text("half a li")
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, function, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_table(path, pd.DataFrame({"value": [2.0]}))
    assert path.read_text() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("broken", ["value", "folder", "disk"])
def test_tables_of_a_run_appear_together_or_not_at_all(broken, monkeypatch, tmp_path):
    table, arrays, pictures = (tmp_path / name for name in ("b.csv", "c.npz", "d.npz"))
    content = {"a": np.ones(2)}
    write_together({tmp_path / "a.csv": pd.DataFrame({"x": [1.0]}), table: pd.DataFrame({"x": [1.0]})})
    old = {path: path.read_bytes() for path in tmp_path.iterdir()}
    if broken == "folder":
        pictures.mkdir()
    if broken == "disk":
        monkeypatch.setattr(np, "savez_compressed", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
    last = pd.DataFrame({"x": [np.nan if broken == "value" else 3.0]})
    new = {tmp_path / "a.csv": pd.DataFrame({"x": [2.0]}), arrays: content, table: last, pictures: content}
    with pytest.raises((ValueError, OSError)):
        write_together(new)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == old


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/results", "/proc/results"])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(place, monkeypatch):
    monkeypatch.setattr(filtering, "load_images", lambda *_: pytest.fail("the work has begun"))
    with pytest.raises(SystemExit, match=f"output_dir: nothing can be written to {place}"):
        run_program(monkeypatch, f"output_dir={place}")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_failed_measurement_is_not_written(bad, tmp_path):
    with pytest.raises(ValueError, match=r"no finite l1_error for .*diff"):
        write_table(tmp_path / "t.csv", pd.DataFrame({"method": ["zeros", "diff"], "l1_error": [1.0, bad]}))
    assert not list(tmp_path.iterdir())


def test_arrays_come_back_and_are_the_same_bytes(tmp_path):
    arrays = {"field/a/1": np.arange(6.0).reshape(2, 3)}
    for name in ("one.npz", "two.npz"):
        write_arrays(tmp_path / name, arrays)
    with np.load(tmp_path / "one.npz") as archive:
        np.testing.assert_array_equal(archive["field/a/1"], arrays["field/a/1"])
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def errors_of(methods):
    errors = {"zeros": [1.0, 4.0], "diff": [0.01, 4.0], "replicate": [0.5, 1.0]}
    rows = [("terrain", order, 3, method, errors[method][order]) for method in methods for order in (0, 1)]
    return pd.DataFrame(rows, columns=["field", "order", "kernel_size", "method", "l1_error"])


def test_ranking_is_the_geometric_mean_over_orders():
    ranks = rank(errors_of(["zeros", "replicate", "diff"]))["terrain"]
    # Ratios: diff 0.01 and 1, replicate 0.5 and 0.25.
    assert list(ranks.index) == [(3, "diff"), (3, "replicate"), (3, "zeros")]
    np.testing.assert_allclose(ranks, [0.1, 0.125**0.5, 1])


def test_ranking_without_zero_padding_says_so():
    errors = errors_of(["replicate", "diff"])
    # The best of each image: 0.01 and 1.
    np.testing.assert_allclose(rank(errors)["terrain"], [2, 50**0.5])
    assert "the best method's" in ranking_table(errors).title


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_a_bar_for_a_terminal_and_four_lines_for_a_log(terminal, capsys):
    console = Console(force_terminal=terminal, width=100)
    with progress_bar(100, console) as advance:
        for step in range(100):
            advance(f"step {step}")
    printed = capsys.readouterr().out
    if terminal:
        assert "100/100" in printed
    else:
        lines = printed.splitlines()
        assert [line.split()[0] for line in lines] == ["25/100", "50/100", "75/100", "100/100"]
