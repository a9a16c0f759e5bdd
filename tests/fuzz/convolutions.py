"""Kinds of cases: convolutions against torch and against the oracle."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from diff_conv2d.functional import DiffConv2d
from diff_conv2d.layers import DiffConv2dLayer
from tests.fuzz import cases, oracle
from tests.fuzz.cases import LINEAR, TORCHS, chance, choice
from tests.fuzz.check import (
    TORCH_LAYERS,
    build,
    judge,
    output_of,
    padding_of,
    prepared,
    rejected,
    require,
    same_bits,
    sizes,
    upstream,
    within,
    without_onednn,
)


def check_against_torch(case):
    """torch's own four modes: layers and functions give what torch's layer does, to the bit."""
    draw = cases.large if chance(case.rng, 0.02) else cases.problem
    problem = replace(draw(case.rng, TORCHS), algorithm=choice(case.rng, ["auto", "auto", "direct"]))
    case.note(problem)
    with without_onednn(problem):
        _same_as_torchs(case, problem)


def _same_as_torchs(case, problem):
    made = prepared(case, problem)
    before = made.input.detach().clone()

    def torchs():
        if problem.via == "function":
            with within(problem.context):
                return _torchs_function(problem, made), dict(made.items())
        layer = build(TORCH_LAYERS, problem, made)
        with within(problem.context):
            return layer(made.input), dict(layer.named_parameters())

    try:
        expected, parameters = torchs()
    except Exception as error:
        if problem.mode in ("reflect", "circular") and problem.has_answer:
            # A pad wider than the image, of which torch has none: `check_against_oracle` sees those.
            return
        case.note(f"torch: {type(error).__name__}: {error}")
        if isinstance(error, NotImplementedError):
            return
        rejected(lambda: output_of(problem, made))
        return
    actual, ours = output_of(problem, made)
    same_bits("output", actual, expected)
    same_bits("input after the call", made.input, before)
    require(actual.requires_grad == expected.requires_grad, f"requires_grad is {actual.requires_grad}")
    if not problem.gradient:
        return
    grad = upstream(case, problem, actual)
    names = [name for name in ("weight", "bias") if name in parameters]
    theirs = torch.autograd.grad(expected, [made.input, *(parameters[n] for n in names)], grad)
    own = torch.autograd.grad(actual, [made.input, *(ours[n] for n in names)], grad)
    for name, one, other in zip(["input", *names], own, theirs, strict=True):
        same_bits(f"gradient of {name}", one, other)


def _torchs_function(problem, made):
    """What torch's layer does, with its functions."""
    before, after = oracle.widths(problem.padding, problem.kernel, problem.dilation)
    if problem.padding == "same" and max(problem.stride) > 1:
        raise ValueError("torch's layer rejects this at its construction")
    arguments = sizes(problem)
    image = made.input
    if problem.mode != "zeros":
        image = F.pad(image, padding_of(before, after), problem.mode)
        arguments["padding"] = 0
    return getattr(F, f"conv{problem.axes}d")(image, made.weight, made.bias, **arguments)


def check_against_oracle(case):
    """Every mode whose extension is linear: outputs and gradients against sums in double precision."""
    draw = cases.large if chance(case.rng, 0.04) else cases.problem
    problem = case.note(draw(case.rng, LINEAR))
    if not problem.has_answer:
        made = cases.Tensors(
            cases.numbers(case.rng, problem.image_shape, problem.dtype),
            cases.numbers(case.rng, problem.weight_shape, problem.dtype),
            None,
            None,
            None,
        )
        plain = replace(problem, gradient=False, bias=False, via="function", context="plain")
        rejected(lambda: output_of(plain, made))
        return
    made = prepared(case, problem)
    before = made.input.detach().clone()
    with without_onednn(problem):
        actual, ours = output_of(problem, made)
        same_bits("input after the call", made.input, before)
        judge(case, problem, made, actual, ours)


def check_integers(case):
    """Convolutions of integers: torch's own modes give what torch gives where it can, all else is refused."""
    rng = case.rng
    problem = cases.problem(rng, cases.UNTRAINED)
    dtype = choice(rng, [torch.uint8, torch.int32, torch.int64])
    problem = replace(
        problem, context="plain", gradient=False, bias=False, via="function", options={}, layouts=("contiguous",) * 2
    )
    problem = replace(problem, dtype=dtype, samples=(), batch=problem.batch or 1)
    case.note(problem)
    image, weight = (
        torch.from_numpy(rng.integers(0, 9, s)).to(dtype) for s in (problem.image_shape, problem.weight_shape)
    )
    made = cases.Tensors(image, weight, None, None, None)
    if problem.mode not in TORCHS or not problem.has_answer:
        if problem.mode in ("symmetric", "constant"):
            # They could keep them as well.
            return
        rejected(lambda: output_of(problem, made), ["input", "padding", "weight", "stride", "padding_mode"])
        return
    before, after = oracle.widths(problem.padding, problem.kernel, problem.dilation)
    spare = {"reflect": 1, "circular": 0}.get(problem.mode)
    ends = zip(before, after, problem.shape, strict=True)
    if spare is not None and any(max(widths) and max(widths) + spare > n for *widths, n in ends):
        # A pad wider than the image, of which torch has none.
        return
    if max(problem.dilation) > 1 and dtype != torch.int64:
        # torch has no such convolution.
        rejected(lambda: output_of(problem, made), ["input"])
        return
    pairs = [width for pair in zip(before[::-1], after[::-1], strict=True) for width in pair]
    padded = F.pad(image, pairs, "constant" if problem.mode == "zeros" else problem.mode)
    convolve = getattr(F, f"conv{problem.axes}d")
    expected = convolve(padded, weight, None, problem.stride, 0, problem.dilation, problem.groups)
    same_bits("output", output_of(problem, made)[0], expected)


def check_paper(case):
    """The paper's class and layer: 'memory' and 'speed', gradients kept or not, edge kernels."""
    rng = case.rng
    problem = cases.problem(rng, ["diff"], axes=2)
    edge, keep = chance(rng, 0.4), chance(rng, 0.6)
    problem = replace(
        problem,
        mode="diff_explicit" if edge else "diff",
        options={},
        stride=(1, 1),
        dilation=(1, 1),
        padding="same",
        bias=problem.bias and problem.via == "layer",
        algorithm="auto",
        context="plain",
    )
    way = choice(rng, ["memory", "speed"])
    case.note((problem, f"edge={edge}", f"keep={keep}", way))
    with without_onednn(problem):
        _as_the_paper(case, problem, keep, way)


def _as_the_paper(case, problem, keep, way):
    """The paper's class or layer against the oracle."""
    edge = problem.mode == "diff_explicit"
    made = prepared(case, problem)
    if problem.via == "function":
        made.edge_bias = None
        output = DiffConv2d(problem.kernel).conv2d(
            made.input, made.weight, problem.groups, keep, made.edge_weight, optimized_for=way
        )
        ours = dict(made.items())
    else:
        layer = DiffConv2dLayer(
            *problem.channels, problem.kernel, problem.groups, problem.bias, keep, edge, way, dtype=problem.dtype
        )
        for name, value in made.items():
            if name != "input":
                setattr(layer, name, nn.Parameter(value.detach(), requires_grad=problem.gradient))
        output, ours = layer(made.input), dict(layer.named_parameters())
    judge(case, problem, made, output, ours, keep=keep)
