"""The benchmark on a GPU, tried on a CPU: small cases, whose numbers mean nothing."""

import pickle
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import hydra
import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from experiments.benchmark import cuda, cuda_processes, program
from experiments.benchmark.cases import CASES, Case
from experiments.benchmark.cuda import NO_TIME, DeviceFailure, left_out, measure_on_gpu
from experiments.benchmark.cuda_cases import CUDA_CASES, CUDA_METHODS, image_of, methods_of, network_with, small
from experiments.benchmark.settings import RESULTS, Settings
from experiments.benchmark.ways import WAYS, same_bits
from experiments.paths import CONFIGS, REPOSITORY
from experiments.settings import read_settings
from scripts.benchmark_cuda_page import END, PAGE, START, content, markdown, missing
from scripts.figures.style import STYLES
from scripts.pages import filled

CPU = torch.device("cpu")
SMALL = ["small=true", "device=cpu", "rounds=2", "warmup=1", "least_seconds=1e-4", "threads=1"]
LAYER = CUDA_CASES["32x64x56x56, float32"]


def settings(folder, *overrides):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = hydra.compose("benchmark_cuda", [*SMALL, f"output_dir={folder}", *overrides])
        return read_settings(Settings, config)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a run of the program."""
    folder = tmp_path_factory.mktemp("benchmark")
    command = [sys.executable, "-m", "experiments.benchmark", "--config-name", "benchmark_cuda", *SMALL]
    parts = ["groups=[layers,filtering]", "methods=[diff]", f"output_dir={folder}"]
    done = subprocess.run([*command, *parts], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.slow
def test_a_run_writes_its_table_from_end_to_end(written):
    table = pd.read_csv(written / "tables" / "benchmark_cuda.csv")
    assert set(table["case"]) == {case.name for case in CUDA_CASES.values() if case.group in ("layers", "filtering")}
    assert set(table["method"]) == {"zeros", "diff"}
    assert table["failure"].isna().all()
    assert (table[["seconds", "ratio", "peak_bytes", "launches"]] > 0).all(axis=None)
    assert (table["same_bits"] == 1).all()
    assert (table[table["method"] == "zeros"]["ratio"] == 1).all()
    of_layer = table[table["case"] == LAYER.name].set_index("method")["launches"]
    assert of_layer["zeros"] < of_layer["diff"]


@pytest.mark.slow
def test_the_figure_and_the_page_are_made_of_the_table(written):
    command = [sys.executable, "-m", "scripts.figures.benchmark_cuda", "--tables", written / "tables"]
    done = subprocess.run([*command, "--output", written], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (written / "benchmark_cuda.pdf").stat().st_size > 1000
    text = content(written / "tables")
    assert f"| {LAYER.name} |" in text
    assert "for every method in every case" in text
    assert "No GPU" not in text


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CUDA_CASES.items() if case.network and case.way == "eager"])
def test_networks_train_and_infer(name, tmp_path):
    table = measure_on_gpu(CUDA_CASES[name], settings(tmp_path, "methods=[diff]"), {}, np.inf)
    assert table["failure"].isna().all(), table["failure"].tolist()
    assert (table["seconds"] > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", CUDA_METHODS)
def test_every_method_does_a_layer_and_a_network(method):
    for name in (LAYER.name, "UNet, 8x3x256x256, float32, eager"):
        case = small(CUDA_CASES[name])
        image = image_of(case, CPU)
        assert same_bits(case, network_with(case, method, image), image)


def test_cases_and_methods_are_those_of_the_issue():
    eager = {case.network for case in CUDA_CASES.values() if case.group == "networks"}
    assert eager == {"resnet18", "wide_unet"}
    for network in eager:
        ways = {(case.way, case.dtype) for case in CUDA_CASES.values() if case.network == network and case.training}
        assert ways == {(way, dtype) for way in WAYS for dtype in (torch.float32, torch.bfloat16)}
    assert {case.shape[0] for case in CUDA_CASES.values() if case.group == "filtering"} == {1, 16}
    assert set(CUDA_METHODS) <= set(STYLES)
    for case in CUDA_CASES.values():
        assert methods_of(case)[0] == case.reference == "zeros"
    assert all(case.way == "eager" for case in CASES.values())


def test_without_a_gpu_the_command_says_that_it_needs_one(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    command = [sys.executable, "-m", "experiments.benchmark", "--config-name", "benchmark_cuda"]
    done = subprocess.run([*command, f"output_dir={tmp_path}"], capture_output=True, text=True)
    sentence = "device must be a CUDA device, which this benchmark needs, and torch finds none"
    assert done.returncode == 1
    assert done.stderr.startswith(f"benchmark: {sentence}")
    assert list(tmp_path.iterdir()) == []
    for device in ("auto", "cpu"):
        with pytest.raises(ValueError, match=sentence):
            settings(tmp_path, "small=false", f"device={device}")


def test_small_cases_are_no_results():
    with pytest.raises(ValueError, match=r"output_dir must be another folder than .* with small=true"):
        settings(RESULTS)


def test_names_are_those_of_the_suite(tmp_path):
    with pytest.raises(ValueError, match=r"groups must be of networks, layers, filtering, inference; got 'cnn'"):
        settings(tmp_path, "groups=[cnn]")
    with pytest.raises(ValueError, match=r"methods must be of zeros, replicate, .*; got 'opencv'"):
        settings(tmp_path, "methods=[opencv]")
    with pytest.raises(ValueError, match=r"ways must be of eager, compiled, graph; got 'slow'"):
        settings(tmp_path, "ways=[slow]")


@pytest.mark.parametrize("override", ["small=true", "seconds=5", "ways=[graph]"])
def test_settings_for_a_gpu_are_refused_for_a_cpu(override):
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = hydra.compose("benchmark", [override])
        with pytest.raises(ValueError, match=f"^{override.partition('=')[0]} (is for suite=cuda|must be of eager;)"):
            read_settings(Settings, config)


def test_at_least_one_case_must_be_left(tmp_path):
    with pytest.raises(ValueError, match="groups and ways leave no case"):
        program.run(settings(tmp_path, "groups=[layers]", "ways=[compiled]"), Console())


def failing(monkeypatch, method, error):
    """Let one method fail when its step is made."""
    made = cuda.network_with

    def make(case, name, image):
        if name == method:
            raise error
        return made(case, name, image)

    monkeypatch.setattr(cuda, "network_with", make)


def test_a_method_that_fails_has_its_reason_and_the_others_their_numbers(monkeypatch, tmp_path):
    failing(monkeypatch, "diff", RuntimeError("no such kernel\n of the device"))
    table = measure_on_gpu(LAYER, settings(tmp_path, "methods=[diff,replicate]"), {}, np.inf).set_index("method")
    assert table["failure"].to_dict() == pytest.approx(
        {"zeros": np.nan, "replicate": np.nan, "diff": "no such kernel of the device"}, nan_ok=True
    )
    assert table["seconds"].isna().to_dict() == {"zeros": False, "replicate": False, "diff": True}
    text = markdown(table.reset_index().assign(device="D", torch="2", rounds=2))
    assert "- Missing: `diff` (no such kernel of the device), 32x64x56x56, float32." in text


def test_without_the_reference_nothing_is_measured(monkeypatch, tmp_path):
    failing(monkeypatch, "zeros", RuntimeError("broken"))
    table = measure_on_gpu(LAYER, settings(tmp_path, "methods=[replicate]"), {}, np.inf).set_index("method")
    assert table["failure"].to_dict() == {"zeros": "broken", "replicate": "zeros could not be measured"}


def test_an_error_of_the_device_ends_the_process(monkeypatch, tmp_path):
    failing(monkeypatch, "diff", RuntimeError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(DeviceFailure) as failure:
        measure_on_gpu(LAYER, settings(tmp_path, "methods=[diff]"), {}, np.inf)
    copy = pickle.loads(pickle.dumps(failure.value))
    assert (copy.method, copy.why) == ("diff", "CUDA error: an illegal memory access was encountered")


class Process:
    """A process that answers with what it was given, and raises the errors among that."""

    def __init__(self, *answers):
        self.answers, self.calls, self.ended = list(answers), [], 0

    def call(self, function, case, settings, excluded, deadline):
        self.calls.append(dict(excluded))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self):
        self.ended += 1


def test_a_case_is_measured_again_without_the_method_that_cost_the_device(tmp_path):
    rows = pd.DataFrame({"method": ["zeros"]})
    process = Process(DeviceFailure("diff", "CUDA error"), rows)
    excluded = {"learned": "another error"}
    found = cuda_processes._measured(LAYER, settings(tmp_path), np.inf, process, excluded)
    assert found is rows
    assert process.calls == [{"learned": "another error"}, {"learned": "another error", "diff": "CUDA error"}]
    assert set(excluded) == {"learned", "diff"}
    assert process.ended == 1


@pytest.mark.parametrize("error", [BrokenProcessPool(), RuntimeError("out of something")])
def test_a_case_whose_process_dies_is_left_out(error, tmp_path):
    process = Process(DeviceFailure("diff", "CUDA error"), error)
    found = cuda_processes._measured(LAYER, settings(tmp_path, "methods=[diff]"), np.inf, process, {})
    assert found.set_index("method").loc["diff", "failure"] == "CUDA error"
    assert found["failure"].notna().all()
    assert process.ended == 2


def test_what_there_is_no_time_for_is_left_out(tmp_path):
    late = time.time() - 1
    found = cuda_processes._measured(LAYER, settings(tmp_path, "methods=[diff]"), late, Process(), {})
    assert found["failure"].tolist() == [NO_TIME, NO_TIME]
    table = measure_on_gpu(LAYER, settings(tmp_path, "methods=[diff]"), {}, late)
    assert table["failure"].tolist() == [NO_TIME, NO_TIME]
    compiled = next(case for case in CUDA_CASES.values() if case.way == "compiled")
    soon = measure_on_gpu(compiled, settings(tmp_path, "methods=[diff]"), {}, time.time() + cuda.COMPILING / 2)
    assert soon["failure"].tolist() == [NO_TIME, NO_TIME]
    assert left_out(LAYER, {"diff": NO_TIME})["seconds"].isna().all()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("way", WAYS)
def test_every_way_on_a_gpu(way, tmp_path):
    case = next(case for case in CUDA_CASES.values() if case.network == "wide_unet" and case.way == way)
    table = measure_on_gpu(case, settings(tmp_path, "device=cuda"), {}, np.inf)
    assert table["failure"].isna().all(), table[["method", "failure"]].to_string()
    assert (table[["seconds", "launches"]] > 0).all(axis=None)


def test_bits_that_differ_are_found():
    class Noisy(torch.nn.Conv2d):
        def forward(self, image):
            return super().forward(image) + torch.rand(())

    case = Case("noisy", "layers", (1, 2, 8, 8))
    image = image_of(case, CPU)
    assert not same_bits(case, Noisy(2, 2, 3), image)
    assert same_bits(case, torch.nn.Conv2d(2, 2, 3), image)


def test_the_page_shows_the_table_or_what_is_missing():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, START, END, content()) == page, "`make pages` brings it up to date"


def test_without_a_table_the_page_has_no_number_and_no_table(tmp_path):
    assert content(tmp_path) == missing()
    assert "|" not in missing()
    assert all(f"`{method}`" in missing() for method in CUDA_METHODS)


def test_aims_and_bits_have_their_sentences():
    rows = [
        ("networks", "UNet, float32, eager", method, ratio, bits)
        for method, ratio, bits in (("zeros", 1.0, 1), ("diff", 1.04, 1), ("adaptive", 1.4, 0))
    ]
    table = pd.DataFrame(rows, columns=["group", "case", "method", "ratio", "same_bits"])
    table = table.assign(seconds=1, ratio_low=1.0, ratio_high=2.0, peak_bytes=1.0, launches=2.5, failure=None)
    text = markdown(table.assign(device="D", torch="2", rounds=9), stale="old.")
    assert "This table is marked stale: old." in text
    assert "At most 1.05 times zero padding in a network, eager and compiled, is reached by `diff`: 1.04" in text
    assert "At most 1.3 times zero padding in a network, eager and compiled, is missed by `adaptive`: 1.40" in text
    assert "but for `adaptive` (UNet, float32, eager)." in text
    assert "zero padding are" not in text
    table.loc[table["method"] == "zeros", "same_bits"] = 0
    text = markdown(table.assign(device="D", torch="2", rounds=9))
    assert "Not even those of zero padding are the same bits in UNet, float32, eager." in text
    assert "but for" not in text
    assert "| UNet, float32, eager | 1e+03 | 1.04 [1.00, 2.00] | 1.40 [1.00, 2.00] |" in text
