"""`diff-conv2d info`: what is installed, on what it runs, and which fast ways are on."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import metadata, util

import torch

import diff_conv2d
from diff_conv2d.algorithms import blocks, segments
from diff_conv2d.command import Parser
from diff_conv2d.command.printing import text_table

__all__ = ["parser", "run"]

#: What is used where it is installed, and for what.
_OPTIONAL = {
    "numpy": "images, ndimage",
    "pillow": "pictures",
    "imageio": "pictures that Pillow cannot read",
    "rich": "tables",
    "dask": "images larger than memory",
    "xarray": "DataArrays",
    "triton": "fused kernels",
}


def parser(name: str) -> argparse.ArgumentParser:
    """Return what parses the subcommand's arguments: it has none."""
    return Parser(prog=name, description="Versions, devices, threads, and which fast ways are on.")


def run(options: argparse.Namespace) -> None:
    """Print it all."""
    for title, rows in (("versions", _versions()), ("devices", _devices()), ("fast ways", _fast_ways())):
        print(f"{title}\n" + "".join(f"  {line}\n" for line in text_table(*_as_table(rows)).splitlines()))


def _as_table(rows: list[tuple[str, str]]) -> tuple[list[str], list[list[str]]]:
    width = max(len(what) for _, what in rows)
    first, *others = ([name, what.ljust(width)] for name, what in rows)
    return first, others


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _versions() -> list[tuple[str, str]]:
    rows = [
        ("diff-conv2d", diff_conv2d.__version__),
        ("python", platform.python_version()),
        ("torch", torch.__version__),
    ]
    return rows + [(name, _version(name) or f"not installed; for {use}") for name, use in _OPTIONAL.items()]


def _devices() -> list[tuple[str, str]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rows = [
        ("cpu", f"{platform.processor() or platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"),
        ("threads", f"{torch.get_num_threads()} of {cores} cores ({_of_variable('OMP_NUM_THREADS')})"),
    ]
    for number in range(torch.cuda.device_count()):
        rows.append((f"cuda:{number}", torch.cuda.get_device_name(number)))
    if torch.backends.mps.is_available():
        rows.append(("mps", "Apple's GPU"))
    return rows


def _of_variable(name: str) -> str:
    return f"{name}={os.environ[name]}" if name in os.environ else f"{name} is not set"


def _fast_ways() -> list[tuple[str, str]]:
    enabled = blocks._HAS_LIBRARY and bool(torch.backends.mkldnn.enabled)
    triton = util.find_spec("triton") is not None
    lanes = f"{torch.backends.cpu.get_cpu_capability()}; of AVX2 and AVX512"
    return [
        ("blocks", _on(enabled, "large images of float32 and few kernels", "torch has no oneDNN, or it is disabled")),
        ("segments", _on(enabled and segments._HAS_LANES, "the same, of many rows", f"the processor has {lanes}")),
        (
            "fused kernels",
            _on(triton and torch.cuda.is_available(), 'algorithm="fused" on a GPU', "they need a GPU and Triton"),
        ),
    ]


def _on(is_on: bool, what: str, why_not: str) -> str:
    return f"on: {what}" if is_on else f"off: {why_not}"
