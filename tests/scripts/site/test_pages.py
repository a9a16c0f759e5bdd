"""What the site's pages are made of: links, lists, sections, drawings, tables, and the faults that end a build."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from diff_conv2d import MODES
from experiments.paths import REPOSITORY
from scripts.site import api, figures, gallery, notebooks, readme
from scripts.site.check import faults
from scripts.site.docstrings import as_markdown
from scripts.site.drawings import OPTIONS, UNEXTENDED, seen
from scripts.site.links import linked_files, site_links, with_paths
from scripts.site.lists import four_spaces
from scripts.site.markdown import as_read_elsewhere, with_formulas
from scripts.site.sources import page_for
from scripts.site.tables import columns_of, rows_of


def test_links_in_blocks_of_code_stay():
    text = "[a](../README.md)\n```\n[a](../README.md)\n```\n"
    assert site_links(text, "docs/masks.md", "masks.md") == "[a](index.md)\n```\n[a](../README.md)\n```\n"


def test_a_link_that_leads_nowhere_stays_for_the_strict_build_to_find():
    assert site_links("[a](../no/such.md)", "docs/masks.md", "masks.md") == "[a](../no/such.md)"


def test_a_page_in_another_folder_links_relatively():
    text = site_links(
        "[a](../masks.md#x) ![b](../../results/figures/filtering.png)", "docs/modes/diff.md", "modes/diff.md"
    )
    assert text == "[a](../masks.md#x) ![b](../figures/filtering.png)"


def test_linked_files_are_found_and_those_of_other_hosts_are_not():
    found = linked_files("[a](LICENSE) [b](https://x.org/LICENSE) [c](no/such)", "README.md")
    assert found == {"LICENSE"}


def test_names_of_files_become_links_but_within_links_and_code():
    html = "<code>results/tables/filtering.csv</code>"
    pages = {"tables/filtering.md"}
    assert with_paths(html, "modes/diff.md", pages) == f'<a href="../tables/filtering.html">{html}</a>'
    assert with_paths(f"<pre>{html}</pre><a href=''>{html}</a>", "modes/diff.md", pages).count("href") == 1


def test_every_section_of_the_readme_has_a_page():
    for heading in readme.sections():
        if heading != readme.OPENING:
            assert page_for("README.md", f"#{readme._SLUG(heading, '-')}")
    with pytest.raises(ValueError, match="no section"):
        page_for("README.md", "#no-such-section")


def test_a_section_without_a_page_is_told(monkeypatch):
    monkeypatch.setattr(readme, "PAGES", {"library.md": ("The library",)})
    readme.sections.cache_clear()
    with pytest.raises(ValueError, match="From the paper"):
        readme.sections()
    monkeypatch.undo()
    readme.sections.cache_clear()


def test_lists_without_blank_lines_and_with_blocks_of_code():
    text = "Two:\n- a\n  ```\n  - no item\n  ```\n- b\n\nEnd"
    assert four_spaces(text) == "Two:\n\n- a\n    ```\n    - no item\n    ```\n- b\n\nEnd"


def test_a_year_at_the_start_of_a_line_is_no_list():
    assert four_spaces("It was\n2024. And so on") == "It was\n2024. And so on"


def test_a_bar_in_the_code_of_a_table():
    assert with_formulas(as_read_elsewhere("| `a \\| b` |")) == "| `a | b` |"


def test_a_formula_that_cannot_be_read_is_told():
    for formula in (r"\frac{1", r"\nosuchcommand x"):
        with pytest.raises(ValueError, match="formula"):
            with_formulas(rf'<span class="arithmatex">\({formula}\)</span>')


def test_examples_in_docstrings_become_blocks_of_code():
    text = as_markdown("Example:\n    >>> f(\n    ...     1)\n    array([1,\n           2])\n    >>> g()\n\nAfter")
    inside = "    >>> f(\n    ...     1)\n    array([1,\n           2])\n    >>> g()\n"
    assert text == f"Example:\n    ```pycon\n{inside}    ```\n\nAfter"
    assert as_markdown("As in:\n\n    >>> f()\n    1\n\nAfter") == "As in:\n\n```pycon\n>>> f()\n1\n```\n\nAfter"
    assert as_markdown("As in::\n\n      a | b\n      c\n\nAfter") == "As in:\n\n```text\na | b\nc\n```\n\nAfter"


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_drawn_with_the_image_in_the_middle(mode):
    made, truth, outside = seen(mode, 24, 6)
    assert made.shape == truth.shape
    assert np.isfinite(made).all()
    assert (outside == 0) == (mode in UNEXTENDED)
    inside = slice(6, -6) if outside else slice(5, -5)
    np.testing.assert_allclose(made[inside, inside], truth[inside, inside], atol=1e-12)
    assert np.abs(made - truth).max() > 1e-3
    assert gallery.told(mode).count("`") == 2
    assert set(OPTIONS.get(mode, {})) <= {"degree", "value"}


def test_the_page_of_a_mode_says_its_error():
    means = gallery._means()
    row = gallery.errors_of("diff").splitlines()[2]
    assert f"| {means['diff'].iloc[0]:.1e}".replace("e-0", "e-") in row
    assert "not in the filtering experiment: its kernels or weights are trained" in gallery.errors_of("learned")
    assert "needs to know" in gallery.errors_of("neumann")


def test_a_figure_without_words_is_told():
    assert {path.stem for path in (REPOSITORY / "results/figures").glob("*.png")} <= set(figures.SHOWS)
    with pytest.raises(ValueError, match="no words"):
        figures.shown("no_such_figure")
    cell = notebooks.nbformat.v4.new_code_cell("plt.plot(x)")
    with pytest.raises(ValueError, match="no words"):
        notebooks.alternative(cell)
    cell.metadata["alt"] = "A line"
    assert notebooks.alternative(cell) == "A line"


def test_a_table_is_escaped_and_a_long_one_described():
    table = pd.DataFrame({"a": ["<b>", None], "x": [0.5, 1e-9]})
    assert "<td>&lt;b&gt;</td><td>0.5</td>" in rows_of(table)
    assert "<td></td><td>1e-09</td>" in rows_of(table)
    assert "| `a` | 1 | `<b>` |" in columns_of(table)


def test_a_missing_docstring_is_told(monkeypatch):
    def bare():
        pass

    class Half:
        """Has one."""

        def method(self):
            pass

    module = ModuleType("made_up", "Has one.")
    for value in (bare, Half):
        value.__module__, value.__qualname__ = "made_up", value.__name__
        setattr(module, value.__name__, value)
    module.__all__ = ["bare", "Half"]
    monkeypatch.setitem(__import__("sys").modules, "made_up", module)
    monkeypatch.setattr(api, "PAGES", {"x": ("X", ("made_up",))})
    assert list(api.undocumented()) == ["made_up.bare has no docstring", "made_up.Half.method has no docstring"]


def test_every_public_name_is_on_a_page_of_the_api():
    text = "".join(str(page) for page in api.pages().values())
    import diff_conv2d

    for name in set(diff_conv2d.__all__) - {"MODES", "PaddingMode"}:
        assert f".{name}\n" in text, name
    for mode in MODES.values():
        assert f".{mode.__name__}\n" in text


def test_faults_of_finished_pages(tmp_path):
    page = '<img src="a.png"><a href="b.html#x">b</a><script src="https://x.org/a.js"></script><a href="c.html">c</a>'
    (tmp_path / "a.html").write_text(page)
    (tmp_path / "b.html").write_text('<p id="y"></p><a href="https://x.org">may be</a><a href="#y">here</a>')
    assert list(faults(tmp_path)) == [
        "a.html: the picture a.png has no alternative text",
        "a.html: fetches a.png, which is not there",
        "a.html: fetches https://x.org/a.js from another host",
        "a.html: links to b.html#x, a heading that is not there",
        "a.html: links to c.html, which is not there",
    ]
