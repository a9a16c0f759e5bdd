from experiments.paths import REPOSITORY
from scripts.modes_page import END, START, markdown
from scripts.pages import filled


def test_the_readme_shows_every_mode():
    page = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert filled(page, START, END, markdown()) == page, "`make pages` brings it up to date"
