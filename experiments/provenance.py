"""What a result was made from: the sources that could have changed it, the machine, the date."""

import ast
import datetime
import hashlib
import io
import os
import platform
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from experiments.paths import REPOSITORY

__all__ = ["code_digest", "machine", "made_from", "modules_named", "processor", "sources_of"]

# Packages of this repository that decide results.
PACKAGES = ("diff_conv2d", "experiments", "scripts")


def made_from(*modules: str) -> dict[str, Any]:
    """What a result of some modules is made from, here and now.

    Args:
        modules: names of modules; what they import is found. Those that are not of this repository, as a data set of
            one's own, have no sources here and are passed over.

    Returns:
        `sources`, a digest for each file; `torch`, `machine` and `date` (UTC).
    """
    return {
        "sources": sources_of(*(module for module in modules if _file_of(module))),
        "torch": torch.__version__,
        "machine": machine(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    }


def modules_named(*configs: DictConfig) -> list[str]:
    """The modules that the configurations of runs name, for nothing imports them: those of data sets and networks."""
    return sorted({str(config[part]._target_).rpartition(".")[0] for config in configs for part in ("data", "model")})


def machine() -> str:
    """The processor by its name, how many of them this process may use, and the GPU if there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{processor()}, {cores} cores{gpu}"


def processor() -> str:
    """The name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def sources_of(*modules: str) -> dict[str, str]:
    """A digest of the code of modules and of everything in this repository that they import, by path.

    Args:
        modules: names, such as `experiments.shells.program`.

    Raises:
        ModuleNotFoundError: this repository has no such module.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _file_of(name)
        if path is None:
            raise ModuleNotFoundError(f"the repository has no module {name}")
        found[name] = path
        waiting += [other for other in _imported(path) if other not in found]
    paths = sorted({path.relative_to(REPOSITORY).as_posix() for path in found.values()})
    return {path: code_digest((REPOSITORY / path).read_text(encoding="utf-8")) for path in paths}


def code_digest(text: str) -> str:
    """The first twelve digits of the SHA-256 of a source without comments, docstrings and empty lines.

    Another wording makes no other result, and so no other digest.

    Example:
        >>> code_digest("x = 1  # one") == code_digest("x = 1") != code_digest("x = 2")
        True
    """
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        # A string that stands alone is a docstring, or does nothing.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for row in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[row] = ""
    kept = "\n".join(line.rstrip() for line in lines if line.strip())
    return hashlib.sha256(kept.encode()).hexdigest()[:12]


def _file_of(name: str) -> Path | None:
    """The file of a module of this repository; None if there is none."""
    stem = REPOSITORY.joinpath(*name.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imported(path: Path) -> tuple[str, ...]:
    """The modules of this repository that a file imports, wherever in it, with the packages that they are in."""
    return tuple(
        name
        for name in dict.fromkeys(_names(ast.parse(path.read_text(encoding="utf-8"))))
        if name.split(".")[0] in PACKAGES and _file_of(name) is not None
    )


def _names(tree: ast.Module) -> Iterator[str]:
    """What could be a module among the names that a source imports."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
