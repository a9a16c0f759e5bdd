"""The library in layers: who imports whom, and what a call passes on its way."""

import ast
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

import diff_conv2d
from diff_conv2d import modes
from tests.diff_conv2d.conftest import ONE_GRAPH

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


def loaded(code):
    """The library's modules that are loaded after some code."""
    code += "; import sys; print(*(name for name in sys.modules if name.partition('.')[0] == 'diff_conv2d'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parent)
    return {name.removeprefix("diff_conv2d.") for name in done.stdout.split()}


def test_an_import_loads_what_is_asked_for():
    assert loaded("import diff_conv2d") == {"diff_conv2d"}
    assert loaded("import diff_conv2d.modes as m; list(m.MODES), 'diff' in m.MODES") == {
        *("diff_conv2d", "modes", "modes.base", "arguments", "geometry", "precision", "tracing"),
        *("extension", "extension.axis", "extension.by_axis", "extension.by_gather"),
    }
    layer = loaded("from diff_conv2d import Conv2d; Conv2d(1, 1, 3, padding=1)")
    assert loaded("import diff_conv2d.command") == {"diff_conv2d", "command"}
    families = {name for name in layer if name.startswith("modes.")}
    assert families == {"modes.base", "modes.polynomial", "modes.polynomial_weights"}
    assert len(layer) <= 25


def test_names_of_the_library_are_loaded_and_listed():
    tree = ast.parse(MODULES["__init__"].read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If)).body
    seen_by_a_type_checker = {
        statement.module.removeprefix("diff_conv2d."): tuple(alias.name for alias in statement.names)
        for statement in checked
    }
    assert seen_by_a_type_checker == diff_conv2d._MODULES
    names = [name for names in diff_conv2d._MODULES.values() for name in names]
    assert sorted(names) == sorted(diff_conv2d.__all__)
    assert {*names} <= {*dir(diff_conv2d)}
    assert all(hasattr(diff_conv2d, name) for name in names)
    assert diff_conv2d.chunked.__name__ == "diff_conv2d.chunked"
    assert not hasattr(diff_conv2d, "none")
    with pytest.raises(AttributeError, match="none"):
        modes.none  # noqa: B018


def test_a_missing_library_is_not_a_missing_attribute():
    with pytest.raises(subprocess.CalledProcessError) as raised:
        loaded("import sys, diff_conv2d; sys.modules['numpy'] = None; diff_conv2d.ndimage")
    assert "numpy" in raised.value.stderr
    assert "AttributeError" not in raised.value.stderr


def test_modes_are_a_mapping_of_their_classes():
    known = dict(modes.MODES)
    assert known == modes.MODES
    assert all(mode.name == name for name, mode in modes.MODES.items())
    assert ([*modes.MODES], len(modes.MODES)) == ([*known], len(known))
    assert modes.MODES.keys() == known.keys()
    assert modes.MODES["adaptive"] is modes.Adaptive
    assert modes.MODES.get("none") is None
    assert "none" not in modes.MODES
    assert repr(modes.MODES) == repr(known)
    for mode in known.values():
        assert pickle.loads(pickle.dumps(mode)) is mode


@pytest.mark.skipif(not ONE_GRAPH, reason="torch before 2.13 compiles it in several graphs")
def test_a_mode_is_loaded_within_a_compiled_function():
    # `extend` of this mode is compiled whole, as by another process: its file is not loaded yet.
    code = """
import torch, diff_conv2d
compiled = torch.compile(lambda x: diff_conv2d.pad(x, (1, 1), "antireflect"), fullgraph=True, backend="eager")
print(compiled(torch.tensor([[[1.0, 2.0, 4.0]]])).tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parent)
    assert done.stdout.strip() == "[[[0.0, 1.0, 2.0, 4.0, 6.0]]]"


@pytest.mark.parametrize("name", ["", "none", "modes.adaptive", "modes.none"])
def test_other_names_are_no_attributes(name):
    with pytest.raises(AttributeError, match="has no attribute"):
        getattr(diff_conv2d, name)
