import re
import sys

import pandas as pd
import pytest

from experiments.paths import REPOSITORY
from scripts import page_numbers
from scripts.pages import number_names, update_numbers, with_numbers, without_marks

PAGES = page_numbers.pages()
VALUES = page_numbers.numbers(page_numbers.SOURCES)


def name_of(page):
    return str(page.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_number_would_change(page):
    text = page.read_text(encoding="utf-8")
    assert set(number_names(text)) <= set(VALUES)
    changed = with_numbers(text, VALUES)
    old, new = (dict(re.findall(r"<!--=([\w.-]+)-->(.*?)<!--/-->", each)) for each in (text, changed))
    assert old == new, "`make pages` brings it up to date"


def test_the_pages_that_have_numbers_are_among_them():
    found = {name_of(page) for page in PAGES if number_names(page.read_text(encoding="utf-8"))}
    assert {"README.md", "docs/speed.md", "docs/studies.md", "docs/modes/reflect.md"} <= found


@pytest.mark.parametrize(
    "text",
    [
        "a <!--=x-->1",
        "a 1<!--/-->",
        "a <!--=x-->1 <!--=y-->2<!--/-->",
        "above\n<!--=x-->1<!--/--> begins a line",
        "  - <!--=x-->1<!--/--> begins an item",
        '    "<!--=x-->1<!--/--> begins a line of a notebook\\n",',
    ],
)
def test_marks_that_a_page_would_not_show_as_meant_are_refused(text):
    with pytest.raises(ValueError, match="mark"):
        with_numbers(text, {"x": "2"})


def test_a_number_may_take_several_lines_and_occur_twice():
    text = "a <!--=x-->1\n2<!--/--> b <!--=x-->1<!--/--> <!--=y-->3<!--/-->"
    assert without_marks(with_numbers(text, {"x": r"\1"})) == r"a \1 b \1 3"


def test_a_page_is_written_only_if_a_number_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a <!--=x-->1<!--/-->\n")
    before = page.stat()
    assert not update_numbers(page, {"x": "1"})
    assert page.stat() == before
    assert update_numbers(page, {"x": "2"})
    assert page.read_text() == "a <!--=x-->2<!--/-->\n"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The program on one page, and on a table with one number."""
    page = tmp_path / "page.md"
    make = ("numbers",), lambda table: {"one.value": f"{table['value'].iloc[0]}"}
    pd.DataFrame({"value": [7]}).to_csv(tmp_path / "numbers.csv", index=False)
    monkeypatch.setattr(page_numbers, "REPOSITORY", tmp_path)
    monkeypatch.setattr(page_numbers, "pages", lambda: [page])
    monkeypatch.setattr(page_numbers, "SOURCES", {"one": make, "two": (("missing",), make[1])})
    monkeypatch.setattr(page_numbers, "numbers", lambda names: make[1](pd.read_csv(tmp_path / "numbers.csv")))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["page_numbers", *arguments])
        page_numbers.main()

    return page, run


def test_the_program_writes_the_numbers_of_the_chosen_tables(program):
    page, run = program
    page.write_text("a <!--=one.value-->1<!--/--> b <!--=two.value-->2<!--/-->")
    run("one")
    assert without_marks(page.read_text()) == "a 7 b 2"


@pytest.mark.parametrize(
    ("text", "message"),
    [("a <!--=one.other-->1<!--/-->", "page.md names one.other"), ("a <!--=one.value-->1", "page.md: each mark")],
)
def test_the_program_ends_with_a_sentence_if_a_page_is_wrong(program, text, message):
    page, run = program
    page.write_text(text)
    with pytest.raises(SystemExit, match=message):
        run("one")


def test_an_unknown_table_is_refused(program, capsys):
    with pytest.raises(SystemExit):
        program[1]("three")
    assert "SOURCE must be one of one, two, but got three" in capsys.readouterr().err


def test_numbers_of_adaptive_count_its_large_images():
    errors = {"degree_0": (2.0, 2.0, 2.0), "adaptive": (1.0, 3.0, 1.0)}
    rows = [
        ("a", size, 3, method, error)
        for method, of_sizes in errors.items()
        for size, error in zip((64, 128, 256), of_sizes, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["field", "size", "kernel_size", "method", "l1_error"])
    assert page_numbers.adaptive(table) == {"adaptive.fields": "1", "adaptive.large.below_best_degree": "1 of 2"}


def test_coverage_is_that_of_five_seeds_and_blocks():
    both = "seeds and blocks"
    rows = [
        ("normal", 5, both, 0.95),
        ("normal", 5, both, 0.984),
        ("normal", 5, "seeds", 0.5),
        ("normal", 3, both, 0.6),
    ]
    table = pd.DataFrame(rows, columns=["noise", "seeds", "interval", "coverage"])
    assert page_numbers.coverage(table) == {"coverage.normal": "95 to 98 %"}
