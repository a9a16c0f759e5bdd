import json
import sys

import pandas as pd
import pytest

from experiments import provenance
from experiments.manifest import read_manifest, write_manifest
from experiments.provenance import code_digest, sources_of
from scripts import check_tables
from scripts.check_tables import QUICK, compared, stale, unnamed
from scripts.figures.tables import TABLES

# All of them together take many seconds.
pytestmark = pytest.mark.slow

MODULES = ["experiments.shells.program"]


@pytest.fixture
def kept(tmp_path):
    """A table of one row with its manifest, as a program leaves them."""
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "shells.csv").write_text("field,l1_error\nterrain,1.0\n")
    return write_manifest("shells", [tables / "shells.csv"], MODULES, {})


def changed(path, **entries):
    path.write_text(json.dumps(read_manifest(path) | entries))


def test_what_has_just_been_written_is_current(kept):
    assert stale(kept) == []
    assert unnamed(kept.parent.parent) == []
    manifest = read_manifest(kept)
    assert "diff_conv2d/modes/adaptive.py" in manifest["sources"]
    assert {"torch", "machine", "date"} <= set(manifest)


def test_a_constant_of_adaptive_that_changes_makes_its_tables_stale(kept, monkeypatch, tmp_path):
    """The very source, with one number changed, in a copy of the repository."""
    copy = tmp_path / "repository"
    for path in read_manifest(kept)["sources"]:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text((provenance.REPOSITORY / path).read_text(encoding="utf-8"))
    monkeypatch.setattr(provenance, "REPOSITORY", copy)
    assert stale(kept) == []
    source = copy / "diff_conv2d" / "modes" / "prediction_weights.py"
    text = source.read_text()
    number = next(word for word in text.split() if word.replace(".", "").isdigit() and float(word) > 2)
    source.write_text(text.replace(f" {number}", f" {number}1", 1))
    assert stale(kept) == ["the code has changed since: diff_conv2d/modes/prediction_weights.py"]


def test_words_change_no_digest_and_code_does():
    code = 'def f(x):\n    """Say."""\n    # Why.\n    return x + 1  # here\n'
    assert code_digest(code) == code_digest("def f(x):\n\n    return x + 1\n")
    assert code_digest(code) != code_digest(code.replace("+ 1", "+ 2"))
    text = 'x = """a string that is used # not a comment"""\n'
    assert code_digest(text) != code_digest('x = """another"""\n')


def test_what_a_module_imports_is_found_wherever_it_is_imported():
    sources = sources_of("experiments.training.cell")
    assert "experiments/training/train.py" in sources  # inside a function
    assert "diff_conv2d/extension/in_place.py" in sources  # from what it imports
    assert not [path for path in sources if path.startswith("tests")]
    with pytest.raises(ModuleNotFoundError, match=r"the repository has no module experiments\.nowhere"):
        sources_of("experiments.nowhere")


def test_an_edited_table_a_lost_one_and_one_without_a_manifest(kept):
    tables = kept.parent.parent
    (tables / "shells.csv").write_text("field,l1_error\nterrain,0.9\n")
    assert stale(kept) == ["shells.csv is not the table that was written"]
    (tables / "shells.csv").unlink()
    assert stale(kept) == ["shells.csv is not there"]
    (tables / "other.csv").write_text("a\n1\n")
    assert unnamed(tables) == ["other.csv: no manifest says what it was made from"]


def test_other_settings_make_a_table_stale(kept):
    changed(kept, program="shells", settings={"seed": 7})
    (why,) = stale(kept)
    assert why.startswith("settings have changed since: ")
    assert "seed" in why


def test_rows_that_differ_and_rows_that_are_not_there():
    old = pd.DataFrame({"method": ["zeros", "diff"], "l1_error": [1.0, 2.0]})
    assert compared("t", old, old[:1], ["method"], 1e-4, 1e-8) == (1, 0.0)
    new = old.assign(l1_error=[1.0, 2.1])
    with pytest.raises(ValueError, match=r"t.csv: l1_error of {'method': 'diff'} is 2, computed again 2.1"):
        compared("t", old, new, ["method"], 1e-4, 1e-8)
    assert compared("t", old, new, ["method"], 0.1, 1e-8)[1] == pytest.approx(0.05)
    with pytest.raises(ValueError, match="none of the rows"):
        compared("t", old, new.assign(method="x"), ["method"], 1e-4, 1e-8)


def test_counts_must_be_equal_and_a_whole_study_must_have_the_same_rows():
    old = pd.DataFrame({"method": ["zeros", "diff"], "launches": [1, 100_000]})
    more = {"rtol": 0.1, "atol": 1e-8, "counts": ("launches",)}
    assert compared("t", old, old, ["method"], **more) == (2, 0.0)
    with pytest.raises(ValueError, match=r"launches of {'method': 'diff'} is 1e.05, computed again 1e.05"):
        compared("t", old, old.assign(launches=[1, 100_001]), ["method"], **more)
    check_tables._same_rows("t", old, old[::-1], ["method"])
    with pytest.raises(ValueError, match=r"differ in rows: 1, one is \('diff',\)"):
        check_tables._same_rows("t", old, old[:1], ["method"])


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["check_tables", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        check_tables.main()
    return stopped.value.code, capsys.readouterr().out


def test_the_program_tells_and_marks(kept, monkeypatch, capsys):
    tables = kept.parent.parent
    options = ("--tables", tables, "--no-recompute")
    assert run(monkeypatch, capsys, *options) == (0, "shells: current\n")
    changed(kept, sources={})
    code, told = run(monkeypatch, capsys, *options)
    assert code == 1
    assert told.startswith("shells: STALE: the code has changed since: diff_conv2d/algorithms/__init__.py")
    code, told = run(monkeypatch, capsys, "shells", *options, "--mark-stale", "made before the change")
    assert (code, told) == (0, "shells: marked stale: made before the change\n")
    assert run(monkeypatch, capsys, *options)[0] == 0
    code, _ = run(monkeypatch, capsys, *options, "--mark-stale", "why")
    assert code == "scripts.check_tables: --mark-stale needs the names of the studies that are meant"
    assert "got 'nothing'" in run(monkeypatch, capsys, "nothing", *options)[0]


def test_what_is_computed_again_confirms_new_code(kept, monkeypatch, capsys):
    changed(kept, sources={}, program="shells", settings=check_tables.settings_of(_config("shells")))
    options = ("--tables", kept.parent.parent, "--confirm")
    monkeypatch.setattr(check_tables, "computed_again", lambda study, tables: "2 rows computed again")
    assert run(monkeypatch, capsys, *options) == (0, "shells: current (2 rows computed again)\n")
    assert read_manifest(kept)["sources"] == sources_of(*MODULES)
    assert read_manifest(kept)["confirmed"] == "2 rows computed again"


def _config(name):
    check_tables.GlobalHydra.instance().clear()
    with check_tables.initialize_config_dir(str(check_tables.CONFIGS), version_base="1.3"):
        return check_tables.compose(name)


def test_the_tables_of_the_repository_are_current_or_marked():
    why = {path.stem: stale(path) for path in sorted((TABLES / "made_from").glob("*.json"))}
    marked = {study for study in why if read_manifest(TABLES / "made_from" / f"{study}.json").get("stale")}
    assert {study: reasons for study, reasons in why.items() if reasons and study not in marked} == {}
    assert unnamed(TABLES) == []
    assert set(QUICK) <= set(why)


def test_quick_studies_are_those_of_the_repository():
    for study, quick in QUICK.items():
        for name, keys in quick.tables.items():
            assert set(keys) <= set(pd.read_csv(TABLES / f"{name}.csv", nrows=1)), study


def test_a_sweep_is_confirmed_by_training_some_runs_again(tmp_path, monkeypatch):
    """The training itself is replaced: the results of its record decide."""
    runs = pd.DataFrame(
        [("globe", "unet", m, 0, "mse", "frame", v) for m, v in {"zeros": 0.2, "diff": 0.1, "reflect": 0.3}.items()],
        columns=["data", "model", "method", "seed", "metric", "region", "value"],
    )
    runs.to_csv(tmp_path / "super_resolution_runs.csv", index=False)
    write_manifest(
        "super_resolution",
        [tmp_path / "super_resolution_runs.csv"],
        MODULES,
        {"runs": [], "seeds": [0]},
        kind="sweep",
    )
    results = {"zeros": 0.2, "diff": 0.1}

    def trained(cells, jobs):
        for cell in cells:
            folder = check_tables.cell_folder(check_tables.composed(cell))
            folder.path.mkdir(parents=True)
            folder.record.write_text(json.dumps({"results": {"mse": {"frame": results[cell.method]}}}))
            yield cell, None, 1.0

    monkeypatch.setattr(check_tables, "run_cells", trained)
    told = check_tables.trained_again("super_resolution", tmp_path)
    assert told == "zeros, diff of seed 0 trained again, 2 values, largest relative difference 0"
    results["diff"] = 0.11
    with pytest.raises(ValueError, match=r"value of .*diff.* is 0\.1, computed again 0\.11"):
        check_tables.trained_again("super_resolution", tmp_path)
