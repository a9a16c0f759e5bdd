import os
import pickle

import pytest
import torch

from experiments.training.checkpoints import newest_checkpoint


def save(folder, epoch):
    torch.save({"epoch": epoch, "state_dict": {"weight": torch.ones(1000)}}, folder / f"{epoch:04d}.ckpt")


def test_no_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "missing") is None


def test_the_newest_is_taken(tmp_path):
    for epoch in (8, 9, 10):
        save(tmp_path, epoch)
    assert newest_checkpoint(tmp_path).name == "0010.ckpt"


@pytest.mark.parametrize("damage", ["empty", "half", "garbage"])
def test_a_damaged_one_is_named_and_the_one_before_it_taken(tmp_path, damage):
    save(tmp_path, 0)
    save(tmp_path, 1)
    newest = tmp_path / "0001.ckpt"
    whole = newest.read_bytes()
    newest.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "garbage": b"not a checkpoint"}[damage])
    with pytest.warns(UserWarning, match=r"checkpoint .*0001.ckpt cannot be used \(.+\); trying the one before it"):
        assert newest_checkpoint(tmp_path).name == "0000.ckpt"


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
