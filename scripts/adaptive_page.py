"""The numbers of docs/adaptive.md, made from results/tables/adaptive*.csv: `python -m scripts.adaptive_page`."""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill

import numpy as np
import pandas as pd

from experiments.adaptive.summary import ROUNDING, best_degree, field_means, ratios
from experiments.data.held_out_fields import HELD_OUT_KINDS
from experiments.data.study_fields import KINDS
from experiments.data.synthetic_fields import Kinds
from experiments.finetuning.summary import means
from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.tables import read_table
from scripts.pages import filled, update
from scripts.prose import span

__all__ = ["PARTS", "Tables", "kinds_table", "main", "markdown", "read_tables", "with_parts"]

LARGE = 128
# Samples from which a crop is said to have enough for a fit of its own.
ENOUGH = 14
# Modes shown kind by kind.
SHOWN = ("adaptive", "linear_prediction", "replicate", "extrapolate", "diff")
# As good as the best degree: within ten per cent.
LEVEL = (0.9, 1.1)
# Held-out fields confirm the first set if their median field is at most so much worse.
WORSE_MEDIAN = 0.1


@dataclass(frozen=True)
class Tables:
    """Errors on the fields of the study, of its variants, on the held-out fields, by others' weights; of networks."""

    study: pd.DataFrame
    variants: pd.DataFrame
    held_out: pd.DataFrame
    others: pd.DataFrame
    others_held_out: pd.DataFrame
    finetuning: pd.DataFrame
    layers: pd.DataFrame


def read_tables() -> Tables:
    """Read the tables as they are kept."""
    folder = REPOSITORY / "results" / "tables"
    names = ("adaptive", "adaptive_ablation", "adaptive_held_out", "adaptive_others", "adaptive_others_held_out")
    errors = [read_table(folder / f"{name}.csv", (), "make reproduce-adaptive") for name in names]
    networks = ("finetuning", "finetuning_layers")
    return Tables(
        *errors, *(read_table(folder / f"{name}.csv", (), "make reproduce-finetuning") for name in networks)
    )


def markdown(errors: pd.DataFrame) -> str:
    """Write the table of modes, the best mean first, for large and for small images."""
    parts = _parts(ratios(errors))
    lines = ["| mode | " + " | ".join(f"{name} ({len(part)} cells)" for name, part in parts.items()) + " |"]
    lines.append("|---|" + "---|" * len(parts))
    for mode in np.log(parts[f"{LARGE} px and more"]).mean().sort_values().index:
        cells = (
            f"{np.exp(np.log(part[mode]).mean()):.2f}, {part[mode].max():.3g}, {int((part[mode] > LEVEL[1]).sum())}"
            for part in parts.values()
        )
        lines.append(f"| `{mode}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def kinds_table(table: pd.DataFrame, kinds: Kinds) -> str:
    """Write for each kind of field the median field with the least and the largest, for large and small images."""
    lines = []
    for name, part in _parts(table).items():
        means = field_means(part)
        fields = {kind: [field for field in members if field in means.index] for kind, members in kinds.items()}
        heads = [f"{kind} ({len(members)})" for kind, members in fields.items()]
        lines.append(f"| {name} | all ({len(means)}) | " + " | ".join(heads) + " | better, level, worse |")
        lines.append("|---" * (len(heads) + 3) + "|")
        for mode in [mode for mode in SHOWN if mode in means]:
            column = means[mode]
            cells = [_number(column.median())]
            for members in fields.values():
                one = column[members]
                cells.append(f"{_number(one.median())} ({_number(one.min())} to {_number(one.max())})")
            cells.append(", ".join(map(str, _better_level_worse(column))))
            lines.append(f"| `{mode}` | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _parts(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    large = table.index.get_level_values("size") >= LARGE
    return {f"{LARGE} px and more": table[large], "below, mean over crops": table[~large]}


def _number(value: float) -> str:
    """Write a ratio with two decimals, or with two digits where these say nothing.

    Example:
        >>> [_number(value) for value in (0.861, 4530, 0.0028, 3.2e7)]
        ['0.86', '4530', '0.0028', '3.2e+07']
    """
    if 100 <= value < 1e4:
        return f"{value:.0f}"
    return f"{value:.2f}" if 0.095 <= value < 100 else f"{value:.2g}"


def _better_level_worse(ratio: pd.Series) -> tuple[int, int, int]:
    """Count the fields more than ten per cent below the best degree, within ten per cent of it, and above that."""
    low, high = LEVEL
    return int((ratio < low).sum()), int(ratio.between(low, high).sum()), int((ratio > high).sum())


def _held_out_ratios(errors: pd.DataFrame) -> pd.DataFrame:
    """Divide by the best degree, without crops so flat that all errors are rounding: they tell nothing."""
    table = ratios(errors)
    largest = errors.groupby(table.index.names, sort=False)["l1_error"].max()
    return table[(largest.loc[table.index] > ROUNDING).to_numpy()]


def _cells(column: pd.Series, count: int = 10) -> str:
    """List cells by field, size and kernel size, the largest first."""
    listed = column.sort_values(ascending=False, kind="stable")
    names = listed.index.to_frame()[["field", "size", "kernel_size"]].itertuples(index=False)
    texts = [f"`{f}` {s} px k={k} ({_number(v)})" for (f, s, k), v in zip(names, listed, strict=True)]
    return ", ".join(texts[:count]) + (f", and {len(texts) - count} more" if len(texts) > count else "")


def summary(tables: Tables) -> str:
    """Say on what the constants were chosen, what the mean hides, and what the held-out fields tell."""
    first = _parts(ratios(tables.study))
    large = first[f"{LARGE} px and more"]["adaptive"]
    fields = _fields(large)
    smooth = fields.reindex(KINDS["smooth"]).dropna()
    others = fields.drop(smooth.index)
    crops = tables.held_out.drop_duplicates(["field", "size", "crop"]).groupby("size").size()
    lines = [
        _item(
            f"**Where its constants come from.** They were chosen on the {tables.study['field'].nunique()} fields of "
            "the first set (`experiments/data/study_fields.py`), those that the first two tables show. These tables "
            "say how well it was fitted to them; they are no test."
        ),
        _item(
            f"**What the mean hides.** At {LARGE} px and more the geometric mean over all cells is "
            f"{_number(_mean(large))}. The {len(smooth)} smooth fields have a mean of {_number(_mean(smooth))}, the "
            f"others one of {_number(_mean(others))}. {_told(fields)}"
        ),
        _item(
            f"**The held-out set**: {tables.held_out['field'].nunique()} other fields "
            f"(`experiments/data/held_out_fields.py`), {crops.min()} to {crops.max()} crops of each size, on which "
            "no constant was chosen. Each crop is a cell and has a best degree of its own, where the first set takes "
            f"the mean over crops below {LARGE} px. *Confirmed* means that no field is worse than the best degree by "
            f"more than 10 %, and that the median is at most {WORSE_MEDIAN} above that of the first set."
        ),
    ]
    other = _parts(_held_out_ratios(tables.held_out))
    for (title, before), after in zip(first.items(), other.values(), strict=True):
        was, cells = _fields(before["adaptive"]).median(), after["adaptive"]
        now = _fields(cells)
        holds = now.max() <= LEVEL[1] and now.median() <= was + WORSE_MEDIAN
        real = cells[cells.index.get_level_values("field").isin(list(HELD_OUT_KINDS["real"]))]
        worse = now[now > LEVEL[1]].sort_values(ascending=False)
        names = ", ".join(f"`{field}` {_number(value)}" for field, value in worse.items())
        text = (
            f"*{title.partition(',')[0]}: {'confirmed' if holds else 'not confirmed'}.* {_told(now)}"
            f"{f' These are {names}.' if names else ''} In the first set the median is {_number(was)}. "
            f"{_above(cells)}; of the {len(real)} cells of real fields the worst is {_number(real.max())}."
        )
        if "mean over crops" in title:
            text += f" With errors averaged over the crops, as in the first set: {_averaged(tables)}."
        lines.append(_item(text, "  "))
    return "".join(lines)


def _item(text: str, indent: str = "") -> str:
    """Break an item of a list into lines as the page has them."""
    first, rest = f"{indent}- ", f"{indent}  "
    return (
        fill(text, 130, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)
        + "\n"
    )


def _fields(cells: pd.Series) -> pd.Series:
    return field_means(cells.to_frame()).iloc[:, 0]


def _told(fields: pd.Series) -> str:
    better, level, worse = _better_level_worse(fields)
    return (
        f"The median field is {_number(fields.median())}: {better} of {len(fields)} fields are better than the best "
        f"degree by more than 10 %, {level} lie within 10 % of it, {worse} are worse."
    )


def _above(cells: pd.Series) -> str:
    return f"{int((cells > LEVEL[1]).sum())} of {len(cells)} cells are above 1.10, the worst {_number(cells.max())}"


def _averaged(tables: Tables) -> str:
    """Count the cells above 1.10 of both sets below the large sizes, with errors averaged over the crops."""
    keys = ["field", "size", "kernel_size", "method"]
    averaged = tables.held_out.groupby(keys, as_index=False, sort=False)["l1_error"].mean()
    pairs = _held_out_ratios(averaged), ratios(tables.study)
    now, was = (_above(list(_parts(table).values())[1]["adaptive"]) for table in pairs)
    return f"{now} (first set: {was})"


def _mean(ratio: pd.Series) -> float:
    return float(np.exp(np.log(ratio).mean()))


def rivals(tables: Tables) -> str:
    """Say by how much another mode beats adaptive in a cell, and what selection is worth."""
    large = _parts(ratios(tables.study))[f"{LARGE} px and more"]
    gain = 1 - (large.drop(columns="adaptive").min(axis=1) / large["adaptive"]).min()
    variants = ratios(tables.variants, best_degree(tables.study)).xs(LARGE, level="size")
    default, bare = variants["default"], variants["select=False"]
    return (
        f"With {LARGE} samples or more, no mode of the table is better than `adaptive` by more than "
        f"{np.ceil(100 * max(gain, 0)):.0f} % in any of the cells.\n"
        f"Without selection (`select=False`, {LARGE} px) the mean goes from {_number(_mean(default))} to "
        f"{_number(_mean(bare))} and the worst case from {_number(default.max())} to {_number(bare.max())} times the "
        "best degree.\n"
    )


def losses(tables: Tables) -> str:
    """List the cells of both sets in which adaptive is more than ten per cent above the best degree."""
    lines = []
    sets = {
        "First set": (tables.study, ratios(tables.study)),
        "Held-out set": (tables.held_out, _held_out_ratios(tables.held_out)),
    }
    for name, (errors, table) in sets.items():
        best = best_degree(errors)
        for title, part in _parts(table).items():
            above = part["adaptive"][part["adaptive"] > LEVEL[1]]
            text = f"*{name}, {title.partition(',')[0]}*: {len(above)} of {len(part)} cells above 1.10"
            if len(above):
                counts = above.groupby(level="size").size()
                text += (
                    f" ({', '.join(f'{count} at {size} px' for size, count in counts.items())}): {_cells(above)}. "
                )
                # Where the best degree is exact, the denominator of the ratio is ROUNDING.
                least = best[above.idxmax()]
                error = above.max() * max(least, ROUNDING)
                text += f"In the worst the error is {error:.2g} standard deviations of the field, that of the best "
                text += f"degree {least:.2g}"
            lines.append(_item(f"{text}."))
    return "".join(lines)


def held_out(tables: Tables) -> str:
    """Write the held-out fields kind by kind, and how many cells of flat crops are left out."""
    table = _held_out_ratios(tables.held_out)
    flat = len(ratios(tables.held_out)) - len(table)
    # A cell is a crop here: no mean over crops.
    text = kinds_table(table, HELD_OUT_KINDS).replace("below, mean over crops", "below")
    return text + f"\nLeft out: {flat} cells of flat crops, on which every mode is exact.\n"


def others(tables: Tables) -> str:
    """Compare weights fitted to other crops with those fitted to the crop itself, size by size."""
    text = "| fields | size | own fit | others' fit | others' / own | `replicate` |\n|---|---|---|---|---|---|\n"
    said = []
    for name, errors in (("first set", tables.others), ("held-out set", tables.others_held_out)):
        table = ratios(errors)
        for size, part in table.groupby(level="size", sort=True):
            own, lent = part["adaptive"], part["adaptive_fitted_to_others"]
            cells = (f"{_number(_mean(column))}, {_number(column.max())}" for column in (own, lent))
            text += f"| {name} ({len(part)}) | {size} px | {' | '.join(cells)} | {_mean(lent / own):.2f} "
            text += f"| {_number(_mean(part['replicate']))} |\n"
        large = table[table.index.get_level_values("size") >= ENOUGH]
        own, lent = large["adaptive"], large["adaptive_fitted_to_others"]
        said.append(f"{_mean(lent / own):.2f} times that of the own fit, the worst cell {lent.max():.2f} ({name})")
    sentence = f"From {ENOUGH} px on, by others' weights the geometric mean is {' and '.join(said)}."
    return f"{text}\n{fill(sentence, 130, break_long_words=False, break_on_hyphens=False)}\n"


def calibrated(tables: Tables) -> str:
    """Say what conversion to kept weights and `calibrate` do to networks that were trained with zero padding."""
    found = means(tables.finetuning)
    steps = sorted(set(tables.finetuning["steps"]))
    share = tables.layers.groupby(["model", "layer"])["relative_error"].mean()
    worse = int((share >= 1).sum())
    lines = [
        _item(
            f"In {'all' if not worse else len(share) - worse} of the {len(share)} layers the new weights predict "
            f"hidden samples better than zeros do: with {span(share)} of their error."
        )
    ]
    names = {"adaptive_running": "kept weights", "adaptive": "the own fit", "zeros": "zero padding"}
    for model, (metric, region) in {"ResNet-18": ("accuracy", "whole"), "UNet": ("mse", "frame")}.items():
        told = [
            f"{names[method]} {', '.join(f'{found[metric, region, method, step]:.3f}' for step in steps)}"
            for method in names
        ]
        what = "accuracy" if metric == "accuracy" else "error in the frame"
        lines.append(
            _item(f"{model}, {what} after {', '.join(map(str, steps))} steps of fine-tuning: {'; '.join(told)}.")
        )
    return "".join(lines)


PARTS: dict[str, Callable[[Tables], str]] = {
    "summary": summary,
    "table": lambda tables: markdown(tables.study),
    "rivals": rivals,
    "kinds": lambda tables: kinds_table(ratios(tables.study), KINDS),
    "held out": held_out,
    "losses": losses,
    "others": others,
    "calibrated": calibrated,
}


def marks(part: str) -> tuple[str, str]:
    """Return the marks between which a part stands."""
    return f"<!-- adaptive {part} -->", f"<!-- end of adaptive {part} -->"


def with_parts(page: str, tables: Tables) -> str:
    """Put all parts into the text of a page."""
    for part, write in PARTS.items():
        page = filled(page, *marks(part), write(tables))
    return page


@in_one_sentence("scripts.adaptive_page")
def main() -> None:
    """Write the page anew."""
    tables = read_tables()
    for part, write in PARTS.items():
        update(REPOSITORY / "docs" / "adaptive.md", *marks(part), write(tables))


if __name__ == "__main__":
    main()
