"""Networks that come with the repository: results/networks has a file of weights for each, and an index of them all.

The index names each network as the folder of its run is named, and keeps its settings, its results, and the SHA-256
of its file. Nobody needs to train a network to look at it: `experiments.trained_networks` reads it from here where
the run itself is not there. `python -m scripts.archive` packs finished runs and verifies the files.
"""

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from experiments.paths import REPOSITORY
from experiments.records import replacing
from experiments.training.finished_runs import flat_settings
from experiments.training.run_folder import run_name

__all__ = ["ARCHIVE", "INDEX", "Entry", "archived_weights", "entry_of", "faults", "read_index", "write_networks"]

ARCHIVE, INDEX = REPOSITORY / "results" / "networks", "index.json"
# What the index says of a network: sha256, bytes, seed, method, settings, results, made_from.
Entry = dict[str, Any]
# Of each entry, what reading relies on.
KINDS = {"sha256": str, "bytes": int, "seed": int, "settings": dict}
MENDED = "`git checkout` brings it back, and `python -m scripts.archive pack` packs it again from its run"


def read_index(folder: Path | None = None) -> dict[str, Entry]:
    """The networks of an archive by the names of their runs; none where there is no archive.

    Args:
        folder: the archive; None takes that of the repository.

    Raises:
        ValueError: the index is damaged.
    """
    path = (folder or ARCHIVE) / INDEX
    if not path.is_file():
        return {}
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); {MENDED}") from error
    entries = list(index.values()) if isinstance(index, dict) else [None]
    if not all(isinstance(e, dict) and all(isinstance(e.get(k), kind) for k, kind in KINDS.items()) for e in entries):
        raise ValueError(f"{path} is damaged (an entry lacks {', '.join(KINDS)}); {MENDED}")
    return index


def archived_weights(config: DictConfig, folder: Path | None = None) -> dict[str, Tensor] | None:
    """The weights of the network that a run with these settings ends with; None if the archive does not have it.

    Args:
        config: settings of the run, as composed.
        folder: the archive; None takes that of the repository.

    Raises:
        ValueError: the index or the file is damaged, or the network was trained with other settings.
    """
    folder = folder or ARCHIVE
    name = run_name(config).as_posix()
    entry = read_index(folder).get(name)
    if entry is None:
        return None
    # The name holds eight digits of a hash of the settings; the settings themselves leave no doubt.
    kept, asked = {**entry["settings"], "seed": entry["seed"]}, {**_settings(config), "seed": int(config.seed)}
    if different := sorted(key for key in {*kept, *asked} if kept.get(key) != asked.get(key)):
        raise ValueError(f"{folder / INDEX}: {name} was trained with other settings: {', '.join(different)}")
    return _weights(_file(folder, name), entry)


def write_networks(networks: Mapping[str, tuple[dict[str, Tensor], Entry]], folder: Path, most: int) -> list[Path]:
    """Add networks to an archive, or replace them; the others stay.

    Args:
        networks: weights and entry (see `entry_of`) of each network, by the name of its run.
        folder: the archive; it is made if needed.
        most: bytes of all its files of weights together.

    Returns:
        The files written, the index last.

    Raises:
        ValueError: the archive would be larger; nothing is written.
    """
    contents = {name: _packed(weights) for name, (weights, _) in networks.items()}
    index = read_index(folder)
    for name, content in contents.items():
        own = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        index[name] = {**networks[name][1], **own}
    total = sum(entry["bytes"] for entry in index.values())
    if total > most:
        raise ValueError(
            f"{len(index)} networks would take {total / 1e6:.1f} MB, more than the {most / 1e6:g} MB that {folder} "
            "may have; nothing was written: pack fewer"
        )
    paths = []
    for name, content in contents.items():
        with replacing(_file(folder, name)) as partial:
            partial.write_bytes(content)
        paths.append(_file(folder, name))
    # The index comes last: what it names is there.
    with replacing(folder / INDEX) as partial:
        partial.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return [*paths, folder / INDEX]


def entry_of(config: DictConfig, record: Mapping[str, Any]) -> Entry:
    """What the index says of a network, but for its file.

    Args:
        config: settings of the run, as composed.
        record: of the run.
    """
    made = record.get("made_from", {})
    return {
        "seed": int(config.seed),
        "method": record.get("method"),
        "settings": _settings(config),
        "results": {metric: regions.get("whole") for metric, regions in record["results"].items()},
        "made_from": {key: made[key] for key in ("torch", "machine", "date") if key in made},
    }


def faults(folder: Path | None = None) -> list[str]:
    """What is wrong with the files of an archive, a sentence each; none if all are as they were written.

    Args:
        folder: the archive; None takes that of the repository.

    Raises:
        ValueError: the index is damaged.
    """
    folder = folder or ARCHIVE
    index, wrong = read_index(folder), list[str]()
    for name, entry in index.items():
        try:
            _weights(_file(folder, name), entry)
        except ValueError as error:
            wrong.append(str(error))
    named = {_file(folder, name) for name in index}
    return wrong + [f"{path} is not in the index" for path in sorted(folder.rglob("*.pt")) if path not in named]


def _settings(config: DictConfig) -> dict[str, Any]:
    """The settings that decide a result, as JSON gives them back."""
    settings: dict[str, Any] = json.loads(json.dumps(flat_settings(config)))
    return settings


def _file(folder: Path, name: str) -> Path:
    # A name may have dots, which are no suffix.
    return folder / f"{name}.pt"


def _packed(weights: Mapping[str, Tensor]) -> bytes:
    """The bytes of a file: tensors by name and nothing else, each without the storage that it may be a view of."""
    content = io.BytesIO()
    torch.save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}, content)
    return content.getvalue()


def _weights(path: Path, entry: Entry) -> dict[str, Tensor]:
    """Read a file of weights, if it is as it was written. Only tensors are read, so that no code in it can run."""
    if not path.is_file():
        raise ValueError(f"{path} is in the index, but not there; {MENDED}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ValueError(f"{path} is damaged: its SHA-256 is not that of the index; {MENDED}")
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds more than tensors; it was not read") from error
    if not isinstance(weights, dict) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise ValueError(f"{path} holds no weights")
    return weights
