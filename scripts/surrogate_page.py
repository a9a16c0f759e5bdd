"""The numbers of docs/surrogate.md, made from results/tables: `python -m scripts.surrogate_page`."""

import sys
from pathlib import Path

import pandas as pd

from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from experiments.surrogate.rows import TABLES, tables_of
from scripts.claims import LEVEL, SEEN, corrected
from scripts.figures.tables import TABLES as FOLDER
from scripts.figures.tables import read_tables
from scripts.finding_sentences import p_value, rounded, verdict
from scripts.pages import update
from scripts.prose import filled, listed
from scripts.surrogate_comparisons import TASK, all_seeds, comparisons, rollout_comparisons
from scripts.surrogate_tables import TIMES, differences, levels, spectra

__all__ = ["COMMAND", "MARKS", "PAGE", "main", "parts", "sentences"]

COMMAND = "make reproduce-surrogate"
PAGE = REPOSITORY / "docs" / "surrogate.md"
MARKS = {
    part: (f"<!-- surrogate {part} -->", f"<!-- end of surrogate {part} -->")
    for part in ("sentences", "differences", "levels", "spectra", "others")
}
# Sweeps of the same networks, whose errors of one step are told from their rollouts.
OTHERS = {"surrogate_unrolled": "Trained on two steps", "surrogate_advection": "Advection-diffusion"}


def parts(tables: Path) -> dict[str, str]:
    """All that the command writes, by the name of its marks.

    Args:
        tables: folder of the tables.
    """
    rollouts, flows, of_lines = read_tables(tables, TABLES, COMMAND)
    compared = comparisons(tables, flows)
    told = sentences(compared, all_seeds(tables), flows)
    return {
        "sentences": filled(told),
        "differences": differences(compared),
        "levels": levels(rollouts, flows),
        "spectra": spectra(of_lines),
        "others": "\n\n".join(_other(tables, sweep, name) for sweep, name in OTHERS.items()),
    }


def sentences(compared: pd.DataFrame, every: tuple[int, float, float, float] | None, flows: pd.DataFrame) -> str:
    """The primary comparison, the same in the interior and over all seeds, and whether a rollout has blown up."""
    lines = []
    for row in compared[compared["primary"].astype(bool)].to_dict("records"):
        seen = listed([str(seed) for seed in SEEN[TASK]])
        count = f"{_counted(row['seeds'], 'seed')}, without seed {seen}; {_counted(row['flows'], 'flow')}"
        lines.append(
            f"Primary comparison ({count}): the error of one step in the frame, `{row['method']}` compared with zero "
            f"padding, {_percent(row)}, {p_value(row['p'])}; {_so(row)}."
        )
        if every:
            seeds, *values = every
            told = _percent(dict(zip(("estimate", "low", "high"), values, strict=True)))
            lines.append(f"Over all {_counted(seeds, 'seed')}, of which seed {seen} had been seen before: {told}.")
        same = compared["method"] == row["method"]
        inside = compared[same & (compared["region"] == "interior") & (compared["step"] == 1)]
        for other in inside.to_dict("records"):
            count = _counted(other["seeds"], "seed")
            p = f"{p_value(other['corrected'])} after correction"
            lines.append(f"In the interior (secondary, {count}): {_percent(other)}, {p}; {_so(other)}.")
        lines += _of_rollouts(compared[same & (compared["region"] != "interior") & ~compared["primary"].astype(bool)])
    return " ".join([*lines, _blown_up(flows)])


def _other(tables: Path, sweep: str, name: str) -> str:
    """What the rollouts of another sweep say, or what makes them."""
    columns, command = tables_of(sweep), f"make reproduce-{sweep.replace('_', '-')}"
    if not all((tables / f"{table}.csv").is_file() for table in columns):
        return f"**{name}**: no table has it yet (`{command}`)."
    rollouts, flows, _ = read_tables(tables, columns, command)
    told = filled(f"**{name}** (`{command}`). {_blown_up(flows)} Differences to zero padding, as above:")
    compared = differences(corrected(rollout_comparisons(flows, first=1)))
    return "\n\n".join([told, compared, "Errors as they are, as above:", levels(rollouts, flows)])


def _blown_up(flows: pd.DataFrame) -> str:
    """Of how many rollouts a value has left the bounds."""
    bounded = flows[flows["metric"] == "bounded_time"]
    most, blown = bounded["step"].max(), bounded[bounded["value"] < bounded["step"]]
    counts = bounded.groupby("method").size()
    which = [f"`{method}` {len(of)} of {counts[method]}" for method, of in blown.groupby("method")]
    return f"Rollouts that blew up within {most} steps: {listed(which) if which else 'none'}."


def _of_rollouts(rows: pd.DataFrame) -> list[str]:
    """What becomes of the errors in the frame, and how long a rollout is stable and bounded."""
    lines = []
    for row in rows.to_dict("records"):
        what, unit = f"error of step {row['step']} in the frame", "%"
        if row["metric"] in TIMES:
            what, unit = f"{TIMES[row['metric']]}, of {row['step']} steps at most", "steps"
        p = f"{p_value(row['corrected'])} after correction"
        resolved = "resolved" if row["corrected"] < LEVEL else "not resolved"
        told = _percent(row).replace("%", unit)
        lines.append(
            f"{what[0].upper()}{what[1:]} (secondary, {_counted(row['seeds'], 'seed')}): {told}, {p}; {resolved}."
        )
    return lines


def _so(row: dict[str, float]) -> str:
    return verdict(row).replace("open", "not resolved", 1)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _percent(row: dict[str, float]) -> str:
    return f"{rounded(row['estimate'])} % [{rounded(row['low'])}, {rounded(row['high'])}]"


@in_one_sentence("scripts.surrogate_page")
def main() -> None:
    """Write the page anew."""
    try:
        for name, text in parts(FOLDER).items():
            update(PAGE, *MARKS[name], text)
    except ValueError as error:
        sys.exit(f"scripts.surrogate_page: {error}")


if __name__ == "__main__":
    main()
