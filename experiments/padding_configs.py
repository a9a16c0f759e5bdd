"""The group `padding` of the configuration: every boundary mode is a choice, `padding=NAME`.

configs/padding has a file for each mode whose options are of interest. The other modes are stored here.
"""

from hydra.core.config_store import ConfigStore

from diff_conv2d import MODES
from experiments.paths import CONFIGS

__all__ = ["store_modes"]


def store_modes() -> None:
    """Make a configuration of every mode that has no file."""
    for mode in MODES:
        if not (CONFIGS / "padding" / f"{mode}.yaml").is_file():
            ConfigStore.instance().store(mode, {"mode": mode}, group="padding")
