"""Error maps of trained networks: `python -m experiments.error_maps`, see configs/error_maps.yaml.

Neighbouring patches of the test region are restored one by one, as in the paper's figure 3, and put together. The
paper's second derivative of the error is kept beside what shows the seams better: the size of the error around each
pixel, and the mean square error at each pixel of a patch, over many patches.
"""

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from experiments.checks import writable
from experiments.data.deblurring import BlurredPatches
from experiments.data.load import load_data
from experiments.data.splits import Splits
from experiments.error_maps.blocks import chosen_block, extent
from experiments.error_maps.pictures import local_error, mean_square_by_pixel, spread
from experiments.error_maps.restoration import chosen_runs, restored
from experiments.error_maps.second_derivative import RADIUS, second_derivative
from experiments.error_maps.settings import Settings
from experiments.hydra_program import hydra_program
from experiments.manifest import chosen_parts, settings_of, write_manifest
from experiments.metrics.regions import FRAME
from experiments.records import write_arrays
from experiments.settings import read_settings
from experiments.tiling import edge_distance, stitched

__all__ = ["error_maps", "main", "near_seams"]

# Rows and columns of the map in the figure, at most.
MAP_SIZE = 400
# Steps from 0 to the largest error that is shown, which is this quantile of zero padding's absolute errors.
LEVELS, SHOWN = 127, 0.999


def error_maps(settings: Settings) -> dict[str, np.ndarray]:
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
    runs = chosen_runs(settings)
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
            raise ValueError(f"experiment_name must be a super-resolution; {settings.experiment_name} is {data.task}")
        if corners is None:
            corners = chosen_block(test, settings.block, settings.corner)
            many = spread(test.corners, settings.patches)
            # Small patches would be all frame.
            width = min(FRAME, test.size // 4)
            arrays |= {"patches": np.array(len(many)), "frame": np.array(width)}
            first, side = corners[0].tolist(), settings.block * test.size
            blurred, clear = (window.double().numpy() for window in test.fields.window(*first, side, side))
            arrays |= {
                "input": blurred,
                "target": clear,
                "patch": np.array(test.size),
                "seed": np.array(settings.seed),
            }
            arrays |= _map(test, first, side)
        patches = torch.from_numpy(restored(run, data, corners))
        together = stitched(patches.view(settings.block, settings.block, test.size, test.size)).numpy()
        if method == "zeros":
            arrays["prediction"] = together
        errors[method] = second_derivative(together - clear)
        arrays[f"local/{method}"] = local_error(together - clear)
        in_frame = (edge_distance(test.size, test.size) < width).numpy()
        arrays[f"local_rms/{method}"] = _rms(together - clear, np.tile(in_frame, (settings.block, settings.block)))
        folded = mean_square_by_pixel(restored(run, data, many), test, many)
        arrays[f"folded/{method}"] = folded
        arrays[f"folded_means/{method}"] = np.array([folded[in_frame].mean(), folded[~in_frame].mean()])
    # Half precision, or 127 levels of an error, are finer than any screen or print shows.
    arrays = {key: a.astype(np.float16) if a.ndim == 2 else a for key, a in arrays.items()}
    level = np.quantile(np.abs(errors["zeros"]), SHOWN) / LEVELS
    at_seams = near_seams(settings.block, int(arrays["patch"]))
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
    origin, end, _ = extent(test)
    height, width = end[0] - origin[0], end[1] - origin[1]
    whole = test.fields.window(number, *origin, height, width)[1]
    step = -(-max(height, width) // MAP_SIZE)
    box = (top - origin[0]) / height, (left - origin[1]) / width, side / height, side / width
    return {"map": whole[::step, ::step].double().numpy(), "box": np.array(box)}


@hydra_program("error_maps")
def main(config: DictConfig) -> None:
    """Write the arrays."""
    settings = read_settings(Settings, config)
    path = settings.output_dir / "tables" / f"{settings.name}.npz"
    writable("output_dir", path.parent)
    write_arrays(path, error_maps(settings))
    # Networks of ETOPO are trained on data of their own.
    data = "etopo" if settings.scale == "paper" else "globe"
    modules = ["experiments.error_maps.program", f"experiments.data.{data}"]
    parts = chosen_parts()
    write_manifest(settings.name, [path], modules, settings_of(config), program="error_maps", overrides=parts)
    print(path)
