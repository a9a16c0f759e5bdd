"""Kinds of cases: layers that are changed, copied or loaded, and networks that are converted."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import torch
from torch import nn

import diff_conv2d
from tests.fuzz import cases, oracle
from tests.fuzz.cases import LINEAR, TORCHS, chance, choice, integer
from tests.fuzz.check import (
    LAYERS,
    TORCH_LAYERS,
    Failure,
    build,
    judge,
    require,
    same_bits,
)


def check_layer(case):
    """A layer whose attributes are changed, that is copied or takes a state, is the layer built with them."""
    rng = case.rng
    problem = cases.problem(rng, list(LINEAR), [torch.float32, torch.float64])
    problem = replace(problem, via="layer", context="plain", gradient=False, samples=(), layouts=("contiguous",) * 2)
    if problem.padding in ("same", "valid"):
        problem = replace(problem, padding=tuple(k // 2 for k in problem.kernel))
    way = choice(rng, ["attribute", "attribute", "copy", "pickle", "state", "assigned"])
    case.note((way, problem))
    if not problem.has_answer:
        return
    made = cases.tensors(rng, problem)
    layer = build(LAYERS, problem, made, **problem.options)
    if way == "attribute":
        if problem.mode in ("explicit", "diff_explicit"):
            return
        _changed_attribute(case, problem, made, layer)
        return
    expected = layer(made.input)
    if way == "copy":
        other = copy.deepcopy(layer)
    elif way == "pickle":
        other = pickle.loads(pickle.dumps(layer))
    else:
        other = build(LAYERS, problem, cases.tensors(rng, problem), **problem.options)
        state = layer.state_dict()
        if chance(rng, 0.5):
            # torch's layer has no edge kernels: they start as copies of its kernel.
            state = {name: value for name, value in state.items() if not name.startswith("edge")}
        other.load_state_dict({name: value.clone() for name, value in state.items()}, assign=way == "assigned")
        for name in ("edge_weight", "edge_bias"):
            own = getattr(other, name)
            if own is not None and name not in state:
                source = getattr(other, name.removeprefix("edge_"))
                require(own.is_contiguous(), f"{name} is not contiguous after loading")
                require(
                    own.untyped_storage().data_ptr() != source.untyped_storage().data_ptr(), f"{name} shares memory"
                )
                same_bits(name, own, source.expand(own.shape))
                own.data = getattr(layer, name).detach().clone()
    same_bits("output", other(made.input), expected)


def _changed_attribute(case, problem, made, layer):
    """As torch's layer obeys: or an error, but not the answer of before."""
    rng = case.rng
    name = choice(rng, ["padding", "stride", "dilation", "padding_mode"])
    value = choice(rng, [1, 2, (1,), [2] * problem.axes, (1, 2, 1)[: problem.axes]])
    if name == "padding_mode":
        value = choice(rng, [m for m in cases.UNTRAINED if m not in cases.FITTED])
    case.note(f"{name} = {value!r}")
    whole = value if isinstance(value, str) else tuple(oracle.widths(value, problem.kernel, problem.dilation)[0])
    changed = replace(problem, **{"mode" if name == "padding_mode" else name: whole})
    if name == "padding_mode" and value != problem.mode:
        changed = replace(changed, options={})
    try:
        setattr(layer, name, value)
        found = layer(made.input)
    except (ValueError, TypeError, AttributeError) as error:
        named = name in str(error) or not changed.has_answer
        require(named and not (name != "padding_mode" and changed.has_answer), f"{type(error).__name__}: {error}")
        return
    require(changed.has_answer, "an answer where there is none")
    same_bits("output", found, build(LAYERS, changed, made, **changed.options)(made.input))


def check_convert(case):
    """A small network converted: the same parameters, and every layer computes what the oracle says."""
    rng = case.rng
    dtype = choice(rng, [torch.float32, torch.float64])
    n = choice(rng, [1, 2, 3], [0.2, 0.6, 0.2])
    layers, channels = [], 2
    for _ in range(integer(rng, 1, 4)):
        outer = 2 * integer(rng, 1, 2)
        kernel = tuple(choice(rng, [1, 2, 3, 3, 5]) if n < 3 else choice(rng, [1, 3]) for _ in range(n))
        padding = choice(rng, ["same", 0, 1, tuple(k // 2 for k in kernel)])
        layers.append(
            TORCH_LAYERS[n](
                channels,
                outer,
                kernel,
                padding=padding,
                groups=choice(rng, [1, 2]),
                bias=chance(rng, 0.7),
                padding_mode=choice(rng, TORCHS),
                dtype=dtype,
            )
        )
        channels = outer
        layers += choice(rng, [[], [nn.ReLU()], [nn.Sequential(nn.Tanh())]])
    network = nn.Sequential(*layers)
    for parameter in network.parameters():
        parameter.data = cases.numbers(rng, parameter.shape, dtype) / max(parameter[0].numel(), 1)
    mode = choice(rng, LINEAR)
    options = (
        {"degree": integer(rng, 0, 2)}
        if mode in ("diff", "extrapolate", "diff_explicit") and chance(rng, 0.5)
        else {}
    )
    image = cases.numbers(
        rng, (2, 2, *(integer(rng, 17, 19) if n < 3 else integer(rng, 9, 10) for _ in range(n))), dtype
    )
    case.note((network, mode, options, tuple(image.shape)))
    before = {name: (parameter, parameter.detach().clone()) for name, parameter in network.named_parameters()}
    modes_before = [m.padding_mode for m in network.modules() if isinstance(m, tuple(TORCH_LAYERS.values()))]
    zeros = nn.Sequential(*layers) if all(m == "zeros" for m in modes_before) else None
    reference = zeros(image).detach() if zeros is not None else None
    converted = diff_conv2d.convert(network, mode, verbose=False, **options)
    require(converted is network, "convert returns another network")
    for name, (parameter, value) in before.items():
        require(dict(network.named_parameters()).get(name) is parameter, f"{name} is another Parameter")
        same_bits(name, parameter, value)
    seen = []
    for name, module in network.named_modules():
        if isinstance(module, tuple(LAYERS.values())):
            for parameter in (module.edge_weight, module.edge_bias):
                if parameter is not None:
                    parameter.data = cases.numbers(rng, parameter.shape, dtype) / max(parameter[0].numel(), 1)
            module.register_forward_hook(lambda m, i, o, name=name: seen.append((name, m, i[0].detach(), o)))
    network(image)
    for name, module, inside, output in seen:
        if not isinstance(module, tuple(LAYERS.values())):
            continue
        padding = module.padding if isinstance(module.padding, str) else tuple(module.padding)
        problem = cases.Problem(
            mode,
            tuple(inside.shape[2:]),
            module.kernel_size,
            module.stride,
            module.dilation,
            padding,
            module.groups,
            (module.in_channels, module.out_channels),
            2,
            dtype,
            options=options,
            gradient=False,
        )
        if not problem.has_answer:
            raise Failure(f"layer {name} gave an answer where there is none")
        own = cases.Tensors(inside, module.weight, module.bias, module.edge_weight, module.edge_bias)
        try:
            judge(case, problem, own, output.detach(), {})
        except Failure as failure:
            raise Failure(f"layer {name}, {module}: {failure}") from failure
    diff_conv2d.convert(network, "zeros", verbose=False)
    if reference is not None:
        same_bits("output after conversion and back", network(image), reference)
