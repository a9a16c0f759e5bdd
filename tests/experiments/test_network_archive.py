"""The archive of networks: the same bits as the run's, and damage is told."""

import hashlib
import json
import pickle
import shutil
import sys
import zipfile

import pytest
import torch
from run_records import finish_run

from experiments import network_archive
from experiments.data.load import load_data
from experiments.network_archive import archived_weights, faults, read_index, write_networks
from experiments.trained_networks import check_trained, trained_weights
from experiments.training.cell import cell_folder
from experiments.training.cells import composed, sweep_cells
from experiments.training.run_folder import run_name
from experiments.training.train import build_task
from scripts.archive import main, packed
from scripts.manifests import sweep_config

SMALL = ["model.options.depth=1", "model.options.width=2", "data.train_patches=16", "trainer.max_epochs=1"]
MOST = 10**6
RESULTS = {"mse": {"whole": 0.5, "frame": 1}}


def cells_of(runs, *methods, seeds=(0,), settings=SMALL):
    config = sweep_config(
        "super_resolution", list(seeds), only=list(methods), runs_dir=str(runs), settings=list(settings)
    )
    return sweep_cells(config)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two runs at their end, their tasks, and what is packed of them, by the method."""
    runs = tmp_path_factory.mktemp("runs")
    cells = {cell.method: cell for cell in cells_of(runs, "diff", "zeros")}
    tasks = {method: finish_run(cell, RESULTS) for method, cell in cells.items()}
    return runs, tasks, {method: packed([cell]) for method, cell in cells.items()}


@pytest.fixture
def archive(finished, tmp_path, monkeypatch):
    """An archive with one network, in place of the repository's: the cell, its task, the folder. There is no run."""
    _, tasks, contents = finished
    folder = tmp_path / "networks"
    write_networks(contents["diff"], folder, MOST)
    monkeypatch.setattr(network_archive, "ARCHIVE", folder)
    (cell,) = cells_of(tmp_path / "runs", "diff")
    return cell, tasks["diff"], folder


def file_of(cell, folder):
    return folder / f"{run_name(composed(cell)).as_posix()}.pt"


def test_a_network_from_the_archive_gives_the_bits_of_its_run(archive):
    cell, task, _ = archive
    weights, config = trained_weights(cell), composed(cell)
    assert list(weights) == list(task.state_dict())
    for name, tensor in task.state_dict().items():
        assert weights[name].dtype == tensor.dtype
        assert torch.equal(weights[name], tensor), name
    data = load_data(config.data)
    restored = build_task(config, data)
    restored.load_state_dict(weights)
    image = data.test[0][0][None]
    with torch.no_grad():
        assert torch.equal(restored.eval()(image), task.eval()(image))


def test_the_run_itself_comes_first(archive, finished):
    cell, task, folder = archive
    file_of(cell, folder).unlink()
    (there,) = cells_of(finished[0], "diff")
    weights = trained_weights(there)
    assert all(torch.equal(weights[name], tensor) for name, tensor in task.state_dict().items())


def test_the_index_names_settings_results_and_checksum(archive):
    cell, _, folder = archive
    ((name, entry),) = read_index(folder).items()
    path = file_of(cell, folder)
    assert name == run_name(composed(cell)).as_posix()
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert entry["bytes"] == path.stat().st_size
    assert entry["settings"]["padding.mode"] == "diff"
    assert entry["settings"]["model.options.width"] == 2
    assert (entry["seed"], entry["method"], entry["results"]) == (0, "diff", {"mse": 0.5})
    assert faults(folder) == []


def test_packing_again_gives_the_same_file_and_keeps_the_others(archive, finished):
    cell, _, folder = archive
    before = file_of(cell, folder).read_bytes()
    write_networks(finished[2]["zeros"], folder, MOST)
    (entry,) = (read_index(folder)[name] for name in finished[2]["diff"])
    write_networks({"again": (archived_weights(composed(cell)), entry)}, folder, MOST)
    assert (folder / "again.pt").read_bytes() == before == file_of(cell, folder).read_bytes()
    assert set(read_index(folder)) == {*finished[2]["diff"], *finished[2]["zeros"], "again"}
    assert faults(folder) == []


def name_of(cell):
    return run_name(composed(cell)).as_posix()


def test_a_network_that_is_not_there_is_told_with_what_trains_it(archive, tmp_path):
    cell, _, _ = archive
    check_trained([cell])
    others = cells_of(tmp_path / "runs", "diff", seeds=[1])
    for look in (check_trained, lambda cells: trained_weights(cells[0])):
        with pytest.raises(FileNotFoundError, match="reproduce-super-resolution METHODS=diff SEEDS=1` trains it"):
            look(others)
    # Other settings have another name.
    assert archived_weights(composed(cells_of(tmp_path, "diff", settings=[*SMALL, "batch_size=8"])[0])) is None


def test_other_settings_under_the_same_name_are_told(archive):
    cell, _, folder = archive
    index = read_index(folder)
    index[name_of(cell)]["settings"]["data.sigma"] = 4.0
    (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"was trained with other settings: data\.sigma"):
        trained_weights(cell)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(flipped(path)), "is damaged: its SHA-256 is not that of the index"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is damaged: its SHA-256"),
        (lambda path: path.unlink(), "is in the index, but not there"),
    ],
    ids=["a bit", "an end", "all"],
)
def test_a_damaged_file_is_told(archive, damage, words):
    cell, _, folder = archive
    path = file_of(cell, folder)
    damage(path)
    with pytest.raises(ValueError, match=words):
        trained_weights(cell)
    (fault,) = faults(folder)
    assert words in fault
    assert str(path) in fault


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    return bytes(content)


@pytest.mark.parametrize("index", ["{", "[]", '{"a": {"sha256": "x"}}'])
def test_a_damaged_index_is_told(archive, index):
    cell, _, folder = archive
    (folder / "index.json").write_text(index)
    for look in (lambda: trained_weights(cell), lambda: faults(folder), lambda: check_trained([cell])):
        with pytest.raises(ValueError, match=r"index\.json is damaged"):
            look()


class Writes:
    """Code that a pickle would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_code_in_a_file_is_refused_not_run(archive, tmp_path):
    cell, _, folder = archive
    path, made = file_of(cell, folder), tmp_path / "made"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("archive/data.pkl", pickle.dumps(Writes(made)))
        content.writestr("archive/version", "3\n")
    index = read_index(folder)
    index[name_of(cell)]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="holds more than tensors; it was not read"):
        trained_weights(cell)
    assert not made.exists()


def test_an_archive_that_would_be_too_large_is_left_as_it_is(archive, finished):
    cell, _, folder = archive
    size = file_of(cell, folder).stat().st_size
    with pytest.raises(ValueError, match=r"2 networks would take 0\.0 MB, more than the .* nothing was written"):
        write_networks(finished[2]["zeros"], folder, size + 100)
    assert set(read_index(folder)) == set(finished[2]["diff"])
    assert [path.name for path in folder.rglob("*.pt")] == [file_of(cell, folder).name]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_fits_its_network_no_more_is_not_packed(finished, tmp_path):
    (cell,), (source,) = cells_of(tmp_path, "zeros"), cells_of(finished[0], "zeros")
    folder = cell_folder(composed(cell))
    shutil.copytree(cell_folder(composed(source)).path, folder.path)
    content = torch.load(folder.checkpoints / "0000.ckpt", weights_only=True)
    content["state_dict"].popitem()
    torch.save(content, folder.checkpoints / "0000.ckpt")
    with pytest.raises(ValueError, match="fits its network no more"):
        packed([cell])


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs scripts.archive; gives what it printed and how it ended."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["scripts.archive", *arguments])
        try:
            main()
        except SystemExit as end:
            return capsys.readouterr().out, str(end.code)
        return capsys.readouterr().out, ""

    return run


def test_the_program_verifies(archive, program):
    cell, _, folder = archive
    assert program("verify", f"--archive={folder}") == ("1 networks, 0.0 MB\n", "")
    path = file_of(cell, folder)
    path.write_bytes(flipped(path))
    (folder / "more.pt").write_bytes(b"")
    said, end = program("verify", f"--archive={folder}")
    assert f"{path} is damaged" in said
    assert f"{folder / 'more.pt'} is not in the index" in said
    assert end == f"scripts.archive: 2 faults in {folder}"


def test_the_program_packs_nothing_that_is_not_there(program, tmp_path):
    place = f"--archive={tmp_path / 'a'}"
    said, end = program("pack", "super_resolution", "--methods=zeros", f"--runs={tmp_path}", place)
    assert end.startswith("scripts.archive: no finished run of super_resolution unet zeros seed 0 with a checkpoint")
    assert said == ""
    assert not (tmp_path / "a").exists()
    _, end = program("pack", "normalization", "--variants=none", place)
    assert end == "scripts.archive: --variants must be of unet, unet_no_norm; got 'none'"


def test_the_archive_of_the_repository_is_whole():
    assert faults() == []
