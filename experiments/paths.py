"""Where the repository is, for configurations that must not depend on the folder they are used from."""

from pathlib import Path

from omegaconf import OmegaConf

__all__ = ["CONFIGS", "REPOSITORY"]

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs"

# In a configuration, ${repository:results} is the repository's folder results. Hydra keeps the text as it is
# written, so that no machine's path ends up in a run's record.
OmegaConf.register_new_resolver("repository", lambda folder: str(REPOSITORY / folder), replace=True)
