"""The library in layers: who imports whom, and what a call passes on its way."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

import diff_conv2d

FOLDER = Path(diff_conv2d.__file__).parent
MODULES = {path.relative_to(FOLDER).with_suffix("").as_posix(): path for path in FOLDER.rglob("*.py")}


@cache
def imports(module):
    """The library's modules that a module imports, but for those that only a type checker does."""
    found = set()
    for statement in ast.parse(MODULES[module].read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ImportFrom) and statement.module.startswith("diff_conv2d"):
            source = "/".join(statement.module.split(".")[1:])
            inner = {f"{source}/{alias.name}" for alias in statement.names} & set(MODULES)
            found |= inner or {source if source in MODULES else f"{source}/__init__"}
    return found


@cache
def floor(module):
    return 1 + max(map(floor, imports(module)), default=0)


def test_the_library_has_seven_floors():
    assert max(floor(module) for module in MODULES if module != "__init__") <= 7


@pytest.mark.parametrize("folder", ["extension", "algorithms"])
def test_what_knows_no_mode_imports_none(folder):
    below = {"extension": ("modes", "algorithms"), "algorithms": ("modes",)}[folder]
    for module in MODULES:
        if module.startswith(folder):
            assert not [other for other in imports(module) if other.startswith(below)]


def test_modes_know_no_layer_and_no_function():
    for module in MODULES:
        if module.startswith("modes"):
            assert not imports(module) & {"torch_layers", "layers", "functional", "conversion", "chunked", "halos"}


def test_no_class_of_a_mode_is_asked_for_outside_its_folder():
    names = {mode.__name__ for mode in diff_conv2d.MODES.values()} | {"Boundary", "Extension", "AxisExtension"}
    for module, path in MODULES.items():
        if module.startswith("modes"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                assert not {name.id for name in ast.walk(node) if isinstance(name, ast.Name)} & names


def passed(mode):
    """The modules from which an image, or what is made of it, is handed on in a convolution of 300 x 300 pixels."""
    layer = diff_conv2d.Conv2d(2, 2, 3, padding=1, padding_mode=mode)
    image, found = torch.randn(1, 2, 300, 300), set()
    layer(image)

    def look(frame, event, result):
        path = Path(frame.f_code.co_filename)
        if event == "return" and isinstance(result, (torch.Tensor, list)) and path.is_relative_to(FOLDER):
            found.add(path.relative_to(FOLDER).with_suffix("").as_posix())

    sys.setprofile(look)
    try:
        layer(image)
    finally:
        sys.setprofile(None)
    # It hands the image on as it is, unless torch.jit.trace records.
    return found - {"tracing"}


def test_the_way_of_a_call_is_short():
    common = {"torch_layers", "algorithms/choice", "extension/in_place", "algorithms/blocks"}
    assert passed("diff") == common | {"modes/polynomial"}
    assert passed("adaptive") == common | {
        "modes/base",
        "modes/adaptive",
        "modes/prediction_weights",
        "extension/by_axis",
    }
