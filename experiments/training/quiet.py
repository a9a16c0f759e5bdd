"""Lightning without what a user cannot act on."""

import logging
import warnings

__all__ = ["hush_lightning"]


def hush_lightning() -> None:
    """Keep Lightning to what a user can act on."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*GPU available but not used.*",
        ".*number of training batches.*smaller than the logging interval.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*LeafSpec.*",
        ".*treespec.*",
    ):
        warnings.filterwarnings("ignore", message=message)
