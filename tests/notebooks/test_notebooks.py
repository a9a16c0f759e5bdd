import re
from pathlib import Path

import nbformat
import pytest
from nbconvert.preprocessors import ExecutePreprocessor

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = ["01_quickstart", "02_filtering", "03_training", "04_fields"]


def notebook(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(name):
    return [cell for cell in notebook(name).cells if cell.cell_type == "code"]


def test_the_notebooks_are_these():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_committed_with_the_output_of_one_clean_run(name):
    cells = code_cells(name)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


@pytest.mark.parametrize("name", NAMES)
def test_no_output_names_a_place_on_a_machine(name):
    texts = [output.get("text", "") for cell in code_cells(name) for output in cell.outputs]
    assert not [text for text in texts if re.search(r"/(home|root|work|tmp|Users)/", text)]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_runs(name):
    ExecutePreprocessor(timeout=300).preprocess(notebook(name), {"metadata": {"path": str(FOLDER)}})
