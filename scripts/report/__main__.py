"""Write the report of a folder of results: `python -m scripts.report`, or `make report`.

One HTML file, which opens from a disk: findings, what is missing and the command that makes it, and of each study
when and where it was made, whether it is current, its figures, its tables with intervals and its settings.
"""

import argparse
import datetime
import sys
from importlib.metadata import version
from pathlib import Path

import markdown
import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.checks import writable
from experiments.paths import REPOSITORY
from experiments.provenance import machine
from experiments.records import replacing
from experiments.sentences import in_one_sentence
from scripts.findings import findings
from scripts.report.missing import COMMANDS, PARTS, missing_cells, missing_studies
from scripts.report.studies import studies_of
from scripts.sweeps import SCALES, SWEEPS

__all__ = ["main", "page"]


def page(results: Path, seeds: list[int], sweeps: list[str]) -> str:
    """The report as one HTML page.

    Args:
        results: the folder that holds `runs`, `tables` and `figures`.
        seeds: that each cell of a sweep should have.
        sweeps: their full names.

    Raises:
        ValueError: a manifest or a table cannot be read.
    """
    cells = {name: missing_cells(results, name, seeds) for name in sweeps}
    folder = Path(__file__).parent
    template = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    return template.get_template("template.html").render(
        folder="results" if results.resolve() == REPOSITORY / "results" else results.resolve().as_posix(),
        date=datetime.date.today().isoformat(),
        machine=machine(),
        torch=torch.__version__,
        version=version("diff-conv2d"),
        findings=_findings(results / "tables"),
        missing=[*missing_studies(results), *(one for of_sweep in cells.values() for one in of_sweep)],
        then=list(dict.fromkeys(_target(name) for name, of_sweep in cells.items() if of_sweep)),
        studies=list(studies_of(results)),
        script=(REPOSITORY / "docs" / "assets" / "tables.js").read_text(encoding="utf-8"),
    )


def _target(sweep: str) -> str:
    """What makes the tables of a sweep, or of the study that it is a part of, when its runs are done."""
    name = sweep.removeprefix("paper_")
    command = COMMANDS.get(PARTS.get(name, name))
    if command is None:
        return f"python -m scripts.collect {name}"
    return f"{command} SCALE=paper" if name != sweep else command


def _findings(tables: Path) -> str:
    """The findings of the sweeps that have tables, as HTML; nothing if there are none."""
    text = findings(tables) if tables.is_dir() else ""
    # Its links lead to pages of the repository, which the report does not bring along.
    return markdown.markdown(text, extensions=["tables"], tab_length=2)


@in_one_sentence("scripts.report")
def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--results", type=Path, default=REPOSITORY / "results", help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="the file to write (default: report.html in that folder)")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="that each method should have (default: %(default)s)")
    parser.add_argument("--scale", choices=SCALES, default=SCALES[0], help="of the sweeps (default: %(default)s)")
    arguments = parser.parse_args()
    if not arguments.results.is_dir():
        sys.exit(f"scripts.report: --results must be a folder; there is no {arguments.results}")
    if not all(seed.strip().isdigit() for seed in arguments.seeds.split(",")):
        sys.exit(f"scripts.report: --seeds must be whole numbers with commas between; got {arguments.seeds!r}")
    output = arguments.output or arguments.results / "report.html"
    writable("--output", output.parent)
    paper = arguments.scale != SCALES[0]
    sweeps = [name for name in SWEEPS if name.startswith("paper_") == paper]
    text = page(arguments.results, [int(seed) for seed in arguments.seeds.split(",")], sweeps)
    with replacing(output) as partial:
        partial.write_text(text, encoding="utf-8")
    print(output)


if __name__ == "__main__":
    main()
