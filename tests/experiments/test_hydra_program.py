import os
import sys

import pytest

from experiments.hydra_program import FULL_ERROR, hydra_program


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("kernel_size=3", "shells: could not override 'kernel_size': there is no such option; --help lists all"),
        ("+data=globes", "shells: there is no data/globes; there are "),
        ("kernel_sizes=[3", "shells: "),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_leaves_no_trace(monkeypatch, override, sentence):
    monkeypatch.delenv(FULL_ERROR, raising=False)
    monkeypatch.setattr(sys, "argv", ["shells", override])
    with pytest.raises(SystemExit) as stopped:
        hydra_program("shells")(lambda config: None)()
    assert str(stopped.value).startswith(sentence)
    assert len(str(stopped.value).splitlines()) == 1
    assert FULL_ERROR not in os.environ


def test_who_asks_for_the_whole_trace_gets_it(monkeypatch):
    monkeypatch.setenv(FULL_ERROR, "1")
    monkeypatch.setattr(sys, "argv", ["shells", "kernel_size=3"])
    with pytest.raises(Exception, match="Could not override"):
        hydra_program("shells")(lambda config: None)()
