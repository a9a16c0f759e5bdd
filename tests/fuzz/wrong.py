"""Calls with one argument that is wrong, and the names of which the error must tell at least one."""

from __future__ import annotations

import dask.array as da
import numpy as np
import torch
from torch import nn

import diff_conv2d
from diff_conv2d.chunked import correlate
from diff_conv2d.functional import DiffConv2d
from diff_conv2d.layers import DiffConv2dLayer
from tests.fuzz.cases import UNTRAINED, chance, choice, integer

HUGE = 2**70


def counts(n, least):
    """What is no count for each of n axes."""
    bad = [least - 1, -HUGE, 1.5, "1", True, [1] * (n + 1), [], [1.5] * n, ["1"] * n, [[1]] * n, {1}, object()]
    return [*bad, (least - 1,) * n, [1] * (n - 1) + [least - 1], [True] * n, b"11", torch.ones(2), np.ones(n)]


def _of_tensors(n, tensor):
    """What is no tensor of the kind asked for."""
    return [
        "x",
        1.0,
        [1.0, 2.0],
        tensor.numpy(),
        tensor[0],
        tensor.to(torch.float16),
        tensor.to(torch.complex64),
        tensor.int(),
    ]


def _of_options(n):
    """Wrong options by mode."""
    degrees = [-1, 1.5, "2", True, [1] * (n + 1), [[1], [2]], [1.5] * n, object(), b"1", {1: 2}]
    return {
        "diff": {"degree": degrees, "foo": [1]},
        "extrapolate": {"degree": degrees, "taps": [3]},
        "zeros": {"degree": [1], "foo": [1], "generator": [torch.Generator()]},
        "reflect": {"degree": [0]},
        "random": {"generator": [3, "x", object()], "degree": [1]},
        "linear_prediction": {
            "neighbourhood": [
                3,
                (3, 1),
                (1, 2),
                "11",
                (1, 1.5),
                (1,),
                (1, 1, 1),
                (0, 1),
                (1, -1),
                (True, 1),
                object(),
            ]
            + ([(1, 3)] if n != 2 else []),
            "fit_gradient": ["no", 2, object()],
            "taps": [3],
        },
        "adaptive": {
            "taps": [1, 0, -3, 2.5, "3", True, [3], object()],
            "ridge": [0, -1.0, "x", float("nan"), [1e-3], object(), True],
            "band": [2, -1, 2.5, "30", True, [30]],
            "pool": ["all", "", 3, ["channels"], True, object(), {}],
            "select": ["no", 2, [True], object(), 0.5],
            "fit_gradient": ["no", 2, [], object()],
            "fit_dtype": [torch.float16, torch.int32, "float64", float, 3],
            "degree": [1],
            "foo": [None.__class__],
        },
    }


def _is(value, tensor):
    return isinstance(value, torch.Tensor) and value.shape == tensor.shape and value.dtype == tensor.dtype


def _pick(rng, table):
    """A name of a table and one of its values."""
    name = choice(rng, table)
    return name, choice(rng, table[name])


def _show(value):
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return f"{type(value).__name__} of {value.dtype}, shape {tuple(value.shape)}"
    return repr(value)


def _function(rng):
    n = integer(rng, 1, 3)
    mode = choice(rng, [*(name for name in UNTRAINED if name != "pole"), "explicit", "diff_explicit"])
    image, weight, bias = torch.ones(2, 2, *(6,) * n), torch.ones(4, 2, *(3,) * n), torch.ones(4)
    arguments = {"input": image, "weight": weight, "bias": bias, "padding": 1, "padding_mode": mode}
    edges = {"explicit": (3**n - 1,), "diff_explicit": ()}
    if mode in edges:
        arguments["edge_weight"] = torch.ones(*edges[mode], 4, 2, *(3,) * n)
        arguments["edge_bias"] = torch.ones(*edges[mode], 4)
    table = {
        "input": [
            # One image without the batch is not wrong.
            *(value for value in _of_tensors(n, image) if not _is(value, image[0])),
            torch.ones(2, 3, *(6,) * n),
            image[..., :0],
            torch.ones(()),
            None,
            image[:, :0],
        ],
        "weight": [
            *_of_tensors(n, weight),
            weight[..., :0],
            torch.ones(4, 1, *(3,) * n),
            None,
            torch.ones(4, 2, *(30,) * n),
        ],
        "bias": [*_of_tensors(n, bias), torch.ones(3), torch.ones(4, 1), True, 0],
        "stride": [None, *counts(n, 1)],
        "dilation": [None, *counts(n, 1), HUGE],
        "padding": [None, *counts(n, 0)[:1], *counts(n, 0)[2:], "full", "SAME", HUGE, [HUGE] * n, -1],
        "groups": [0, -1, 3, 1.0, "1", True, None, [1], HUGE, torch.ones(1)],
        "padding_mode": ["Reflect", "", "wrap", None, 3, ["zeros"] * 4, b"zeros", object(), True],
        "algorithm": ["blocks", "", None, 1, ["auto"], True, object()],
    }
    if mode in edges:
        edge, edge_bias = arguments["edge_weight"], arguments["edge_bias"]
        table["edge_weight"] = [None, *_of_tensors(n, edge), weight.new_ones(7, *weight.shape), edge[..., :2]]
        table["edge_bias"] = [
            *(b for b in _of_tensors(n, edge_bias) if b is not None),
            torch.ones(3),
            edge_bias[..., :2],
        ]
    else:
        table["edge_weight"] = [weight, "x", 3, weight.expand(8, *weight.shape)]
        table["edge_bias"] = [bias, "x", 3]
    name, value = _pick(rng, table)
    # What else would be refused, had it come first.
    also = {
        "input": ["weight"],
        "weight": ["input", "bias", "edge_weight"],
        "stride": [],
        "padding": [],
        "dilation": ["weight"],
    }
    if chance(rng, 0.3):
        options = _of_options(n)
        mode = choice(rng, options)
        arguments = {k: v for k, v in arguments.items() if not k.startswith("edge")}
        name, value = _pick(rng, options[mode])
        arguments["padding_mode"] = mode
    if mode in ("reflect", "circular"):
        also["padding"] = ["padding_mode"]
    arguments[name] = value
    function = getattr(diff_conv2d, f"conv{n}d")
    return [name, *also.get(name, [])], lambda: function(**arguments), f"conv{n}d, {mode}, {name}={_show(value)}"


def _layer(rng):
    n = integer(rng, 1, 3)
    mode = choice(rng, [name for name in diff_conv2d.MODES if name != "pole" and (name != "peripheral" or n == 2)])
    arguments = {"in_channels": 2, "out_channels": 4, "kernel_size": 3, "padding": 1, "padding_mode": mode}
    channels = [0, -1, 1.5, "2", None, True, [2], HUGE]
    table = {
        "in_channels": channels[:-1],
        "out_channels": channels[:-1],
        "kernel_size": [None, *counts(n, 1)],
        "stride": [None, *counts(n, 1)],
        "dilation": [None, *counts(n, 1)],
        "padding": [None, *counts(n, 0)[:1], *counts(n, 0)[2:], "full", "SAME", -1],
        "groups": [0, -1, 3, 1.0, "1", True, None, [1]],
        "padding_mode": ["Reflect", "", "wrap", None, 3, ["zeros"] * 4, b"zeros", object()],
        "algorithm": ["blocks", "", None, 1, ["auto"], object()],
    }
    name, value = _pick(rng, table)
    if chance(rng, 0.3):
        options = _of_options(n)
        mode = choice(rng, options)
        name, value = _pick(rng, options[mode])
        arguments["padding_mode"] = mode
    arguments[name] = value
    kind = getattr(diff_conv2d, f"Conv{n}d")
    return [name], lambda: kind(**arguments), f"Conv{n}d, {mode}, {name}={_show(value)}"


def _pad(rng):
    n = integer(rng, 1, 3)
    options = _of_options(n)
    mode = choice(rng, options)
    image = torch.ones(2, 2, *(6,) * n)
    arguments = {"input": image, "pad": (1, 1) * n, "mode": mode}
    table = {
        "input": ["x", None, 3, [1.0], image.numpy(), torch.ones(()), torch.ones(2, 2, 2, *(6,) * n), image[..., :0]],
        "pad": [
            "12",
            3,
            None,
            (1,),
            (1,) * 3,
            (-1, 1) * n,
            (1.5, 1) * n,
            (True, 1) * n,
            ((1, 1),) * 2 * n,
            (1,) * 8,
            (HUGE, 0) * n,
            b"11",
            {1, 2},
            ("1", "1") * n,
        ],
        "mode": ["Reflect", "", "wrap", None, 3, ["zeros"] * 4, "partial", "explicit", object()],
    }
    name, value = _pick(rng, table)
    if chance(rng, 0.4):
        name, value = _pick(rng, options[mode])
    arguments[name] = value
    names = [name, *({"mode": ["padding_mode"], "pad": ["padding_mode", "padding"]}.get(name, []))]
    return names, lambda: diff_conv2d.pad(**arguments), f"pad, {mode}, {name}={_show(value)}"


def _correlate(rng):
    image = da.ones((6, 7), chunks=(3, 4), dtype="float32")
    arguments = {"image": image, "kernel": np.ones((3, 3)), "padding_mode": "diff"}
    unknown = image[image[:, 0] > 0]
    table = {
        "image": [
            torch.ones(6, 7),
            "x",
            None,
            [[1.0]],
            image.astype("int32"),
            image.astype(bool),
            image[:0],
            image[0],
            unknown,
            image.astype(object),
            image.astype("float32")[None][:, :0],
            da.ones((6, 0), chunks=(3, 0)),
        ],
        "kernel": [
            np.ones((3, 3, 3)),
            np.ones((1,) * 4),
            "x",
            None,
            [],
            np.ones((0, 3)),
            np.ones((3, 3), complex),
            object(),
            [[1], [1, 2]],
            np.array(["a"]),
            np.ones((), float),
        ],
        "padding_mode": [
            "random",
            "linear_prediction",
            "explicit",
            "diff_explicit",
            "Reflect",
            None,
            3,
            ["zeros"] * 4,
        ],
        "degree": [-1, 1.5, "2", True, [1, 1, 1], [[1], [2]]],
        "dims": ["xy", 3, (0,), (0, 0), (0, 5), (0, 1, 1), (0.5, 1), ("x", "y"), {0, 1}, (True, False)],
    }
    name, value = _pick(rng, table)
    arguments[name] = value
    also = {"image": ["kernel"], "kernel": ["image"]}
    return [name, *also.get(name, [])], lambda: correlate(**arguments), f"correlate, {name}={_show(value)}"


def _convert(rng):
    network = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1))
    arguments = {"model": network, "padding_mode": "diff", "verbose": False}
    table = {
        "model": [3, None, "resnet", [network], nn.Conv2d],
        "padding_mode": ["Reflect", "", None, 3, ["zeros"] * 4, object()],
        "degree": [-1, 1.5, "2", True, [1, 1, 1], [[1], [2]]],
        "include": ["nothing*", 5, ["0", "7"], [3], True, object()],
        "exclude": ["nothing*", 5, ["0", "7"], [3], True, object()],
        "algorithm": ["blocks", "", None, 1, ["auto"], object()],
        "foo": [1],
    }
    name, value = _pick(rng, table)
    arguments[name] = value
    classes = [type(m) for m in network.modules()]

    def call():
        try:
            return diff_conv2d.convert(**arguments)
        finally:
            if [type(m) for m in network.modules()] != classes:
                raise RuntimeError("the network was changed before the error")

    return [name], call, f"convert, {name}={_show(value)}"


def _paper(rng):
    image, weight = torch.ones(1, 2, 6, 6), torch.ones(4, 2, 3, 3)
    arguments = {"input": image, "weight": weight}
    sizes = [None, *counts(2, 1)]
    table = {
        "kernel_size": sizes,
        "input": [
            *_of_tensors(2, image)[:4],
            torch.ones(1, 3, 6, 6),
            torch.ones(()),
            None,
            image[..., :0],
            image.double(),
            image[:, :0],
        ],
        "weight": [*_of_tensors(2, weight)[:4], torch.ones(4, 2, 5, 5), torch.ones(4, 2, 3), None, weight.double()],
        "groups": [0, -1, 3, 1.0, "1", True, None],
        "edge_kernel": ["x", 3, torch.ones(4, 2, 5, 5), weight.double(), weight[:1], weight.numpy()],
        "optimized_for": ["size", "", None, 3, ["speed"], object()],
    }
    name, value = _pick(rng, table)
    text = f"the paper's API, {name}={_show(value)}"
    if name == "kernel_size":
        make = choice(rng, [DiffConv2d, lambda k: DiffConv2dLayer(2, 4, k)])
        return [name], lambda: make(value), text
    arguments[name] = value
    also = {"input": ["weight"], "weight": ["input"]}
    return [name, *also.get(name, [])], lambda: DiffConv2d(3).conv2d(**arguments), text


def draw(rng):
    """The names, a call, and a description of it."""
    return choice(rng, [_function, _layer, _pad, _correlate, _convert, _paper], [0.4, 0.2, 0.15, 0.1, 0.08, 0.07])(
        rng
    )
