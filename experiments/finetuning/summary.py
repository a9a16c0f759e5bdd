"""What conversion does to trained networks, in a few sentences with the numbers of the table."""

import pandas as pd

__all__ = ["MOST_FREQUENT", "means", "sentence"]

# In the column of methods: always the same answer, that of the most frequent class.
MOST_FREQUENT = "most_frequent_class"

ACCURACY, FRAME = ("accuracy", "whole"), ("mse", "frame")


def means(table: pd.DataFrame) -> pd.Series:
    """The mean over seeds, by metric, region, method and steps.

    Raises:
        ValueError: a method lacks a seed that another has at one of the steps.

    Example:
        >>> columns = ["method", "seed", "steps", "metric", "region", "value"]
        >>> rows = [("zeros", 0, 0, "mse", "frame", 0.25), ("zeros", 1, 0, "mse", "frame", 0.75)]
        >>> means(pd.DataFrame(rows, columns=columns))["mse", "frame", "zeros", 0].item()
        0.5
    """
    groups = table.groupby(["metric", "region", "method", "steps"])
    seeds = groups["seed"].nunique()
    for metric, of_metric in table.groupby("metric"):
        every = of_metric["seed"].nunique()
        if (seeds[metric] < every).any():
            region, method, steps = seeds[metric].idxmin()
            raise ValueError(f"{method} has {metric} ({region}) after {steps} steps for fewer than {every} seeds")
    return groups["value"].mean()


def sentence(table: pd.DataFrame) -> str:
    """Say what conversion costs a trained network, and what fine-tuning gives back.

    The docstring of `diff_conv2d.convert`, the README and the notebook hold these words.

    Args:
        table: results/tables/finetuning.csv.

    Raises:
        ValueError: the table lacks a number, or does not show that conversion costs accuracy.
    """
    found = means(table)
    last = table["steps"].max()

    def value(of: tuple[str, str], method: str, steps: int) -> float:
        if (*of, method, steps) not in found.index:
            raise ValueError(f"the table has no {of[0]} ({of[1]}) of {method} after {steps} steps")
        return float(found[(*of, method, steps)])

    def accuracy(method: str, steps: int) -> str:
        return f"{value(ACCURACY, method, steps):.3f}"

    def change(method: str, steps: int) -> str:
        share = value(FRAME, method, steps) / value(FRAME, "zeros", steps)
        # A share of twice the error and more reads better as a multiple.
        return f"{100 * (share - 1):+.0f} %" if share < 2 else f"{share:.1f} times"

    three = ("replicate", "adaptive", "diff")
    if any(value(ACCURACY, method, 0) >= value(ACCURACY, "zeros", 0) for method in three):
        raise ValueError("the table does not show that conversion costs accuracy: write other words")
    kinds = table[table["steps"] == last].groupby("metric")["seed"].nunique()
    return (
        "Converting a network that is trained already changes what it computes at every edge, and costs accuracy "
        "until the network is fine-tuned. A ResNet-18 trained with zero padding has an accuracy of "
        f"{accuracy('zeros', 0)}. Converted, and not trained further, it has {accuracy('replicate', 0)} "
        f"(`replicate`), {accuracy('adaptive', 0)} (`adaptive`) and {accuracy('diff', 0)} (`diff` of degree 2), "
        f"where always answering the most frequent class gives {accuracy(MOST_FREQUENT, 0)}. After {last} steps of "
        f"fine-tuning it has {accuracy('replicate', last)}, {accuracy('adaptive', last)} and "
        f"{accuracy('diff', last)}, and with zero padding, fine-tuned alike, {accuracy('zeros', last)}. The error of "
        f"a UNet in the frame of 8 px, compared with zero padding: `adaptive` {change('adaptive', 0)}, `diff` "
        f"{change('diff', 0)}, `partial` {change('partial', 0)}; after {last} steps {change('adaptive', last)}, "
        f"{change('diff', last)} and {change('partial', last)}. (Means over {_seeds(kinds)}.)"
    )


def _seeds(counts: pd.Series) -> str:
    """How many seeds the means are over."""
    numbers = [counts[metric] for metric, _ in (ACCURACY, FRAME)]
    if numbers[0] != numbers[1]:
        return f"{numbers[0]} and {numbers[1]} seeds"
    return f"{numbers[0]} seeds" if numbers[0] > 1 else "one seed"
