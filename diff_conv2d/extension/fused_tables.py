"""What the fused kernels are told of an extension: its sums, term by term, and how the work is dealt to programs.

An extension along one axis is written as text, for it becomes an argument of an operator: samples added at the low
and at the high end, and the rule of each end. A rule is the text of a matrix (see `extension.axis`), ``-`` where
nothing is added, or ``weights:first:distances:differences:dilation``: predictors whose weights come apart, see
`by_axis.predicted`, as a part of all weights of the axis, which begins with number `first`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diff_conv2d.extension.axis import Axis, IntegerMatrix, read_matrix

__all__ = ["Plan", "Predictor", "axes_of", "channels_are_last", "pairs_of", "plan_for", "strides_for"]

# No such term, as the kernels know it.
_NONE = -(2**31)
# Offsets are computed with 32 bits.
_MOST_SAMPLES = 2**31 - 2**16
# Most terms of one sum over all axes: it is done by one lane.
_MOST_TERMS = 4096
# Samples of a tile that is copied, and of a program that sums.
_TILE, _BLOCK = 1024, 256
# Where the terms begin in a table.
_HEADER = 32

#: For each weight of an axis a sample outside, and two samples of the image.
_Pairs = list[list[tuple[int, int, int]]]


class Predictor(NamedTuple):
    """The rule of an end that has predictors: p distances, m - 1 differences, and where their weights begin."""

    first: int
    distances: int
    differences: int
    dilation: int

    @property
    def text(self) -> str:
        """The rule, as an operator takes it."""
        return "weights:" + ":".join(map(str, self))


class Term(NamedTuple):
    """One term of a sum: a sample, and its weight, a constant plus one of the weights minus another one of them."""

    source: int
    constant: int
    plus: int = -1
    minus: int = -1


class _Matrix(NamedTuple):
    """The sparse matrix of an axis: the sums of its first and last rows, and what is copied between them."""

    low: int
    copied: int
    sums: tuple[tuple[Term, ...], ...]
    #: From a copied row to its source.
    shift: int
    #: Samples of the source.
    length: int


@lru_cache(maxsize=1024)
def axes_of(text: str) -> tuple[Axis, ...]:
    """Read the axes of an image, outermost first; `Axis.low` and `high` may be a `Predictor`.

    Example:
        >>> from diff_conv2d.modes.polynomial_weights import Polynomial
        >>> axes_of("1 0 polynomial:2:1 -")
        (Axis(dim=-1, before=1, after=0, low=Polynomial(degree=2, dilation=1), high=None, dilation=1),)
    """
    parts = text.split(";")
    axes = []
    for number, part in enumerate(parts):
        before, after, low, high = part.split()
        axes.append(Axis(number - len(parts), int(before), int(after), _rule(low), _rule(high)))
    return tuple(axes)


def _rule(text: str) -> Any:
    if text == "-":
        return None
    name, *numbers = text.split(":")
    return Predictor(*map(int, numbers)) if name == "weights" else read_matrix(text)


def _terms(rule: IntegerMatrix | Predictor, length: int, distance: int) -> list[Term]:
    """Return the terms of the sample at a distance beyond an end, with places counted from that end."""
    if not isinstance(rule, Predictor):
        return [Term(place, weight) for place, weight in zip(*rule.sources(length, distance), strict=True)]
    first, _, count, step = rule
    # The lattice of the sample begins inside at (-s) mod d; its distance from there in steps is a row of weights.
    place = -distance % step
    row = first + ((distance + place) // step - 1) * count
    # x(0) + sum_j v(j) (x(j) - x(j - 1))
    plus = (-1, *range(row, row + count))
    minus = (*range(row, row + count), -1)
    return [
        Term(place + j * step, int(j == 0), added, taken)
        for j, (added, taken) in enumerate(zip(plus, minus, strict=True))
    ]


def _outside(axis: Axis, length: int) -> dict[int, list[Term]]:
    """Return the terms of each sample outside, by its place in the extended axis."""
    rows = {}
    for s in range(1, axis.before + 1):
        rows[axis.before - s] = _terms(axis.low, length, s)  # type: ignore[arg-type]
    for s in range(1, axis.after + 1):
        terms = _terms(axis.high, length, s)  # type: ignore[arg-type]
        rows[axis.before + length + s - 1] = [term._replace(source=length - 1 - term.source) for term in terms]
    return rows


def _extension(axis: Axis, length: int) -> _Matrix:
    rows = _outside(axis, length)
    return _Matrix(axis.before, length, tuple(tuple(rows[row]) for row in sorted(rows)), -axis.before, length)


def _adjoint(axis: Axis, length: int) -> _Matrix:
    """Return the transposed matrix: each sample of the image and the rows that read it, first of all its own."""
    readers: dict[int, list[Term]] = {}
    for row, terms in sorted(_outside(axis, length).items()):
        for term in terms:
            readers.setdefault(term.source, []).append(term._replace(source=row))
    # Samples that no other row reads are copied: the longest run of them, which lies in the middle of a long axis.
    read = [-1, *sorted(readers), length]
    gaps = [(after - before - 1, before + 1) for before, after in pairwise(read)]
    copied, low = max(gaps)
    every = [*range(low), *range(low + copied, length)]
    sums = tuple((Term(place + axis.before, 1), *readers.get(place, ())) for place in every)
    return _Matrix(low, copied, sums, axis.before, length + axis.before + axis.after)


@lru_cache(maxsize=1024)
def pairs_of(axis: Axis, length: int) -> _Pairs:
    """Return for each weight of an axis where it counts: samples outside, and the two samples of its difference."""
    pairs: dict[int, list[tuple[int, int, int]]] = {}
    for row, terms in sorted(_outside(axis, length).items()):
        places = {term.minus: term.source for term in terms}
        for term in terms:
            if term.plus >= 0:
                pairs.setdefault(term.plus, []).append((row, term.source, places[term.plus]))
    rules: list[Any] = [rule for rule in (axis.low, axis.high) if isinstance(rule, Predictor)]
    slots = max((rule.first + rule.distances * rule.differences for rule in rules), default=0)
    return [pairs.get(slot, []) for slot in range(slots)]


def channels_are_last(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether an image (N, C, ...) has its channels adjacent in memory, as `by_axis.channels_last_format` tells."""
    return len(sizes) in (4, 5) and sizes[1] > 1 and strides[1] == 1 and strides[-1] >= sizes[1]


def strides_for(sizes: Sequence[int], channels_last: bool) -> tuple[int, ...]:
    """Return the strides of a new image, contiguous or with channels last."""
    order = [0, *range(2, len(sizes)), 1] if channels_last else range(len(sizes))
    strides, step = [0] * len(sizes), 1
    for dim in reversed(order):
        strides[dim] = step
        step *= max(sizes[dim], 1)
    return tuple(strides)


class Plan(NamedTuple):
    """All that a kernel needs besides the tensors of a call."""

    sizes: tuple[int, ...]  # of the result
    strides: tuple[int, ...]
    programs: int
    table: Tensor
    constants: Tensor
    integers: tuple[int, ...]  # N, C, copied rows of the three axes, and samples of the source along them
    read: tuple[int, ...]
    write: tuple[int, ...]
    options: dict[str, Any]


@lru_cache(maxsize=1024)
def plan_for(
    text: str,
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
    adjoint: bool,
) -> Plan | None:
    """Plan the extension of an image, or its adjoint; None if the kernels cannot do it.

    Args:
        text: of the axes.
        sizes: of what is read: the image, or the gradient of the extended one.
        strides: of what is read.
        dtype: of what is read.
        device: of what is read.
        adjoint: plan the adjoint.
    """
    axes = axes_of(text)
    added = [axis.before + axis.after for axis in axes]
    inner = sizes[2:]
    lengths = [size - more for size, more in zip(inner, added, strict=True)] if adjoint else list(inner)
    made = [size - more if adjoint else size + more for size, more in zip(inner, added, strict=True)]
    result = (*sizes[:2], *made)
    reach = [sum((n - 1) * step for n, step in zip(sizes, strides, strict=True) if n), prod(sizes), prod(result)]
    if max(reach) > _MOST_SAMPLES:
        return None
    matrix = _adjoint if adjoint else _extension
    matrices = [matrix(axis, length) for axis, length in zip(axes, lengths, strict=True)]
    if prod(max(map(len, m.sums), default=1) or 1 for m in matrices) > _MOST_TERMS:
        return None
    # Axes that the image does not have come first.
    lacking = 3 - len(axes)
    matrices = [*[_Matrix(0, 1, (), 0, 1)] * lacking, *matrices]
    pairs = [[]] * 3 if adjoint else [*[[]] * lacking, *map(pairs_of, axes, lengths)]
    table, constants = _table(matrices, pairs)
    computing = torch.float64 if dtype == torch.float64 else torch.float32
    last = channels_are_last(sizes, strides)
    written, innermost = strides_for(result, last), 1 if last else -1
    tile = _tile(result[1] if last else matrices[2].copied)
    absent = (0,) * lacking
    return Plan(
        result,
        written,
        _programs(matrices, result, last, **tile),
        *_kept(table, constants, computing, device),
        (*result[:2], *(m.copied for m in matrices), *(m.length for m in matrices)),
        (*strides[:2], *absent, *strides[2:]),
        (*written[:2], *absent, *written[2:]),
        {"LAST": last, "DENSE": strides[innermost] == written[innermost] == 1, **tile, "BLOCK": _BLOCK},
    )


def _table(matrices: list[_Matrix], pairs: list[_Pairs]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the table and the constants, as `fused_kernels` describes them."""
    terms: list[tuple[int, Term | None]] = []
    header = []
    for m in matrices:
        most = max(map(len, m.sums), default=0)
        header += [m.low, len(m.sums), most, len(terms), m.shift]
        terms += [(m.length, term) for row in m.sums for term in (*row, *[None] * (most - len(row)))]
    triples: list[int] = []
    for m, of_axis in zip(matrices, pairs, strict=True):
        most = max(map(len, of_axis), default=0)
        header += [_HEADER + 3 * len(terms) + len(triples), most, len(of_axis)]
        for of_weight in of_axis:
            for row, plus, minus in of_weight:
                triples += [
                    _counted(row, len(m.sums) + m.copied),
                    _counted(plus, m.length),
                    _counted(minus, m.length),
                ]
            triples += [_NONE] * 3 * (most - len(of_weight))
    header += [len(terms)] + [0] * (_HEADER - len(header) - 1)
    sources = [_NONE if term is None else _counted(term.source, length) for length, term in terms]
    places = [[-1 if term is None else term[kind] for _, term in terms] for kind in (2, 3)]
    constants = tuple(0 if term is None else term.constant for _, term in terms)
    return (*header, *sources, *places[0], *places[1], *triples), constants


def _counted(place: int, length: int) -> int:
    """Return a place counted from the nearer end, so that images of many sizes share a table."""
    return place if 2 * place < length else place - length


def _tile(samples: int) -> dict[str, int]:
    """Return the tile in which the inside is copied, for lines of so many samples."""
    width = min(max(1 << (samples - 1).bit_length() if samples else 1, 8), 256)
    return {"LINES": _TILE // width, "SAMPLES": width}


def _programs(matrices: list[_Matrix], result: tuple[int, ...], last: bool, LINES: int, SAMPLES: int) -> int:
    """Return how many programs the kernel takes: some for the copy, and some for each kind of sums."""
    images, channels = result[:2]
    copied = [m.copied for m in matrices]
    lines = prod(copied) * images if last else images * channels * copied[0] * copied[1]
    programs = -(-lines // LINES) * -(-(channels if last else copied[2]) // SAMPLES)
    for kind in range(1, 8):
        rows = [len(m.sums) if kind >> axis & 1 else m.copied for axis, m in enumerate(matrices)]
        programs += -(-images * channels * prod(rows) // _BLOCK)
    return programs


# Tables by their contents. They are never dropped: a CUDA graph that was captured reads them whenever it is replayed.
_TABLES: dict[Any, tuple[Tensor, Tensor]] = {}


def _kept(
    numbers: tuple[int, ...], constants: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    key = numbers, constants, dtype, device
    if key not in _TABLES:

        def make() -> None:
            # Kept for other calls, which may want a gradient.
            with torch.inference_mode(False):
                index = torch.tensor(numbers or (0,), dtype=torch.int32, device="cpu").to(device)
                _TABLES[key] = index, torch.tensor(constants or (0,), dtype=dtype, device="cpu").to(device)

        # In another thread: this one may be warming up a CUDA graph, and then allocates from a pool that is the
        # graph's alone.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(make).result()
    return _TABLES[key]
