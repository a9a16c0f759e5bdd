"""docs/policy.md and SECURITY.md say what is so; and one version stands everywhere."""

import ast
import json
import re
from importlib import import_module

import pytest
import yaml
from packaging.metadata import Metadata
from packaging.version import Version

import diff_conv2d
from experiments.paths import REPOSITORY
from scripts.site.api import PAGES
from scripts.site.sources import tracked
from scripts.versions import requirements


def read(name):
    return (REPOSITORY / name).read_text(encoding="utf-8")


POLICY, PROJECT = read("docs/policy.md"), read("pyproject.toml")


def between(mark):
    return POLICY[POLICY.index(f"<!-- {mark} -->") : POLICY.index(f"<!-- end of {mark} -->")]


def test_the_public_modules_are_those_of_the_api_pages():
    shown = {name for _, modules in PAGES.values() for name in modules}
    assert set(re.findall(r"`(diff_conv2d[\w.]*)`", between("public modules"))) == shown
    for name in shown:
        assert import_module(name).__all__


def test_supported_versions():
    rows = dict(re.findall(r"^\| (\w+) \| (.+) \|$", between("supported versions"), re.MULTILINE))
    claimed = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)
    assert claimed == [f"3.{minor}" for minor in range(int(claimed[0][2:]), int(claimed[-1][2:]) + 1)]
    assert f'requires-python = ">={claimed[0]}"' in PROJECT
    assert rows["Python"] == f"{claimed[0]} | {claimed[-1]}"
    made_with = {one.name: one for one in requirements(read("results/versions.txt").splitlines())}["torch"]
    (torch,) = made_with.specifier
    assert rows["PyTorch"] == f"2.9 | {'.'.join(torch.version.split('.')[:2])}"
    assert 'dependencies = ["torch>=2.9,<3"]' in PROJECT
    assert "torch>=2.9,<3\n" in read("exp_requirements.txt")


def test_one_version_stands_everywhere():
    version = diff_conv2d.__version__
    assert str(Version(version)) == version
    citation, archived = yaml.safe_load(read("CITATION.cff")), json.loads(read(".zenodo.json"))
    newest = re.search(r"^## (\S+), (\S+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert (citation["version"], str(citation["date-released"])) == (version, newest[2])
    assert (archived["version"], archived["publication_date"]) == (version, newest[2])
    assert newest[1] == version
    assert f"  diff-conv2d  {version}\n" in read("docs/command.md")
    assert f"{version} is a candidate" in POLICY or not Version(version).is_prerelease
    assert not re.search(r"^version = ", PROJECT, re.MULTILINE)


def test_citation_and_archive_name_the_paper():
    citation, archived = yaml.safe_load(read("CITATION.cff")), json.loads(read(".zenodo.json"))
    assert {"cff-version", "message", "title", "authors"} <= {*citation}
    assert citation["preferred-citation"]["identifiers"][0]["value"] == "arXiv:2309.06370"
    assert citation["license"] == archived["license"] == "BSD-3-Clause"
    assert archived["related_identifiers"][0]["identifier"] == "arXiv:2309.06370"
    assert archived["upload_type"] == "software"
    assert {"title", "creators", "description", "access_right"} <= {*archived}
    # What the archive cites is what the data's own page asks to be cited.
    for one in archived["related_identifiers"][1:]:
        assert f"doi {one['identifier']}" in read("data/README.md")


def test_the_page_of_the_index_is_short_and_leads_nowhere_inside_the_repository():
    text = read("diff_conv2d/README.md")
    assert len(text) < 3000
    assert re.findall(r"\]\(([^)]*)\)", text) == ["https://arxiv.org/abs/2309.06370"]
    words = {21: "twenty-one"}
    assert f"{words[len(diff_conv2d.MODES)]} boundary modes" in " ".join(text.split())
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    assert names["bigger"].shape == (8, 3, 68, 68)
    extras = re.findall(r'pip install "diff-conv2d\[(\w+)\]"', text)
    assert {f"\n{extra} = [" in PROJECT for extra in extras} == {True}


def programs():
    """Every piece of Python of the repository, with where it stands."""
    for path in tracked("*.py"):
        yield path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8")
    for path in tracked("*.ipynb"):
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            if cell["cell_type"] == "code":
                yield f"{path.name}, cell {number}", "".join(cell["source"])
    for path in tracked("*.md"):
        for number, block in enumerate(
            re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        ):
            yield f"{path.name}, block {number}", block


def unsafe(source):
    """The calls of a source that could run the code of a file that they read."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        given = {one.arg: ast.unparse(one.value) for one in call.keywords}
        reads_weights = (
            name == "torch.load" or name.endswith((".load_from_checkpoint", "hub.load")) or "ckpt_path" in given
        )
        if reads_weights and given.get("weights_only") != "True":
            yield ast.unparse(call)
        if name in ("np.load", "numpy.load") and given.get("allow_pickle", "False") != "False":
            yield ast.unparse(call)
        if name.endswith(
            ("pickle.load", "pickle.loads", "joblib.load", "read_pickle", "pickle.Unpickler", "yaml.load")
        ):
            yield ast.unparse(call)


def test_nothing_that_is_loaded_can_run_code():
    found = {place: [*unsafe(source)] for place, source in programs()}
    assert len(found) > 400
    # Tests pickle layers of their own, to see that they can be.
    calls = [(place, call) for place, every in found.items() for call in every]
    assert [
        (place, call) for place, call in calls if not (place.startswith("tests/") and "pickle.loads(" in call)
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "pickle.load(file)",
        "trainer.fit(task, ckpt_path=path)",
        "Task.load_from_checkpoint(path)",
    ],
)
def test_the_check_sees_what_could(source):
    assert [*unsafe(source)] == [source]


def test_every_file_of_the_data_has_its_source_and_its_licence():
    text = read("data/README.md")
    files = [path.relative_to(REPOSITORY / "data").as_posix() for path in tracked("data")]
    files = [name for name in files if name not in ("README.md", ".gitignore")]
    sections = text.split("\n## ")[1:]
    for name in files:
        (section,) = [part for part in sections if f"`{name}`" in part.partition("\n")[0]]
        assert "- **Source" in section, name
        assert "- **Licence.**" in section, name
    assert len(files) == 4


def test_networks_and_pictures_have_theirs():
    part = read("data/README.md").partition("## Where this data is shown")[2].partition("\n## ")[0]
    for path in tracked("results/tables/*.npz"):
        assert path.name in part or path.name.endswith("_pictures.npz") or path.name == "frontier_blocks.npz", path
    for path in (REPOSITORY / "results" / "networks").iterdir():
        assert path.name == "index.json" or f"`results/networks/{path.name}`" in part, path


def test_the_metadata_of_the_project_are_valid():
    fields = {"metadata_version": "2.4", "name": "diff-conv2d", "version": diff_conv2d.__version__}
    classifiers = re.findall(r'"([A-Z][\w -]+ :: [^"]+)"', PROJECT)
    assert "Typing :: Typed" in classifiers
    assert classifiers == sorted(classifiers)
    Metadata.from_raw({**fields, "classifiers": classifiers, "license_expression": "BSD-3-Clause"})
    # An expression of the licence stands in place of its classifier.
    assert not [one for one in classifiers if one.startswith("License")]
