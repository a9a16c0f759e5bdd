"""Error maps of trained networks: `python -m experiments.error_maps`, see configs/error_maps.yaml.

Neighbouring patches of the test region are restored one by one, as in the paper's figure 3, and put together. The
paper's second derivative of the error is kept beside what shows the seams better: the size of the error around each
pixel, and the mean square error at each pixel of a patch, over many patches.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from diff_conv2d.modes import MODES
from experiments.checks import (
    LARGEST_SEED,
    Reader,
    choice,
    file_name,
    folder,
    integer,
    mapping,
    names,
    optional,
    text,
    writable,
)
from experiments.data.deblurring import BlurredPatches, InMemoryFields
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.error_maps.pictures import local_error, mean_square_by_pixel, spread
from experiments.error_maps.second_derivative import RADIUS, second_derivative
from experiments.hydra_program import hydra_program
from experiments.manifest import chosen_parts, settings_of, write_manifest
from experiments.metrics.regions import FRAME
from experiments.models.halo import crop
from experiments.paths import REPOSITORY
from experiments.records import write_arrays
from experiments.tiling import edge_distance, stitched
from experiments.training.checkpoints import final_weights
from experiments.training.finished_runs import HALO, Run, flatten, read_runs
from experiments.training.train import build_task

__all__ = ["chosen_block", "chosen_runs", "error_maps", "main", "near_seams", "read_settings", "restored"]

# Rows and columns of the map in the figure, at most.
MAP_SIZE = 400
# Steps of an error from none to the most that is shown: what this share of zero padding's errors is below.
LEVELS, SHOWN = 127, 0.999
# Patches at a time.
BATCH = 16
# Blocks that are looked at, at most: on a map of the whole Earth there are thousands, and each has to be read.
CANDIDATES = 128


def read_settings(config: DictConfig) -> Path:
    """Check a configuration.

    Args:
        config: as in configs/error_maps.yaml.

    Returns:
        The folder of results.

    Raises:
        ValueError: values cannot be used.
    """
    read = Reader(config)
    scales = read("at_scale", mapping)
    read("scale", choice, scales or {})
    for key, check, *allowed in (
        ("experiment_name", text),
        ("block", integer, 1, 64),
        ("corner", optional, _corner),
        ("name", file_name),
    ):
        # Without a scale the others are told of a missing reference.
        read(key, check, *allowed) if scales and config.scale in scales else read.known.add(key)
    read("seed", integer, 0, LARGEST_SEED)
    read("where", optional, mapping)
    read("methods", optional, names, (*MODES, HALO, *(f"{mode}+{HALO}" for mode in MODES)))
    read("patches", integer, 1)
    read("runs_dir", text)
    output_dir = read("output_dir", folder)
    read.end()
    return output_dir


def _corner(key: str, value: object) -> list[int | str]:
    fits = isinstance(value, list) and len(value) == 3 and isinstance(value[0], int | str)
    if not fits or not all(isinstance(place, int) for place in value[1:]):  # type: ignore[index]
        raise ValueError(f"{key} must be a map, a row and a column, such as [0,100,200]; got {value!r}")
    return value  # type: ignore[return-value]


def chosen_runs(config: DictConfig) -> dict[str, Run]:
    """Find one finished run for each method.

    Raises:
        ValueError: there are none or several of a method.
    """
    where = flatten(OmegaConf.to_container(config.where or OmegaConf.create(), resolve=True))
    found: dict[str, Run] = {}
    for run in read_runs(REPOSITORY.joinpath(config.runs_dir), [config.experiment_name]):
        fits = run.record and run.seed == config.seed
        if not fits or any(run.settings.get(key) != value for key, value in where.items()):
            continue
        if run.method in found:
            both = f"{found[run.method].folder.path} and {run.folder.path}"
            raise ValueError(
                f"several runs of {run.method} with seed {config.seed}: {both}; tell them apart by where"
            )
        found[run.method] = run
    methods = list(found) if config.methods is None else list(config.methods)
    missing = [method for method in dict.fromkeys(["zeros", *methods]) if method not in found]
    if missing:
        settings = f"seed={config.seed} " + " ".join(f"{k}={str(v).lower()}" for k, v in where.items())
        names = {HALO: "zeros data.halo=32"}
        raise ValueError(
            f"no finished run of {missing[0]} with seed {config.seed} for {config.experiment_name}; "
            f"`python train.py experiment={config.experiment_name} padding={names.get(missing[0], missing[0])} "
            f"{settings.strip()}` makes it"
        )
    return {method: found[method] for method in methods}


def chosen_block(patches: BlurredPatches, block: int, corner: Sequence[int | str] | None) -> np.ndarray:
    """Choose patches side by side.

    Args:
        patches: of the test.
        block: patches along each side.
        corner: map, row and column of the first, the map by its number or by the name of a tile of ETOPO; None takes
            the complete block whose flattest patch has the largest standard deviation, of 128 all over the test.

    Returns:
        Map, row and column of each patch, row by row, (block * block, 3).

    Raises:
        ValueError: the test has no such block, or the corner is none.
    """
    offsets = [(0, i * patches.size, j * patches.size) for i in range(block) for j in range(block)]
    if corner is not None:
        return _checked(patches, corner, block) + np.array(offsets)
    there = set(map(tuple, patches.corners.tolist()))
    blocks = [np.array(first) + np.array(offsets) for first in sorted(there)]
    whole = [corners for corners in blocks if there.issuperset(map(tuple, corners.tolist()))]
    if not whole:
        raise ValueError(f"the test has no {block} x {block} patches side by side; take a smaller block, or a corner")

    # Blocks overlap: each patch is read once.
    @cache
    def relief(corner: tuple[int, ...]) -> float:
        return patches.fields.window(*corner, patches.size, patches.size)[1].std().item()

    # A plain shows nothing.
    step = -(-len(whole) // CANDIDATES)
    return max(whole[::step], key=lambda corners: min(relief(tuple(corner)) for corner in corners.tolist()))


def _checked(patches: BlurredPatches, corner: Sequence[int | str], block: int) -> np.ndarray:
    """The corner of a block as three numbers, where there are pixels for all of the block."""
    if len(corner) != 3 or not all(isinstance(place, int) for place in corner[1:]):
        raise ValueError(f"corner must be a map, a row and a column, such as [0,100,200]; got {list(corner)}")
    tiles = [] if isinstance(patches.fields, InMemoryFields) else [Path(p).name for p in patches.fields.paths]
    number, top, left = corner
    if isinstance(number, str):
        named = [index for index, tile in enumerate(tiles) if f"_{number}_" in tile]
        if not named:
            there = f"of {len(tiles)} tiles, none is" if tiles else "they are not made of tiles, one of them"
            raise ValueError(
                f"corner names the tile {number}, which is not in the data of these runs ({there} {number}); give "
                "another corner, or corner=null"
            )
        number = named[0]
    first, last, maps = _extent(patches)
    side = block * patches.size
    fits = all(low <= place <= high - side for place, low, high in zip((top, left), first, last, strict=True))
    if not fits or not 0 <= number < maps:
        raise ValueError(
            f"corner must leave {side} x {side} pixels within the rows {first[0]} to {last[0]} and the columns "
            f"{first[1]} to {last[1]} of one of {maps} maps; got {list(corner)}"
        )
    return np.array([number, top, left])


def _extent(patches: BlurredPatches) -> tuple[tuple[int, int], tuple[int, int], int]:
    """First row and column, the row and column after the last, and the number of maps that patches may come from."""
    if isinstance(patches.fields, InMemoryFields):
        return (0, 0), tuple(patches.fields.clear.shape), 1  # type: ignore[return-value]
    # A tile in a file, less what is cut off its edge.
    from experiments.data.etopo import MARGIN, TILE_SIZE

    return (MARGIN, MARGIN), (TILE_SIZE - MARGIN, TILE_SIZE - MARGIN), len(patches.fields.paths)


def restored(run: Run, data: Splits, corners: np.ndarray) -> np.ndarray:
    """Restore patches by a run's network, in the unit of the fields.

    Args:
        run: finished.
        data: of its own settings, with its halo.
        corners: map, row and column of each patch, (N, 3).

    Returns:
        float64, (N, size, size).

    Raises:
        ValueError: the run has no checkpoint, or its last one is damaged.
    """
    weights = final_weights(run.folder)
    if weights is None:
        raise ValueError(f"{run.folder.path} has no checkpoint; remove its record.json and run it again")
    # Some modes need the data's size only; the weights come from the checkpoint.
    task = build_task(run.config, data)
    task.load_state_dict(weights)
    task.eval()
    # Random padding draws noise.
    torch.manual_seed(run.seed)
    test = data.test
    patches = BlurredPatches(test.fields, corners, test.size, test.halo, test.normalisation, False, test.least_scale)
    images = torch.stack([patches[index][0] for index in range(len(patches))])
    with torch.no_grad():
        outputs = torch.cat([task(batch) for batch in images.split(BATCH)])
    # Some networks cut the halo off themselves.
    outputs = crop(outputs, (outputs.shape[-1] - test.size) // 2)
    pictures = []
    for output, corner in zip(outputs[:, 0].double(), corners.tolist(), strict=True):
        centre, scale = patches.affine(*test.fields.window(*corner, test.size, test.size))
        pictures.append((output * scale + centre).numpy())
    return np.stack(pictures)


def error_maps(config: DictConfig) -> dict[str, np.ndarray]:
    """Make the arrays of the figure.

    Returns:
        `map` and where the block is in it, `box` (top, left, height, width as shares); `input`, `target` and
        `prediction` (zeros) of the block, float16; `error/METHOD`, the filtered error in steps of `level`, at most
        127 of them, int8; `rms/METHOD`, its root mean square where the filter sees two patches and elsewhere;
        `local/METHOD`, the size of the unfiltered error around each second pixel, float16; `local_rms/METHOD`, its
        root mean square within `frame` pixels of the patches' edges and elsewhere; `folded/METHOD`, the mean square
        error at each pixel of a patch over `patches` of the test, in the unit of its metric, float16;
        `folded_means/METHOD`, its means in the frame and elsewhere; `patch`, the size of a patch; `seed`.

    Raises:
        ValueError: runs are missing, or not those of a super-resolution.
        FileNotFoundError: data is missing.
    """
    runs = chosen_runs(config)
    arrays: dict[str, np.ndarray] = {}
    errors: dict[str, np.ndarray] = {}
    loaded: dict[str, Splits] = {}
    corners = None
    for method, run in runs.items():
        # Runs share their data, but for the halo.
        key = OmegaConf.to_yaml(run.config.data)
        if key not in loaded:
            loaded[key] = load_data(run.config.data)
        data, test = loaded[key], loaded[key].test
        if not isinstance(test, BlurredPatches):
            raise ValueError(f"experiment_name must be a super-resolution; {config.experiment_name} is {data.task}")
        if corners is None:
            corners = chosen_block(test, config.block, config.corner)
            many = spread(test.corners, config.patches)
            # Small patches would be all frame.
            width = min(FRAME, test.size // 4)
            arrays |= {"patches": np.array(len(many)), "frame": np.array(width)}
            first, side = corners[0].tolist(), config.block * test.size
            blurred, clear = (window.double().numpy() for window in test.fields.window(*first, side, side))
            arrays |= {"input": blurred, "target": clear, "patch": np.array(test.size), "seed": np.array(config.seed)}
            arrays |= _map(test, first, side)
        patches = torch.from_numpy(restored(run, data, corners))
        together = stitched(patches.view(config.block, config.block, test.size, test.size)).numpy()
        if method == "zeros":
            arrays["prediction"] = together
        errors[method] = second_derivative(together - clear)
        arrays[f"local/{method}"] = local_error(together - clear)
        in_frame = (edge_distance(test.size, test.size) < width).numpy()
        arrays[f"local_rms/{method}"] = _rms(together - clear, np.tile(in_frame, (config.block, config.block)))
        folded = mean_square_by_pixel(restored(run, data, many), test, many)
        arrays[f"folded/{method}"] = folded
        arrays[f"folded_means/{method}"] = np.array([folded[in_frame].mean(), folded[~in_frame].mean()])
    # Half precision, or 127 levels of an error, are finer than any screen or print shows.
    arrays = {key: a.astype(np.float16) if a.ndim == 2 else a for key, a in arrays.items()}
    level = np.quantile(np.abs(errors["zeros"]), SHOWN) / LEVELS
    at_seams = near_seams(config.block, int(arrays["patch"]))
    for method, error in errors.items():
        arrays[f"error/{method}"] = np.rint(error / level).clip(-LEVELS, LEVELS).astype(np.int8)
        arrays[f"rms/{method}"] = _rms(error, at_seams)
    return arrays | {"level": np.array(level)}


def near_seams(block: int, size: int) -> np.ndarray:
    """Where the filter sees more than one patch, of the filtered picture.

    Args:
        block: patches along each side.
        size: pixels of a patch along each side.

    Returns:
        bool, (block * size - 4, block * size - 4).

    Example:
        >>> near_seams(2, 5)[0].astype(int).tolist()
        [0, 1, 1, 1, 1, 0]
    """
    # Pixel i is filtered from i to i + 2 RADIUS of the whole picture.
    first = np.arange(block * size - 2 * RADIUS)
    crosses = first // size != (first + 2 * RADIUS) // size
    return crosses[:, None] | crosses[None]


def _rms(error: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Root mean square of an error where a mask is true, and elsewhere."""
    return np.array([np.sqrt(np.mean(error[mask] ** 2)) for mask in (where, ~where)])


def _map(test: BlurredPatches, first: list[int], side: int) -> dict[str, np.ndarray]:
    """The map around the block, coarser, and where the block is in it."""
    number, top, left = first
    origin, end, _ = _extent(test)
    height, width = end[0] - origin[0], end[1] - origin[1]
    whole = test.fields.window(number, *origin, height, width)[1]
    step = -(-max(height, width) // MAP_SIZE)
    box = (top - origin[0]) / height, (left - origin[1]) / width, side / height, side / width
    return {"map": whole[::step, ::step].double().numpy(), "box": np.array(box)}


@hydra_program("error_maps")
def main(config: DictConfig) -> None:
    """Write the arrays."""
    path = read_settings(config) / "tables" / f"{config.name}.npz"
    writable("output_dir", path.parent)
    write_arrays(path, error_maps(config))
    # Networks of ETOPO are trained on data of their own.
    data = "etopo" if config.scale == "paper" else "globe"
    modules = ["experiments.error_maps.program", f"experiments.data.{data}"]
    parts = chosen_parts()
    write_manifest(config.name, [path], modules, settings_of(config), program="error_maps", overrides=parts)
    print(path)
