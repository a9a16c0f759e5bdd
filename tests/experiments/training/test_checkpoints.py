import errno
import io
import json
import os
import pickle
import random
import warnings
import zipfile

import pytest
import torch

from experiments.training import checkpoints
from experiments.training.checkpoints import CheckpointFiles, final_weights, newest_checkpoint, stopped_checkpoint
from experiments.training.run_folder import RunFolder

WEIGHTS = {"weight": torch.arange(1000.0), "count": torch.tensor(3)}


def content(epoch=0):
    """What Lightning writes, as far as a run needs it."""
    return {
        "epoch": epoch,
        "global_step": 10 * epoch,
        "state_dict": WEIGHTS,
        "optimizer_states": [{"state": {}, "param_groups": []}],
        "lr_schedulers": [],
        "callbacks": {},
        "loops": {"fit_loop": {}},
    }


def save(folder, epoch):
    CheckpointFiles("run").save_checkpoint(content(epoch), folder / f"{epoch:04d}.ckpt")


def test_no_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "missing") is None


def test_the_newest_is_taken(tmp_path):
    for epoch in (8, 9, 10):
        save(tmp_path, epoch)
    assert newest_checkpoint(tmp_path).name == "0010.ckpt"
    assert newest_checkpoint(tmp_path, WEIGHTS, "run").name == "0010.ckpt"


def test_what_an_epoch_was_stopped_in_comes_after_the_epoch_before_and_before_its_own_end(tmp_path):
    save(tmp_path, 2)
    stopped = stopped_checkpoint(tmp_path, 3)
    torch.save(content(3), stopped)
    assert newest_checkpoint(tmp_path, WEIGHTS, "run") == stopped
    save(tmp_path, 3)
    assert newest_checkpoint(tmp_path, WEIGHTS, "run").name == "0003.ckpt"


def test_what_torch_itself_has_saved_is_taken(tmp_path):
    """As all checkpoints were before there was a class of this project's that writes them."""
    torch.save(content(), tmp_path / "0000.ckpt")
    assert newest_checkpoint(tmp_path, WEIGHTS, "run").name == "0000.ckpt"


def test_a_checkpoint_of_another_run_is_passed_over(tmp_path):
    """Even if its network has the same form: another seed's, or another mode's."""
    save(tmp_path, 0)
    CheckpointFiles("other").save_checkpoint(content(1), tmp_path / "0001.ckpt")
    with pytest.warns(UserWarning, match=r"0001.ckpt cannot be used \(it is of another run, other\)"):
        assert newest_checkpoint(tmp_path, WEIGHTS, "run").name == "0000.ckpt"


@pytest.mark.parametrize("damage", ["empty", "half", "garbage"])
def test_a_damaged_one_is_named_and_the_one_before_it_taken(tmp_path, damage):
    save(tmp_path, 0)
    save(tmp_path, 1)
    newest = tmp_path / "0001.ckpt"
    whole = newest.read_bytes()
    newest.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "garbage": b"not a checkpoint"}[damage])
    with pytest.warns(UserWarning, match=r"checkpoint .*0001.ckpt cannot be used \(.+\); trying the one before it"):
        assert newest_checkpoint(tmp_path).name == "0000.ckpt"


def same_content(path):
    found = torch.load(path, weights_only=True)
    assert found.pop("run") == "run"
    weights, state = found.pop("state_dict"), content(1)
    del state["state_dict"]
    return found == state and all(torch.equal(weights[name], value) for name, value in WEIGHTS.items())


def test_no_flipped_bit_reaches_a_run(tmp_path):
    """Of the few that are not seen none is in what was saved: they are in gaps between the parts of the file."""
    save(tmp_path, 0)
    save(tmp_path, 1)
    newest, draw = tmp_path / "0001.ckpt", random.Random(0)
    whole = newest.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        newest.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            taken = newest_checkpoint(tmp_path, WEIGHTS, "run")
        assert taken.name == "0000.ckpt" or same_content(taken)


def test_a_flipped_bit_in_a_tensor_is_named(tmp_path):
    save(tmp_path, 0)
    newest = tmp_path / "0000.ckpt"
    whole = newest.read_bytes()
    position = whole.index(WEIGHTS["weight"].numpy().tobytes()) + 2000
    newest.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
    with pytest.warns(UserWarning, match=r"cannot be used \(.*data/0 in it is not as it was written\)"):
        assert newest_checkpoint(tmp_path) is None


def archive(**parts):
    """A whole archive, with checksums that are right, of parts of choice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, part in parts.items():
            file.writestr(f"archive/{name}", part)
    return buffer.getvalue()


# Of a pickle, so that some of it is read before it makes no sense.
OPCODES = b"\x80\x02.0125()}]KMJ\x85\x86\x87Rsuea"


def random_files(count):
    """Bytes that are nothing, that begin as an archive or a pickle does, and archives of random pickles."""
    draw = random.Random(1)
    for number in range(count):
        noise = draw.randbytes(draw.randrange(1, 3000))
        yield [
            noise,
            b"PK\x03\x04" + noise,
            b"\x80\x02" + noise,
            archive(**{"data.pkl": b"\x80\x02" + noise, "version": b"3\n", "byteorder": b"little"}),
            archive(**{"data.pkl": bytes(draw.choices(OPCODES, k=40)), "version": b"3\n"}),
        ][number % 5]


def test_random_files_are_passed_over(tmp_path):
    save(tmp_path, 0)
    for noise in random_files(400):
        (tmp_path / "0001.ckpt").write_bytes(noise)
        with pytest.warns(UserWarning, match="0001.ckpt cannot be used"):
            assert newest_checkpoint(tmp_path, WEIGHTS, "run").name == "0000.ckpt"


@pytest.mark.parametrize(
    "other",
    [
        {},
        [],
        None,
        torch.ones(3),
        {"state_dict": {}},
        {"state_dict": None},
        {"state_dict": {"weight": 1.0}},
        {"state_dict": WEIGHTS},
        {**content(), "epoch": None},
        {**content(), "optimizer_states": {}},
        {key: value for key, value in content().items() if key != "loops"},
        {**content(), "state_dict": {**WEIGHTS, "weight": torch.ones(7)}},
        {**content(), "state_dict": {"weight": WEIGHTS["weight"]}},
        {**content(), "state_dict": {**WEIGHTS, "bias": torch.ones(1)}},
    ],
    ids=str,
)
def test_what_loads_but_is_something_else_is_passed_over(tmp_path, other):
    save(tmp_path, 0)
    torch.save(other, tmp_path / "0001.ckpt")
    with pytest.warns(UserWarning, match=r"0001.ckpt cannot be used \(it .+\); trying the one before it"):
        assert newest_checkpoint(tmp_path, WEIGHTS, "run").name == "0000.ckpt"


class Malicious:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_checkpoint_is_refused_not_run(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    save(folder, 0)
    bait = Malicious(str(tmp_path / "trap"))
    torch.save({"state_dict": bait}, folder / "0001.ckpt")
    (folder / "0002.ckpt").write_bytes(pickle.dumps(bait))
    with pytest.warns(UserWarning, match="cannot be used"):
        assert newest_checkpoint(folder).name == "0000.ckpt"
    assert not (tmp_path / "trap").exists()


def test_a_disk_that_fills_up_leaves_the_checkpoint_as_it_was(tmp_path, monkeypatch):
    save(tmp_path, 0)
    before = (tmp_path / "0000.ckpt").read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OSError, match=r"^checkpoint .*0000.ckpt cannot be written: No space left on device$"):
        CheckpointFiles("run").save_checkpoint(content(5), tmp_path / "0000.ckpt")
    assert (tmp_path / "0000.ckpt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["0000.ckpt"]


def test_a_finished_run_has_the_weights_of_its_end_or_none(tmp_path):
    folder = RunFolder(tmp_path)
    folder.checkpoints.mkdir()
    save(folder.checkpoints, 0)
    assert final_weights(folder) is None
    folder.record.write_text(json.dumps({"epochs": 2, "results": {"mse": {"whole": 1.0}}}))
    with pytest.raises(ValueError, match=r"0000.ckpt cannot be used \(it is not of the last epoch, 1\); remove"):
        final_weights(folder)
    save(folder.checkpoints, 1)
    assert torch.equal(final_weights(folder)["weight"], WEIGHTS["weight"])
    # Weights of an epoch before are no substitute.
    (folder.checkpoints / "0001.ckpt").write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"0001.ckpt cannot be used \(.+\); remove .*record.json, and train.py goes on"
    ):
        final_weights(folder)
