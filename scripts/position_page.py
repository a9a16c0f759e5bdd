"""The numbers of docs/position.md, made from results/tables/position.csv: `python -m scripts.position_page`."""

import textwrap

import numpy as np
import pandas as pd

from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.figures.tables import TABLES, read_table
from scripts.intervals import Estimate, estimate, holm
from scripts.pages import update
from scripts.prose import listed, span
from scripts.sweeps import REFERENCE

__all__ = ["END", "PRIMARY", "START", "comparisons", "main", "markdown", "position", "sentence", "units"]

START, END = "<!-- table of position -->", "<!-- end of table of position -->"
WIDTH = 118
# The primary comparison with zero padding, named before the runs in configs/position.yaml.
PRIMARY = "diff"
# A mode that tells nothing, and the control of true context.
BLIND, CONTEXT = "replicate", "halo"
# Smaller p-values are not told apart.
LEAST_P = 1e-4
# Of the thresholds in the table, the one that the page shows.
SHOWN = "aware_0.5"
COORDINATES = ("horizontal", "vertical")


def position(table: pd.DataFrame, network: str, images: str = "natural", measure: str = "spearman") -> pd.DataFrame:
    """The mean over the horizontal and the vertical target: a row for each method, a column for each seed.

    Raises:
        ValueError: a method lacks a seed that another has.
    """
    chosen = table[(table["network"] == network) & (table["images"] == images) & (table["measure"] == measure)]
    chosen = chosen[chosen["target"].isin(COORDINATES)]
    return _complete(chosen.pivot_table("value", "method", "seed", sort=False), network)


def units(table: pd.DataFrame, network: str, measure: str = SHOWN) -> pd.DataFrame:
    """How many units see the edge: a row for each method, a column for each seed."""
    chosen = table[(table["network"] == network) & (table["measure"] == measure)]
    return _complete(chosen.pivot_table("value", "method", "seed", sort=False), network)


def _complete(values: pd.DataFrame, network: str) -> pd.DataFrame:
    lacking = values.isna().any(axis=1)
    if values.empty or lacking.any():
        which = f"of {values.index[lacking][0]} for every seed" if len(values) else "at all"
        raise ValueError(f"the table has no {network} networks {which}; `make reproduce-position` makes it again")
    return values


def comparisons(table: pd.DataFrame) -> pd.DataFrame:
    """The correlation of each method's trained networks less that of zero padding, paired by seed.

    Returns:
        A row for each other method: `mean`, `low`, `high` and `p`, that of the primary comparison as it is, those of
        the others corrected for their number.
    """
    values = position(table, "trained")
    others = [method for method in values.index if method != REFERENCE]
    found = pd.DataFrame(
        [estimate((values.loc[method] - values.loc[REFERENCE]).to_numpy()) for method in others], others
    )
    secondary = found.index != PRIMARY
    found.loc[secondary, "p"] = holm(found.loc[secondary, "p"].to_numpy())
    return found


def sentence(table: pd.DataFrame) -> str:
    """Say what the study found.

    Raises:
        ValueError: the table lacks a number, or does not show what the words say.
    """
    networks = ("untrained", "trained", "converted")
    found = {network: position(table, network) for network in networks}
    errors = {network: position(table, network, measure="mae") for network in networks}
    colour, aware = position(table, "trained", "constant"), {network: units(table, network) for network in networks}
    trained, primary = found["trained"], comparisons(table).loc[PRIMARY]
    blind = [method for method in trained.index if trained.loc[method].max() < 0.2]
    shown = (
        found["untrained"].loc[REFERENCE].min() > 0.9
        and errors["trained"].loc[REFERENCE].mean() < errors["untrained"].loc[REFERENCE].mean()
        and {BLIND} <= set(blind)
        and found["converted"].loc[BLIND].max() < 0.2 < found["converted"].loc[PRIMARY].min()
        and primary["high"] < 0
        and colour.loc[PRIMARY].abs().max() < 0.1
    )
    if not shown:
        raise ValueError("the table does not show what the page says: write other words")
    total = units(table, "trained", "units").to_numpy().max()
    return (
        "Zero padding tells a network where a pixel is before any training; the training adds little. The read-out "
        f"of a ResNet-18 with zero padding has a correlation of {_mean(found['untrained'], REFERENCE)} before its "
        f"training and {_mean(trained, REFERENCE)} after it, and a mean absolute error of "
        f"{_mean(errors['untrained'], REFERENCE)} and {_mean(errors['trained'], REFERENCE)}. Converted to `{BLIND}`, "
        f"the trained network has a correlation of {_mean(found['converted'], BLIND)}: the read-out "
        f"finds no position in it. Networks trained with {listed([f'`{method}`' for method in blind])} have "
        f"{span(trained.loc[blind].mean(axis=1))}. The primary comparison, `{PRIMARY}` less `{REFERENCE}`, trained: "
        f"{_interval(Estimate(**primary))}, p {_sign(primary['p'])}. So `{PRIMARY}` tells position too, "
        f"{_mean(trained, PRIMARY)}, but not on images of one colour, {_mean(colour, PRIMARY)}. Of {total:.0f} units "
        f"{_count(aware['untrained'], REFERENCE)} see the zeros before the training, "
        f"{_count(aware['trained'], REFERENCE)} after it, and {_count(aware['converted'], BLIND)} after `convert` "
        f"to `{BLIND}`; with `{PRIMARY}` {_count(aware['trained'], PRIMARY)} see the edge. With 32 px of true "
        "context between the image and the zeros the correlation is "
        f"{_mean(found['untrained'], CONTEXT)} before the training and {_mean(trained, CONTEXT)} after it. "
        f"(Means over {trained.shape[1]} seeds, 95 % intervals.)"
    )


def markdown(table: pd.DataFrame) -> str:
    """The sentence, and a row for each method."""
    compared, trained = comparisons(table), position(table, "trained")
    columns = {
        "held-out": trained,
        "noise": position(table, "trained", "noise"),
        "one colour": position(table, "trained", "constant"),
        "untrained": position(table, "untrained"),
        "after `convert`": position(table, "converted"),
    }
    errors = position(table, "trained", measure="mae")
    counts = {network: units(table, network) for network in ("untrained", "trained", "converted")}
    text = textwrap.fill(sentence(table), WIDTH, break_on_hyphens=False)
    head = ["mode", *columns, "less `zeros`", "p", "MAE", *(f"units, {name}" for name in counts)]
    text += "\n\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|\n"
    for method in trained.index:
        cells = [f"`{method}`", *(_cell(values, method, ".2f") for values in columns.values())]
        if method in compared.index:
            row = compared.loc[method]
            p = f"{_p(row['p'])}{' (primary)' if method == PRIMARY else ''}"
            cells += [_interval(Estimate(**row)), p]
        else:
            cells += ["", ""]
        cells += [_cell(errors, method, ".3f"), *(_cell(values, method, ".0f") for values in counts.values())]
        text += "| " + " | ".join(cells) + " |\n"
    return text


def _cell(values: pd.DataFrame, method: str, form: str) -> str:
    # No network of zeros or of true context is converted.
    # Adding 0 takes the sign off a zero.
    return format(float(format(values.loc[method].mean(), form)) + 0.0, form) if method in values.index else ""


def _mean(values: pd.DataFrame, method: str) -> str:
    found = estimate(values.loc[method].to_numpy())
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


def _count(values: pd.DataFrame, method: str) -> str:
    found = estimate(values.loc[method].to_numpy())
    return f"{found.mean:.0f} ({max(found.low, 0):.0f} to {found.high:.0f})"


def _interval(found: Estimate) -> str:
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _sign(p: float) -> str:
    return f"= {_p(p)}" if p >= LEAST_P else _p(p)


def _p(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2g}" if value >= LEAST_P else f"below {LEAST_P:g}"


@in_one_sentence("scripts.position_page")
def main() -> None:
    """Write the sentence and the table into the page."""
    table = read_table(TABLES / "position.csv", (), "make reproduce-position")
    update(REPOSITORY / "docs" / "position.md", START, END, markdown(table))


if __name__ == "__main__":
    main()
