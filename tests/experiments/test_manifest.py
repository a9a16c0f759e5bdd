"""The settings that a manifest keeps."""

import pytest
from omegaconf import OmegaConf

from experiments.manifest import settings_of

SWEEPS = {"first": {"embedded": {"config": "a"}}, "second": {"embedded": {"config": "b"}}}


@pytest.mark.parametrize(
    ("sweep", "kept"), [("first", ["first"]), (["second"], ["second"]), ("all", ["first", "second"])]
)
def test_of_the_sweeps_those_that_it_is_about(sweep, kept):
    config = OmegaConf.create({"sweep": sweep, "sweeps": SWEEPS, "jobs": 2, "seeds": [0]})
    assert settings_of(config) == {"sweep": sweep, "sweeps": {name: SWEEPS[name] for name in kept}, "seeds": [0]}


def test_a_configuration_without_sweeps_is_kept_whole():
    config = OmegaConf.create({"threshold": "${other}", "other": 1.5, "output_dir": "/tmp"})
    assert settings_of(config) == {"threshold": "${other}", "other": 1.5}
