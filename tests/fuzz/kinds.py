"""The kinds of cases, how often each is drawn, and how a case is tried."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from tests.fuzz import wrong
from tests.fuzz.cases import choice
from tests.fuzz.check import Case, Failure, rejected
from tests.fuzz.chunks import check_chunked
from tests.fuzz.convolutions import check_against_oracle, check_against_torch, check_integers, check_paper
from tests.fuzz.extensions import check_fitted, check_pad
from tests.fuzz.layers import check_convert, check_layer
from tests.fuzz.transforms import check_transform


def check_wrong(case):
    """Wrong arguments: an error that names the argument."""
    names, call, text = wrong.draw(case.rng)
    case.note(text)
    rejected(call, names)


KINDS = {
    check_against_torch: 0.22,
    check_against_oracle: 0.28,
    check_pad: 0.12,
    check_integers: 0.03,
    check_paper: 0.05,
    check_fitted: 0.08,
    check_chunked: 0.05,
    check_convert: 0.04,
    check_layer: 0.04,
    check_transform: 0.03,
    check_wrong: 0.06,
}


def try_case(seed, number, only=""):
    """Try a case by itself, if its kind is `only`; returns what there is to say of a failure, or None."""
    case = Case(np.random.default_rng([seed, number]))
    torch.manual_seed(number)
    kind = choice(case.rng, KINDS, list(KINDS.values()))
    if only not in kind.__name__:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind(case)
    except Failure as failure:
        what = str(failure)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
    else:
        return None
    return "\n".join([kind.__name__, *(f"  {note}" for note in case.notes), f"  {what}"])
