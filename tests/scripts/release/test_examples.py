"""The examples of a package, run by Python alone."""

import json
import subprocess
import sys

import pytest

from scripts.release import examples

GOOD = '''"""A module.

>>> float(torch.zeros(2).sum())
0.0
>>> [1,
...  2]
[1, 2]
"""
'''


@pytest.fixture
def told(tmp_path):
    """What the program says of a package with these modules."""

    def run(**modules):
        package = tmp_path / "package_of_a_test"
        info = tmp_path / "package_of_a_test-3.dist-info"
        for folder in (package, info):
            folder.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.4\nName: package-of-a-test\nVersion: 3\n")
        for name, text in {"__init__": "", **modules}.items():
            (package / f"{name}.py").write_text(text)
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = ['package_of_a_test']; "
        code += f"import runpy; runpy.run_path({examples.__file__!r}, run_name='__main__')"
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_all_examples_are_run(told):
    found = told(__init__=GOOD, part=GOOD)
    assert (found["examples"], found["failed"], found["lacking"], found["version"]) == (4, [], {}, "3")
    assert found["folder"].endswith("package_of_a_test")


def test_what_fails_and_what_lacks_a_package_are_kept_apart(told):
    wrong = GOOD.replace("0.0", "1.0")
    tried = "try:\n    import none_such.part\nexcept ImportError as error:\n"
    found = told(
        wrong=wrong,
        raises='""">>> 1 / 0\n"""',
        lacks='""">>> import none_such\n>>> none_such.name\n"""',
        imports="import none_such",
        own_words=f"{tried}    raise ImportError('pip install it') from error\n",
        broken="from math import none_such",
    )
    assert found["examples"] == 2 + 1
    place = "package_of_a_test"
    assert found["lacking"] == {
        f"{place}.lacks": "none_such",
        f"{place}.imports": "none_such",
        f"{place}.own_words": "none_such",
    }
    failed = {one.partition(":")[0]: one for one in found["failed"]}
    assert set(failed) == {f"{place}.{name}" for name in ("wrong", "raises", "broken")}
    assert "expected 1.0\ngot 0.0" in failed[f"{place}.wrong"]
    assert "ZeroDivisionError" in failed[f"{place}.raises"]
