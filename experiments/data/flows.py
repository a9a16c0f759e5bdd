"""Flows on a periodic domain, frame by frame: Navier-Stokes by the project's solver, advection-diffusion exactly."""

import hashlib
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
from torch import Tensor

from experiments.data.blurred_noise import blurred_noise
from experiments.data.navier_stokes import advance, random_vorticity, refine
from experiments.records import replacing

__all__ = ["EQUATIONS", "FLOWS", "FRAMES", "SIZE", "flow_seeds", "load_flows"]

# Samples of the domain along each axis.
SIZE = 128
# How many flows each part has, each from an initial condition of its own, and how many frames of each flow are kept.
FLOWS = {"train": 16, "validation": 4, "test": 24}
FRAMES = {"train": 14, "validation": 14, "test": 24}
# The first seed of each part, far from those of the others.
FIRST_SEED = {"train": 0, "validation": 1000, "test": 2000}

# Of Navier-Stokes: energy at the start, near the one at which the flow settles; time on 64 x 64 samples and then on
# SIZE x SIZE before the first frame; and between two frames, in which the fluid moves by two samples.
NAVIER_STOKES = {"energy": 6.5, "coarse": 64, "coarse_time": 10.0, "fine_time": 3.0, "frame_time": 0.025}
# Of advection-diffusion, in samples: the blur of the noise that a flow starts from, the least and the greatest
# distance that it moves between two frames, and its diffusion, in squared samples between two frames.
ADVECTION = {"blur": 2.0, "slowest": 1.0, "fastest": 3.0, "diffusion": 0.02}


def flow_seeds(part: str) -> range:
    """The seeds of the flows of a part, which no other part has.

    Args:
        part: ``"train"``, ``"validation"`` or ``"test"``.

    Example:
        >>> flow_seeds("validation")
        range(1000, 1004)
    """
    return range(FIRST_SEED[part], FIRST_SEED[part] + FLOWS[part])


def load_flows(equation: str, root: str | Path) -> dict[str, Tensor]:
    """Load the flows of an equation.

    Those of Navier-Stokes are computed at the first call, which takes about two minutes on one core, and kept in
    ``root``. Up to the last frame rounding grows by less than a single-precision digit, so that other machines get
    the same flows to that precision.

    Args:
        equation: One of ``EQUATIONS``.
        root: Folder to keep flows in; it is made if needed.

    Returns:
        For ``train``, ``validation`` and ``test`` the flows, float32, (flows, frames, SIZE, SIZE); y varies along the
        third axis.

    Raises:
        ValueError: There is no such equation, or the file that was kept is damaged.
        OSError: ``root`` cannot be written to.

    Example:
        >>> load_flows("advection_diffusion", "unused")["validation"].shape
        torch.Size([4, 14, 128, 128])
    """
    if equation not in EQUATIONS:
        raise ValueError(f"equation must be one of {', '.join(EQUATIONS)}, got {equation!r}")
    make, constants, kept = EQUATIONS[equation]
    if not kept:
        return _made(make)
    recipe = json.dumps({"size": SIZE, "flows": FLOWS, "frames": FRAMES, "seeds": FIRST_SEED, **constants})
    path = Path(root) / f"{equation}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of several runs that begin together, one makes the flows.
        with filelock.FileLock(path.with_suffix(".lock")):
            if not path.is_file():
                arrays = {part: flows.numpy() for part, flows in _made(make).items()}
                with replacing(path) as partial, partial.open("wb") as stream:
                    np.savez(stream, **arrays)
    return _read(path)


def _made(make: Callable[[int, int], Tensor]) -> dict[str, Tensor]:
    """Make the flows of every part."""
    return {part: torch.stack([make(seed, FRAMES[part]) for seed in flow_seeds(part)]).float() for part in FLOWS}


def _read(path: Path) -> dict[str, Tensor]:
    """Read flows; reading compares each array with its checksum, which the archive holds."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {part: torch.from_numpy(arrays[part]) for part in FLOWS}
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged: {error}; remove it, and it is made again") from error
    return found


def _navier_stokes(seed: int, frames: int) -> Tensor:
    """Vorticity of a forced flow at a Reynolds number of 500, float64, (frames, SIZE, SIZE)."""
    start = random_vorticity(int(NAVIER_STOKES["coarse"]), seed, NAVIER_STOKES["energy"])
    flow = refine(advance(start, NAVIER_STOKES["coarse_time"]), SIZE)
    found = [advance(flow, NAVIER_STOKES["fine_time"])]
    for _ in range(frames - 1):
        found.append(advance(found[-1], NAVIER_STOKES["frame_time"]))
    return torch.stack(found)


def _advection_diffusion(seed: int, frames: int) -> Tensor:
    r"""A field that moves at a constant velocity and spreads, float64, (frames, SIZE, SIZE).

    .. math:: \hat u_t(k) = \hat u_0(k) \, e^{-(i k \cdot v + D |k|^2) t}

    with t in frames; the direction of v is any, its length between the slowest and the fastest.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64)
    turn, share = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    speed = ADVECTION["slowest"] + share * (ADVECTION["fastest"] - ADVECTION["slowest"])
    start = blurred_noise(noise, ADVECTION["blur"])
    start = (start - start.mean()) / start.std()
    h = 2 * math.pi * torch.fft.fftfreq(SIZE, dtype=torch.float64)[:, None]
    w = 2 * math.pi * torch.fft.rfftfreq(SIZE, dtype=torch.float64)[None]
    moved = speed * (math.sin(2 * math.pi * turn) * h + math.cos(2 * math.pi * turn) * w)
    time = torch.arange(frames, dtype=torch.float64)[:, None, None]
    factor = torch.exp(-(1j * moved + ADVECTION["diffusion"] * (h**2 + w**2)) * time)
    return torch.fft.irfft2(torch.fft.rfft2(start) * factor, s=(SIZE, SIZE))


#: For each equation how a flow is made of a seed and a number of frames, by which constants, and whether it is kept.
EQUATIONS: dict[str, tuple[Callable[[int, int], Tensor], dict[str, Any], bool]] = {
    "navier_stokes": (_navier_stokes, NAVIER_STOKES, True),
    "advection_diffusion": (_advection_diffusion, ADVECTION, False),
}
