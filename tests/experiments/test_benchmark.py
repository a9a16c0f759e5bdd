import subprocess
import sys

import pandas as pd
import pytest
import torch

from experiments.benchmark.cases import CASES, METHODS, steps
from experiments.padding_configs import COMPARED
from scripts.figures import walltime
from scripts.figures.style import STYLES

# All of them together take many seconds.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name", [case.name for case in CASES.values() if case.group in ("cnn", "variants", "filtering")]
)
def test_every_case_has_every_mode(name):
    functions = steps(CASES[name], torch.device("cpu"))
    # PP-Pad is for images of two axes.
    assert set(COMPARED) - set(functions) == (set() if CASES[name].axes == 2 else {"peripheral"})
    assert set(functions) <= set(STYLES)
    assert set(functions) <= set(METHODS)


@pytest.mark.slow
def test_every_method_does_a_case_and_the_gradient_reaches_the_image():
    case = CASES["8x512x7x7"]
    for function in steps(case, torch.device("cpu")).values():
        function()


def draw(name, folder):
    command = [sys.executable, "-m", f"scripts.figures.{name}", "--tables", folder / "tables", "--output", folder]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_table_and_its_figure(tmp_path):
    command = [sys.executable, "-m", "experiments.benchmark", "groups=[inference,filtering]", "methods=[diff,opencv]"]
    options = ["rounds=2", "warmup=1", "least_seconds=1e-4", f"output_dir={tmp_path}", "threads=1"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    table = pd.read_csv(tmp_path / "tables" / "benchmark.csv")
    assert set(table["method"]) == {"zeros", "diff", "opencv"}
    assert (table[table["method"] == "zeros"]["ratio"] == 1).all()
    assert (table["peak_bytes"][table["method"] != "opencv"] > 0).all()
    assert draw("benchmark", tmp_path).returncode == 0
    assert (tmp_path / "benchmark.pdf").stat().st_size > 1000


def test_the_figure_of_wall_time_is_drawn_from_layers_and_the_network(tmp_path):
    (tmp_path / "tables").mkdir()
    table = pd.DataFrame(
        [
            (group, case, method, ratio, 0.9 * ratio, 1.1 * ratio, 1000 * ratio, "CPU", 2)
            for group, case in (("cnn", "8x64x56x56"), ("cnn", "8x512x7x7"), ("walltime", "UNet"))
            for method, ratio in (("zeros", 1.0), ("diff", 1.1), ("linear_prediction", 20.0))
        ],
        columns=walltime.COLUMNS,
    )
    table.to_csv(tmp_path / "tables" / "walltime.csv", index=False)
    assert draw("walltime", tmp_path).returncode == 0
    assert (tmp_path / "walltime.pdf").stat().st_size > 1000
    table[table["group"] == "cnn"].to_csv(tmp_path / "tables" / "walltime.csv", index=False)
    refused = draw("walltime", tmp_path)
    assert refused.returncode == 1
    assert "no cases of the group 'walltime'" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("groups=[cnns]", "groups must be of"),
        ("methods=[dif]", "methods must be of zeros, "),
        ("threads=0", "threads must be"),
        ("device=gpu", "device must be"),
        ("name=filtering", "name must not be that of the tables of another study"),
    ],
)
def test_what_is_wrong_is_one_sentence(option, sentence):
    command = [sys.executable, "-m", "experiments.benchmark", option]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith(f"benchmark: {sentence}")
    assert "Traceback" not in result.stderr
