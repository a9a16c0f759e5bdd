"""Networks that come with the repository: `python -m scripts.archive pack super_resolution --seeds 0`, or `verify`.

`pack` adds the networks of finished runs of a sweep to results/networks, each in a file of weights alone, and names
them in its index with their settings, results and SHA-256. `verify` reads every file and tells what is damaged.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from torch import Tensor

from experiments.checks import writable
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.network_archive import ARCHIVE, Entry, entry_of, faults, read_index, write_networks
from experiments.sentences import in_one_sentence
from experiments.training.cell import cell_folder
from experiments.training.cells import Cell, composed, sweep_cells
from experiments.training.checkpoints import final_weights
from experiments.training.run_folder import run_name
from experiments.training.train import build_task
from scripts.manifests import sweep_config
from scripts.sweeps import SWEEPS

__all__ = ["MEGABYTES", "main", "packed"]

# Of all files of weights together, which every clone of the repository carries.
MEGABYTES = 30.0


def packed(cells: list[Cell]) -> dict[str, tuple[dict[str, Tensor], Entry]]:
    """The weights and the entry in the index of each network of some runs, by the name of the run.

    Raises:
        FileNotFoundError: a run is not done, or keeps no checkpoint.
        ValueError: a checkpoint is damaged, or no longer fits the network that its settings make.
    """
    found, loaded = {}, dict[str, Splits]()
    for cell in cells:
        config = composed(cell)
        folder = cell_folder(config)
        weights, record = final_weights(folder), folder.finished()
        if weights is None or record is None:
            raise FileNotFoundError(f"no finished run of {cell.name} with a checkpoint in {folder.path}")
        key = OmegaConf.to_yaml(config.data)
        if key not in loaded:
            loaded[key] = load_data(config.data)
        try:
            build_task(config, loaded[key]).load_state_dict(weights)
        except RuntimeError as error:
            why = str(error).splitlines()[-1].strip()[:160]
            raise ValueError(
                f"the checkpoint of {cell.name} in {folder.path} fits its network no more: {why}"
            ) from error
        found[run_name(config).as_posix()] = weights, entry_of(config, record)
    return found


def _pack(arguments: argparse.Namespace) -> None:
    chosen: dict[str, Any] = {"only": arguments.methods and arguments.methods.split(",")}
    if arguments.runs:
        chosen["runs_dir"] = str(arguments.runs.resolve())
    cells = sweep_cells(sweep_config(arguments.sweep, [int(s) for s in arguments.seeds.split(",")], **chosen))
    if arguments.variants:
        wanted = arguments.variants.split(",")
        known = list(dict.fromkeys(cell.variant for cell in cells))
        if unknown := [name for name in wanted if name not in known]:
            raise ValueError(f"--variants must be of {', '.join(known)}; got {unknown[0]!r}")
        cells = [cell for cell in cells if cell.variant in wanted]
    writable("--archive", arguments.archive)
    for path in write_networks(packed(cells), arguments.archive, round(arguments.megabytes * 1e6)):
        print(path)
    _say(arguments.archive)


def _say(folder: Path) -> None:
    index = read_index(folder)
    print(f"{len(index)} networks, {sum(entry['bytes'] for entry in index.values()) / 1e6:.1f} MB")


def _verify(arguments: argparse.Namespace) -> None:
    wrong = faults(arguments.archive)
    for why in wrong:
        print(why)
    if wrong:
        sys.exit(f"scripts.archive: {len(wrong)} faults in {arguments.archive}")
    _say(arguments.archive)


@in_one_sentence("scripts.archive")
def main() -> None:
    """Pack or verify."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    pack = commands.add_parser("pack", help="add the networks of finished runs", allow_abbrev=False)
    pack.add_argument("sweep", choices=SWEEPS, metavar="SWEEP", help=f"of {', '.join(SWEEPS)}")
    pack.add_argument("--seeds", default="0", help="as in 0,1,2 (default: %(default)s)")
    pack.add_argument("--methods", help="as in zeros,diff (default: all of the sweep)")
    pack.add_argument("--variants", help="of the sweep's network (default: all)")
    pack.add_argument("--runs", type=Path, help="folder of runs (default: as in configs/reproduce.yaml)")
    pack.add_argument("--megabytes", type=float, default=MEGABYTES, help="the archive's limit (default: %(default)g)")
    pack.set_defaults(run=_pack)
    verify = commands.add_parser("verify", help="read every file, tell what is damaged", allow_abbrev=False)
    verify.set_defaults(run=_verify)
    for command in (pack, verify):
        command.add_argument("--archive", type=Path, default=ARCHIVE, help="folder (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
