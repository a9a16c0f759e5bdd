"""What is said of networks that have not been trained."""

import re

import pytest
import yaml

from experiments.paths import CONFIGS, REPOSITORY
from experiments.trained_networks import missing_network
from experiments.training.cells import sweep_cells
from scripts.manifests import sweep_config


@pytest.mark.parametrize("sweep", yaml.safe_load((CONFIGS / "reproduce.yaml").read_text())["sweeps"])
def test_what_trains_a_network_is_a_target_of_the_makefile(sweep):
    cell = sweep_cells(sweep_config(sweep, [0]))[0]
    told = re.search("`make (.*) METHODS=(.*) SEEDS=0` trains it", str(missing_network(cell)))
    assert told[2] == cell.method
    rule = re.search(rf"^{told[1]}:.*\n(?:\t.*\n)+", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert rule, told[1]
    named = set(re.findall(r"\$\(FRONTIER\)|(?:sweep=|,)\w+", rule[0]))
    assert named & {"$(FRONTIER)", f"sweep={sweep}", f",{sweep}"}
