"""scipy's own tests of its filters pass with ours in place of its functions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import scipy
from packaging.version import Version

import diff_conv2d

#: In older versions a part of another test.
FLOAT16 = f"test_gaussian_filter{'_float16' if Version(scipy.__version__) >= Version('1.16') else ''}[numpy]"
#: Tests of scipy that fail, by design.
EXCEPTIONS = {
    "TestNdimageFilters::test_correlate_mode_sequence[numpy]": "an N-d kernel may have a mode for each axis",
    FLOAT16: "16-bit floating point numbers are filtered",
}


def outcomes(folder, *options):
    """Run scipy's tests with the plugin, in a process of its own, whose functions may be replaced."""
    here, root = Path(__file__).parent, Path(diff_conv2d.__file__).parents[1]
    paths = [str(root), str(here), os.environ.get("PYTHONPATH", "")]
    results = folder / "results.json"
    names = {"PYTHONPATH": os.pathsep.join(paths), "RESULTS": str(results), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder)]
    command += [
        "-p",
        "no:cacheprovider",
        "-p",
        "scipys_tests",
        "--pyargs",
        "scipy.ndimage.tests.test_filters",
        *options,
    ]
    run = subprocess.run(command, env={**os.environ, **names}, cwd=folder, capture_output=True, text=True)
    if not results.exists():
        raise RuntimeError(run.stdout + run.stderr)
    return json.loads(results.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return outcomes(tmp_path_factory.mktemp("scipy"))


def test_they_pass_but_for_the_exceptions(found):
    failed = {name for name, outcome in found["outcomes"].items() if outcome != "passed"}
    assert failed == set(EXCEPTIONS)


def test_there_are_many_and_they_call_every_function(found):
    assert len(found["outcomes"]) > 1750
    assert len(EXCEPTIONS) < 0.02 * len(found["outcomes"])
    assert min(found["calls"].values()) > 0


def test_they_would_see_a_wrong_result(tmp_path, monkeypatch):
    monkeypatch.setenv("BROKEN", "sobel")
    found = outcomes(tmp_path, "-k", "sobel")
    assert sum(outcome == "failed" for outcome in found["outcomes"].values()) > 10
