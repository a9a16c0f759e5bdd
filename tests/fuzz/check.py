"""What is asked of the library in each kind of case, and how far rounding may take an answer from the exact one."""

from __future__ import annotations

import contextlib
import copy
import pickle
import re
import warnings
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import diff_conv2d
from diff_conv2d.chunked import correlate
from diff_conv2d.functional import DiffConv2d
from diff_conv2d.layers import DiffConv2dLayer
from tests.fuzz import cases, fitted, oracle, wrong
from tests.fuzz.cases import LINEAR, TORCHS, array, chance, choice, integer

CONVOLUTIONS = {n: getattr(diff_conv2d, f"conv{n}d") for n in (1, 2, 3)}
LAYERS = {n: getattr(diff_conv2d, f"Conv{n}d") for n in (1, 2, 3)}
TORCH_LAYERS = {n: getattr(nn, f"Conv{n}d") for n in (1, 2, 3)}

# How far an answer may lie from the exact one, in units of eps times the same sums of absolute values: |w| |x|, with
# the absolute weights of an extension. A few roundings of each term, and those of the sums.
ROUNDINGS = 12
# The same for what was fitted to an image of noise: its weights carry the condition of the fit.
ROUNDINGS_OF_A_FIT = 1e6
# A value beyond this part of the largest number may overflow on the way.
OVERFLOW = 1 / 16

NUMPYS_NAMES = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
    "symmetric": "symmetric",
}


class Failure(AssertionError):
    """An answer that is not the right one."""


@dataclass
class Case:
    """A case while it is being tried: its source of random numbers, and what there is to say about it."""

    rng: np.random.Generator
    notes: list = field(default_factory=list)

    def note(self, what):
        self.notes.append(what)
        return what


def require(condition, text):
    if not condition:
        raise Failure(text)


def compare(name, actual, expected, magnitude, eps=None, roundings=ROUNDINGS):
    """A tensor with the exact values: to rounding, and infinite or NaN where they are."""
    require(isinstance(actual, torch.Tensor), f"{name} is {type(actual).__name__}, no tensor")
    require(tuple(actual.shape) == expected.shape, f"{name} has shape {tuple(actual.shape)}, not {expected.shape}")
    if not expected.size:
        return
    info = torch.finfo(actual.dtype)
    values = array(actual)
    finite, should = np.isfinite(values), np.isfinite(expected)
    within = magnitude < info.max * OVERFLOW
    wrong = (finite != should) & within
    if not actual.is_complex():
        wrong |= ~should & within & (np.isnan(values) != np.isnan(expected))
        wrong |= np.isinf(expected) & within & (values != expected)
    if wrong.any():
        at = tuple(map(int, np.argwhere(wrong)[0]))
        raise Failure(
            f"{name} differs in what is finite at {int(wrong.sum())} of {wrong.size} places; at {at} it is "
            f"{values[at]}, not {expected[at]}; {int((~finite).sum())} are not finite, not {int((~should).sum())}"
        )
    with np.errstate(invalid="ignore"):
        error = np.where(finite & should & within, np.abs(values - expected), 0)
    bound = roundings * (eps or info.eps) * magnitude + 16 * info.tiny
    if (error > bound).any():
        at = tuple(map(int, np.unravel_index(np.argmax(error / bound), error.shape)))
        raise Failure(
            f"{name} is off at {int((error > bound).sum())} of {error.size} places, most at {at}: {values[at]}, not "
            f"{expected[at]}, an error of {error[at]:.3g} where {bound[at]:.3g} is allowed"
        )


def same_bits(name, actual, expected):
    """Two tensors that must be equal to the bit."""
    require(actual.dtype == expected.dtype, f"{name} is {actual.dtype}, not {expected.dtype}")
    require(actual.shape == expected.shape, f"{name} has shape {tuple(actual.shape)}, not {tuple(expected.shape)}")
    one, other = (_bits(tensor) for tensor in (actual, expected))
    equal = (one == other) | ((one != one) & (other != other))
    if not equal.all():
        at = tuple(map(int, np.argwhere(~equal)[0]))
        raise Failure(
            f"{name} differs at {int((~equal).sum())} of {equal.size} places; at {at} {one[at]}, not {other[at]}"
        )


def _bits(tensor):
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    # numpy has no bfloat16; float32 holds it.
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def rejected(call, names=None):
    """Require a ValueError or a TypeError, which names one of some arguments."""
    try:
        result = call()
    except (ValueError, TypeError) as error:
        text = str(error)
        require(text.strip(), f"{type(error).__name__} without a word")
        if names:
            named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names)
            require(named, f"the message names none of {', '.join(names)}: {type(error).__name__}: {text}")
    except Exception as error:
        raise Failure(f"raises {type(error).__name__} instead of a ValueError or TypeError: {error}") from error
    else:
        raise Failure(f"is accepted, and gives {_brief(result)}")


def _brief(result):
    return f"a tensor of shape {tuple(result.shape)}" if isinstance(result, torch.Tensor) else repr(result)[:80]


@contextlib.contextmanager
def within(context):
    """The state of torch that a caller may be in."""
    before = torch.get_default_dtype()
    with contextlib.ExitStack() as stack:
        if context == "no_grad":
            stack.enter_context(torch.no_grad())
        elif context == "inference":
            stack.enter_context(torch.inference_mode())
        elif context == "autocast":
            stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        elif context == "meta":
            stack.enter_context(torch.device("meta"))
        elif context == "float64":
            stack.callback(torch.set_default_dtype, before)
            torch.set_default_dtype(torch.float64)
        yield


def sizes(problem):
    """The arguments that layers and functions share; one number where all axes have the same."""

    def short(values):
        return values[0] if isinstance(values, tuple) and len(set(values)) == 1 else values

    return {
        "stride": short(problem.stride),
        "padding": short(problem.padding),
        "dilation": short(problem.dilation),
        "groups": problem.groups,
    }


def build(layers, problem, tensors, **options):
    """A layer with these tensors as its parameters."""
    layer = layers[problem.axes](
        *problem.channels,
        problem.kernel,
        **sizes(problem),
        bias=problem.bias,
        padding_mode=problem.mode,
        dtype=problem.dtype,
        **options,
    )
    for name, value in tensors.items():
        if name != "input":
            setattr(layer, name, nn.Parameter(value.detach(), requires_grad=problem.gradient))
    if problem.layouts[1] == "channels_last" and problem.axes == 2:
        layer.to(memory_format=torch.channels_last)
    return layer


def output_of(problem, tensors, options=None):
    """The library's answer, in the context of the problem."""
    options = {**problem.options, **(options or {}), "algorithm": problem.algorithm}
    if problem.via == "layer":
        layer = build(LAYERS, problem, tensors, **options)
        with within(problem.context):
            return layer(tensors.input), dict(layer.named_parameters())
    arguments = {name: value for name, value in vars(tensors).items() if name not in ("input", "weight", "bias")}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    with within(problem.context):
        output = CONVOLUTIONS[problem.axes](
            tensors.input,
            tensors.weight,
            tensors.bias,
            **sizes(problem),
            padding_mode=problem.mode,
            **arguments,
            **options,
        )
    return output, dict(tensors.items())


def prepared(case, problem):
    """Tensors of a problem; they want gradients if it does."""
    made = cases.tensors(case.rng, problem)
    if problem.gradient:
        for _, tensor in made.items():
            tensor.requires_grad_()
    return made


def upstream(case, problem, output):
    """A gradient of the output."""
    grad = cases.numbers(case.rng, output.shape, output.dtype)
    grad = cases.with_samples(case.rng, grad, problem.samples_of_gradient)
    return cases.laid_out(grad, choice(case.rng, ["contiguous", "channels_last", "transposed", "strided"]))


def batched(values, axes):
    """An image as one of a batch."""
    return values[None] if values.ndim == axes + 1 else values


def check_against_torch(case):
    """torch's own four modes: layers and functions give what torch's layer does, to the bit."""
    draw = cases.large if chance(case.rng, 0.02) else cases.problem
    problem = replace(draw(case.rng, TORCHS), algorithm=choice(case.rng, ["auto", "auto", "direct"]))
    case.note(problem)
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
        image = F.pad(image, _padding_of(before, after), problem.mode)
        arguments["padding"] = 0
    return getattr(F, f"conv{problem.axes}d")(image, made.weight, made.bias, **arguments)


def check_against_oracle(case):
    """Every mode whose extension is linear: outputs and gradients against sums in double precision."""
    draw = cases.large if chance(case.rng, 0.04) else cases.problem
    problem = case.note(_without_torchs_own(draw(case.rng, LINEAR)))
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
    actual, ours = output_of(problem, made)
    same_bits("input after the call", made.input, before)
    judge(case, problem, made, actual, ours)


def _without_torchs_own(problem):
    """Without samples that torch's convolution itself carries to other outputs: in bfloat16, on CPUs, it does."""
    return replace(problem, samples=(), samples_of_gradient=()) if problem.dtype == torch.bfloat16 else problem


def judge(case, problem, made, actual, ours, extension=None, keep=True, roundings=ROUNDINGS):
    """An output and its gradients against the oracle's."""
    exact = oracle.Convolution(problem.mode, problem.geometry, problem.degrees, extension)
    arrays = made.arrays()
    image = batched(arrays.pop("input"), problem.axes)
    weight = arrays.pop("weight")
    dtype = torch.bfloat16 if problem.context == "autocast" else problem.dtype
    require(actual.dtype == dtype, f"output is {actual.dtype}, not {dtype}")
    require(actual.device.type == "cpu", f"output is on {actual.device}")
    require(actual.requires_grad == problem.gradient, f"requires_grad is {actual.requires_grad}")
    eps = torch.finfo(dtype).eps
    with np.errstate(all="ignore"):
        expected = exact.forward(image, weight, **arrays)
        absolute = {name: None if value is None else np.abs(value) for name, value in arrays.items()}
        finite_image = np.abs(np.where(np.isfinite(image), image, 0))
        sums = exact.magnitudes()
        magnitude = sums.forward(finite_image, np.abs(weight), **absolute)
    compare("output", actual, expected.reshape(actual.shape), magnitude.reshape(actual.shape), eps, roundings)
    if not problem.gradient:
        return
    grad = upstream(case, problem, actual)
    names = [name for name in ("input", *vars(made)) if getattr(made, name) is not None]
    names = list(dict.fromkeys(names))
    leaves = [made.input if name == "input" else ours[name] for name in names]
    found = torch.autograd.grad(actual, leaves, grad, allow_unused=True)
    g = batched(array(grad), problem.axes)
    with np.errstate(all="ignore"):
        exact_gradients = exact.backward(g, image, weight, **arrays, image_everywhere=keep)
        finite = np.abs(np.where(np.isfinite(g), g, 0))
        magnitudes = sums.backward(finite, finite_image, np.abs(weight), **absolute, image_everywhere=keep)
    for name, leaf, value in zip(names, leaves, found, strict=True):
        if name in ("weight", "edge_weight") and problem.samples_of_gradient:
            # Zeros outside times NaN: whether they are multiplied at all is torch's business.
            continue
        value = torch.zeros_like(leaf) if value is None else value
        shape = tuple(leaf.shape)
        wanted, size = (gradients[name].reshape(shape) for gradients in (exact_gradients, magnitudes))
        compare(f"gradient of {name}", value, wanted, size, eps, roundings)


def check_pad(case):
    """`pad` with every mode whose extension is linear, integers too."""
    rng = case.rng
    n = choice(rng, [1, 2, 3])
    most = {1: 20, 2: 9, 3: 5}[n]
    shape = tuple(choice(rng, [integer(rng, 1, most), integer(rng, 1, 3)]) for _ in range(n))
    before, after = (tuple(choice(rng, [integer(rng, 0, 2), integer(rng, 0, 5)]) for _ in range(n)) for _ in range(2))
    mode = choice(rng, [*NUMPYS_NAMES, "extrapolate", "diff", "extrapolate", "diff"])
    whole = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    dtype = choice(rng, whole) if chance(rng, 0.2) else choice(rng, cases.DTYPES, list(cases.DTYPES.values()))
    batch = choice(rng, [(), (1,), (2,)])
    size = (*batch, integer(rng, 1, 3), *shape)
    options = {}
    if mode in ("extrapolate", "diff") and chance(rng, 0.6):
        options["degree"] = cases.per_axis(rng, [integer(rng, 0, 4) for _ in range(n)])
    layout = choice(rng, cases.LAYOUTS)
    widths = [width for pair in zip(before[::-1], after[::-1], strict=True) for width in pair]
    widths = choice(rng, [widths, tuple(widths)])
    samples = cases.not_finite(rng) if chance(rng, 0.15) else ()
    case.note(
        {"mode": mode, "shape": size, "pad": widths, "dtype": dtype, "layout": layout, "samples": samples, **options}
    )
    floating = dtype.is_floating_point or dtype.is_complex
    if floating:
        image = cases.with_samples(rng, cases.numbers(rng, size, dtype), samples)
    else:
        limits = torch.iinfo(dtype)
        image = torch.from_numpy(rng.integers(limits.min, limits.max, size, endpoint=True)).to(dtype)
    image = cases.laid_out(image, layout)

    def pad():
        return diff_conv2d.pad(image, widths, mode, **options)

    geometry = oracle.Geometry(shape, (1,) * n, (1,) * n, (1,) * n, before, after, 1)
    if not floating and mode not in NUMPYS_NAMES:
        rejected(pad, ["input"])
        return
    if not oracle.fits(mode, geometry):
        rejected(pad)
        return
    gradient = floating and chance(rng, 0.6)
    if gradient:
        image.requires_grad_()
    padded = pad()
    middle = padded
    for axis in range(n):
        middle = middle.narrow(axis - n, before[axis], shape[axis])
    same_bits("the middle", middle, image)
    if mode in NUMPYS_NAMES:
        plain = image.detach().resolve_conj()
        # numpy has no bfloat16; float32 holds it.
        plain = plain.float() if dtype == torch.bfloat16 else plain
        pairs = [(0, 0)] * (len(size) - n) + list(zip(before, after, strict=True))
        same_bits("padded", padded, torch.from_numpy(np.pad(plain.numpy(), pairs, NUMPYS_NAMES[mode])).to(dtype))
    if not floating:
        return
    degree = options.get("degree")
    kernel = tuple(b + a + 1 for b, a in zip(before, after, strict=True))
    degrees = oracle.degrees_of(mode, 2 if mode == "extrapolate" and degree is None else degree, kernel)
    extension = oracle.Extension.of(mode, shape, before, after, degrees, (1,) * n)
    values = batched(array(image), n)
    with np.errstate(all="ignore"):
        expected = extension(values)
        sums = extension.absolute()
        magnitude = sums(np.abs(np.where(np.isfinite(values), values, 0)))
    compare("padded", padded, expected.reshape(padded.shape), magnitude.reshape(padded.shape))
    if gradient:
        grad = cases.numbers(rng, padded.shape, dtype)
        (found,) = torch.autograd.grad(padded, image, grad)
        g = batched(array(grad), n)
        compare("gradient", found, extension.adjoint(g).reshape(size), sums.adjoint(np.abs(g)).reshape(size))


def check_integers(case):
    """Convolutions of integers: torch's own modes give what torch gives, every other one refuses them."""
    rng = case.rng
    problem = cases.problem(rng, [m for m in diff_conv2d.MODES if m not in ("explicit", "diff_explicit")])
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
        if problem.mode == "symmetric":
            # It could keep them as well.
            return
        rejected(lambda: output_of(problem, made), ["input", "padding", "weight", "stride", "padding_mode"])
        return
    before, after = oracle.widths(problem.padding, problem.kernel, problem.dilation)
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
        _without_torchs_own(problem),
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


def check_fitted(case):
    """The modes that fit themselves: `pad` against the oracle on noise, or what must hold of any image."""
    rng = case.rng
    choice(
        rng,
        [
            _adaptive_oracle,
            _prediction_oracle,
            _convolution_is_pad,
            _convolution_is_pad,
            _one_bad_sample,
            _symmetries,
        ],
    )(case)


def _fitted_image(rng, n, least):
    most = {1: 14, 2: 6, 3: 3}[n]
    shape = tuple(least[a] + integer(rng, 0, most) for a in range(n))
    return cases.numbers(rng, (integer(rng, 1, 2), integer(rng, 1, 2), *shape), torch.float64)


def _widths(rng, n, most=3):
    return tuple(tuple(integer(rng, 0, most) for _ in range(n)) for _ in range(2))


def _padding_of(before, after):
    return [width for pair in zip(before[::-1], after[::-1], strict=True) for width in pair]


def _check_extension(case, image, before, after, expected, mode, options, dilation):
    """`pad`, or where there is a dilation what a convolution with it makes of the image."""
    magnitude = np.full(expected.shape, np.abs(expected).max())
    if max(dilation) == 1:
        compare(
            "padded",
            diff_conv2d.pad(image, _padding_of(before, after), mode, **options),
            expected,
            magnitude,
            roundings=ROUNDINGS_OF_A_FIT,
        )
        return
    n = len(dilation)
    kernel = tuple(2 * b // d + 1 for b, d in zip(before, dilation, strict=True))
    problem = cases.Problem(mode, image.shape[2:], kernel, (1,) * n, dilation, before, 1, (1, 1), 1, torch.float64)
    weight = cases.numbers(case.rng, (image.shape[1], 1, *kernel), torch.float64)
    output = CONVOLUTIONS[n](
        image, weight, padding=before, dilation=dilation, groups=image.shape[1], padding_mode=mode, **options
    )
    wanted = replace_groups(problem, image.shape[1]).correlate(expected, weight.numpy())
    compare(
        "output",
        output,
        wanted,
        np.full(wanted.shape, np.abs(expected).max() * float(weight.abs().sum())),
        roundings=ROUNDINGS_OF_A_FIT,
    )


def replace_groups(problem, groups):
    return replace(problem.geometry.windows, groups=groups)


def _adaptive_oracle(case):
    rng = case.rng
    n = choice(rng, [1, 2, 3], [0.3, 0.5, 0.2])
    # Of a volume with 16 samples along an axis the fit reads some lines only.
    dilation = tuple(choice(rng, [1, 1, integer(rng, 1, 2)]) if n < 3 else 1 for _ in range(n))
    taps = integer(rng, 2, {1: 8, 2: 7, 3: 3}[n])
    before, after = _widths(rng, n, 2)
    if max(dilation) > 1:
        before = after = tuple(d * max(b, 1) for b, d in zip(before, dilation, strict=True))
    p = [-(-max(b, a) // d) for b, a, d in zip(before, after, dilation, strict=True)]
    options = {"taps": taps, "select": chance(rng, 0.7), "pool": choice(rng, ["none", "none", "channels", "batch"])}
    reach = 2 * taps
    if n < 3 and chance(rng, 0.4):
        options["band"] = 2 * taps + max(p) + integer(rng, 0, 4)
        reach = options["band"]
    if chance(rng, 0.3):
        options["ridge"] = choice(rng, [1e-9, 1e-3])
    # Windows enough for the fit to be well conditioned: a line alone needs many.
    spare = 3 * taps if n == 1 else 2
    if n == 1:
        options["band"] = 5 * taps + max(p)
        reach = options["band"]
    image = _fitted_image(rng, n, [(reach + q) * d + spare for q, d in zip(p, dilation, strict=True)])
    case.note(
        dict(mode="adaptive", shape=tuple(image.shape), before=before, after=after, dilation=dilation, **options)
    )
    expected = fitted.adaptive(image.numpy(), before, after, dilation, **options)
    _check_extension(case, image, before, after, expected, "adaptive", options, dilation)


def _prediction_oracle(case):
    rng = case.rng
    n = choice(rng, [1, 2, 3], [0.3, 0.6, 0.1])
    dilation = tuple(choice(rng, [1, 1, integer(rng, 1, 2)]) for _ in range(n))
    neighbourhood = (integer(rng, 1, 2), choice(rng, [1, 3]) if n == 2 else 1)
    before, after = _widths(rng, n)
    if max(dilation) > 1:
        before = after = tuple(d * max(b, 1) for b, d in zip(before, dilation, strict=True))
    least = {1: 16, 2: 8, 3: 5}[n]
    image = _fitted_image(rng, n, [least * d for d in dilation])
    options = {"neighbourhood": neighbourhood}
    case.note(
        dict(
            mode="linear_prediction",
            shape=tuple(image.shape),
            before=before,
            after=after,
            dilation=dilation,
            **options,
        )
    )
    expected = fitted.linear_prediction(image.numpy(), before, after, dilation, neighbourhood)
    _check_extension(case, image, before, after, expected, "linear_prediction", options, dilation)


def fitted_options(rng, mode, n):
    """Options of a mode that is fitted."""
    if mode == "linear_prediction":
        return (
            {"neighbourhood": (integer(rng, 1, 2), choice(rng, [1, 3, 5]) if n == 2 else 1)}
            if chance(rng, 0.7)
            else {}
        )
    if mode == "random":
        return {}
    options = {
        "taps": integer(rng, 2, 9),
        "select": chance(rng, 0.5),
        "pool": choice(rng, ["none", "channels", "batch"]),
        "fit_gradient": chance(rng, 0.3),
        "ridge": choice(rng, [1e-10, 1e-6, 0.1]),
        "fit_dtype": choice(rng, [torch.float32, torch.float64]),
    }
    return {name: value for name, value in options.items() if chance(rng, 0.4)}


def _convolution_is_pad(case):
    """A convolution with a fitted mode is that of the padded image without padding; its gradient, by adjoints."""
    rng = case.rng
    mode = choice(rng, ["adaptive", "adaptive", "linear_prediction", "random"])
    problem = cases.problem(rng, [mode])
    n = problem.axes
    options = fitted_options(rng, mode, n)
    problem = replace(
        problem,
        options=options,
        dilation=(1,) * n,
        layouts=(problem.layouts[0], "contiguous"),
        scale=1.0,
        samples=(),
        samples_of_gradient=(),
        batch=problem.batch if problem.batch != 0 else 1,
        context="plain" if problem.context in ("autocast",) else problem.context,
    )
    if problem.padding not in ("same", "valid"):
        problem = replace(problem, padding=tuple((k - 1) // 2 for k in problem.kernel))
    case.note(problem)
    if not problem.has_answer:
        return
    made = prepared(case, problem)
    before, after = oracle.widths(problem.padding, problem.kernel, problem.dilation)
    seed = integer(rng, 0, 10**6)

    def fresh():
        return {"generator": torch.Generator().manual_seed(seed)} if mode == "random" else {}

    image = made.input.detach().clone(memory_format=torch.preserve_format)
    padded = diff_conv2d.pad(image, _padding_of(before, after), mode, **options, **fresh())
    require(padded.dtype == problem.dtype, f"padded is {padded.dtype}")
    middle = padded
    for axis in range(n):
        middle = middle.narrow(axis - n, before[axis], problem.shape[axis])
    same_bits("the middle", middle, image)
    require(bool(padded.isfinite().all()), "the padded image of a finite one is not finite")
    torch.manual_seed(seed)
    actual, ours = output_of(problem, made, fresh())
    arrays = made.arrays()
    extended, weight = batched(array(padded), n), arrays["weight"]
    expected = problem.geometry.windows.correlate(extended, weight)
    magnitude = problem.geometry.windows.correlate(np.abs(extended), np.abs(weight))
    if problem.bias:
        bias = arrays["bias"].reshape(-1, *[1] * n)
        expected, magnitude = expected + bias, magnitude + np.abs(bias)
    compare("output", actual, expected.reshape(actual.shape), magnitude.reshape(actual.shape))
    if problem.gradient:
        grad = cases.numbers(rng, actual.shape, actual.dtype)
        of_weight, of_image = torch.autograd.grad(actual, [ours["weight"], made.input], grad)
        g = batched(array(grad), n)
        everywhere = np.ones(g.shape[2:], bool)
        exact = problem.geometry.windows.to_weight(g, extended, weight.shape, everywhere)
        size = problem.geometry.windows.to_weight(np.abs(g), np.abs(extended), weight.shape, everywhere)
        compare("gradient of weight", of_weight, exact, size)
        require(bool(of_image.isfinite().all()), "the gradient of the image is not finite")
        if problem.dtype == torch.float64 and (options.get("fit_gradient") or mode == "linear_prediction"):
            _check_slope(case, problem, made, options, grad, of_image)


def _check_slope(case, problem, made, options, grad, of_image):
    """The slope along a random direction, by differences."""
    direction = cases.numbers(case.rng, made.input.shape, torch.float64)
    plain = replace(problem, gradient=False)
    values = {name: value.detach() for name, value in made.items()}

    def value(step):
        image = values["input"] + step * direction
        moved = cases.Tensors(**{**dict.fromkeys(vars(made)), **values, "input": image})
        return float((output_of(plain, moved)[0] * grad).sum())

    slope = float((of_image * direction).sum())
    # Slopes of both sides and of two steps: where they differ, the fit has a kink or a pole nearby.
    found = [(value(h) - value(-h)) / (2 * h) for h in (1e-5, 1e-6)]
    sides = [(value(1e-6) - value(0)) / 1e-6, (value(0) - value(-1e-6)) / 1e-6]
    size = abs(slope) + max(map(abs, found)) + 1
    spread = max(abs(a - b) for a in (*found, *sides) for b in (*found, *sides))
    if spread < 1e-3 * size:
        require(abs(slope - found[0]) < 1e-2 * size, f"the gradient has the slope {slope}, differences {found}")


def _one_bad_sample(case):
    """NaN or infinity in one channel: continued by its edge samples, and nothing happens to the others."""
    rng = case.rng
    n = choice(rng, [1, 2])
    shape = tuple(integer(rng, 1, 20) for _ in range(n))
    image = cases.numbers(rng, (2, 2, *shape), choice(rng, [torch.float32, torch.float64]))
    before, after = _widths(rng, n, 3)
    bad = image.clone()
    bad[0, 1] = cases.with_samples(rng, image[0, 1], cases.not_finite(rng)[:1])
    case.note({"mode": "adaptive", "shape": tuple(image.shape), "before": before, "after": after, "bad": bad[0, 1]})
    widths = _padding_of(before, after)
    padded = diff_conv2d.pad(bad, widths, "adaptive")
    clean = diff_conv2d.pad(image, widths, "adaptive")
    # What is not finite may stay on its lines as NaN, and with them reach the corners.
    edge = diff_conv2d.pad(bad[:1, 1:], widths, "replicate")[0, 0]
    mine, theirs = array(padded[0, 1]), array(edge)
    free = _lines_of(theirs, before, after)
    different = (mine != theirs) & ~(np.isnan(mine) & np.isnan(theirs)) & ~(free & np.isnan(mine))
    require(not different.any(), f"the bad channel differs from replicate at {int(different.sum())} places")
    for i, c in ((0, 0), (1, 0), (1, 1)):
        compare(
            f"channel {c} of image {i}",
            padded[i, c],
            array(clean[i, c]),
            np.abs(array(clean[i, c])) + 1,
            roundings=ROUNDINGS_OF_A_FIT if image.dtype == torch.float64 else 1e3,
        )


def _lines_of(values, before, after):
    """The places outside on the lines of samples that are not finite, and the corners."""
    n, bad = values.ndim, ~np.isfinite(values)
    free, beyond = np.zeros(values.shape, bool), np.zeros(values.shape, int)
    for axis in range(n):
        outside = np.ones(values.shape[axis], bool)
        outside[before[axis] : values.shape[axis] - after[axis]] = False
        outside = outside.reshape([-1 if a == axis else 1 for a in range(n)])
        free |= bad.any(axis, keepdims=True) & outside
        beyond += outside
    return free | (beyond > 1)


def _symmetries(case):
    """Constants go on as they are; an image alone goes on as in a batch; shifts and scales go through."""
    rng = case.rng
    mode = choice(rng, ["adaptive", "linear_prediction", "random"])
    n = choice(rng, [1, 2, 3])
    shape = tuple(integer(rng, 1, {1: 30, 2: 14, 3: 6}[n]) for _ in range(n))
    before, after = _widths(rng, n, 3)
    options = fitted_options(rng, mode, n)
    dtype = choice(rng, [torch.float32, torch.float64, torch.bfloat16, torch.complex64])
    case.note(dict(mode=mode, shape=shape, before=before, after=after, dtype=dtype, **options))
    widths = _padding_of(before, after)
    value = choice(rng, [0.0, 1.0, -3.0, 1e-20, 1e20])
    constant = torch.full((2, 2, *shape), value, dtype=dtype)
    padded = diff_conv2d.pad(constant, widths, mode, **options)
    expected = np.full(
        padded.shape, complex(constant.flatten()[0]) if dtype.is_complex else float(constant.flatten()[0])
    )
    compare("constant image", padded, expected, np.abs(expected))
    if mode == "random" or dtype != torch.float64 or options.get("fit_dtype") == torch.float32:
        return
    image = cases.numbers(rng, (2, 2, *shape), dtype)
    together = diff_conv2d.pad(image, widths, mode, **options)
    require(bool(together.isfinite().all()), "not finite")
    if options.get("pool") != "batch":
        alone = diff_conv2d.pad(image[1], widths, mode, **options)
        size = np.abs(array(together[1])).max() + np.zeros(alone.shape)
        compare("an image alone", alone, array(together[1]), size, roundings=ROUNDINGS_OF_A_FIT * 100)


def check_chunked(case):
    """Filtering chunk by chunk: what the convolution in memory gives."""
    import dask.array as da

    rng = case.rng
    n = choice(rng, [1, 2, 3], [0.3, 0.6, 0.1])
    mode = choice(rng, [*(m for m in LINEAR if "explicit" not in m), "adaptive"])
    leading = integer(rng, 0, 2 if n < 3 else 1)
    most = {1: 40, 2: 18, 3: 8}[n]
    shape = (*(integer(rng, 1, 2) for _ in range(leading)), *(integer(rng, 1, most) for _ in range(n)))
    kernel = tuple(integer(rng, 1, {1: 7, 2: 5, 3: 3}[n]) for _ in range(n))
    dtype = choice(
        rng, [torch.float32, torch.float64, torch.float16, torch.complex64, torch.complex128], [4, 4, 1, 1, 1]
    )
    if mode == "adaptive" and dtype not in (torch.float32, torch.float64):
        dtype = torch.float64
    options = {}
    if mode in ("diff", "extrapolate") and chance(rng, 0.6):
        options["degree"] = cases.per_axis(rng, [integer(rng, 0, 3) for _ in range(n)])
    if mode == "adaptive" and chance(rng, 0.5):
        options = {"taps": integer(rng, 2, 8), "select": chance(rng, 0.6)}
    samples = cases.not_finite(rng) if chance(rng, 0.2) and mode != "adaptive" else ()
    order = [int(i) for i in rng.permutation(len(shape))[:n]]
    dims = None if chance(rng, 0.6) else order
    image = cases.with_samples(rng, cases.numbers(rng, shape, dtype), samples)
    if dims is not None:
        image = torch.from_numpy(np.moveaxis(image.resolve_conj().numpy(), list(range(-n, 0)), dims))
    weight = cases.numbers(rng, kernel, dtype if dtype.is_complex or chance(rng, 0.7) else torch.float64).numpy()
    chunks = tuple(_chunks(rng, size) for size in image.shape)
    case.note(
        dict(
            mode=mode,
            shape=tuple(image.shape),
            kernel=kernel,
            chunks=chunks,
            dims=dims,
            dtype=dtype,
            samples=samples,
            **options,
        )
    )
    array_ = da.from_array(image.numpy(), chunks=chunks, name=False)
    axes = dims or list(range(len(shape) - n, len(shape)))
    moved = np.moveaxis(image.numpy(), axes, range(-n, 0))
    flat = torch.from_numpy(np.ascontiguousarray(moved)).view(-1, 1, *moved.shape[len(shape) - n :])
    problem = cases.Problem(mode, flat.shape[2:], kernel, (1,) * n, (1,) * n, "same", 1, (1, 1), len(flat), dtype)

    def chunked():
        return correlate(array_, weight, mode, dims=dims, **options).compute(scheduler="synchronous")

    if not problem.has_answer:
        rejected(chunked)
        return
    result = chunked()
    require(result.dtype == image.numpy().dtype, f"the result is {result.dtype}")
    actual = np.moveaxis(result, axes, range(-n, 0)).reshape(flat.shape)
    kernels = torch.from_numpy(weight).to(dtype)[None, None]
    expected = CONVOLUTIONS[n](flat, kernels, padding="same", padding_mode=mode, **options)
    values = array(expected)
    if mode == "adaptive":
        size = np.full(values.shape, float(flat.abs().max() * kernels.abs().sum()) + np.abs(values).max())
        roundings = ROUNDINGS_OF_A_FIT if dtype == torch.float64 else 1e4
    else:
        exact = oracle.Convolution(mode, problem.geometry, oracle.degrees_of(mode, options.get("degree"), kernel))
        with np.errstate(all="ignore"):
            size = exact.magnitudes().forward(
                np.abs(np.nan_to_num(array(flat), posinf=0, neginf=0)), np.abs(array(kernels))
            )
        roundings = 2 * ROUNDINGS
    compare("in chunks", torch.from_numpy(np.ascontiguousarray(actual)), values, size, roundings=roundings)


def _chunks(rng, size):
    """An axis cut into a few pieces, anywhere."""
    cuts = sorted({int(c) for c in rng.integers(0, size + 1, integer(rng, 0, 3))} - {0, size})
    return tuple(b - a for a, b in zip([0, *cuts], [*cuts, size], strict=True))


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
        value = choice(rng, [m for m in diff_conv2d.MODES if m not in (*cases.FITTED, "explicit", "diff_explicit")])
    case.note(f"{name} = {value!r}")
    whole = value if isinstance(value, str) else tuple(oracle.widths(value, problem.kernel, problem.dilation)[0])
    changed = replace(problem, **{"mode" if name == "padding_mode" else name: whole})
    if name == "padding_mode":
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


def check_transform(case):
    """Transforms, of modes without edge kernels: vmap is a loop, derivatives are those of a linear map."""
    rng = case.rng
    problem = cases.problem(rng, [m for m in LINEAR if "explicit" not in m], [torch.float64], choice(rng, [1, 2]))
    problem = replace(
        problem,
        via="function",
        context="plain",
        gradient=False,
        bias=False,
        samples=(),
        samples_of_gradient=(),
        scale=1.0,
        batch=problem.batch or 1,
        layouts=("contiguous",) * 2,
        algorithm="auto",
    )
    way = choice(rng, ["vmap", "jvp", "vjp", "hessian", "hessian", "gradgrad"])
    if way == "hessian":
        problem = replace(problem, shape=tuple(min(s, 5) for s in problem.shape), batch=1)
    case.note((way, problem))
    if not problem.has_answer:
        return
    made = cases.tensors(rng, problem)
    weight, image = made.weight, made.input
    other = cases.numbers(rng, image.shape, torch.float64)

    def convolve(x, w=weight):
        own = cases.Tensors(x, w, None, None, None)
        return output_of(problem, own)[0]

    one, two = convolve(image), convolve(other)
    size = np.full(one.shape, float(one.abs().max() + two.abs().max() + 1) * 1e3)
    if way == "vmap":
        both = torch.vmap(convolve)(torch.stack([image, other]))
        compare("vmap", both[1], array(two), size)
    elif way == "jvp":
        value, slope = torch.func.jvp(convolve, (image,), (other,))
        compare("value of jvp", value, array(one), size)
        compare("slope of jvp", slope, array(two), size)
    elif way == "vjp":
        grad = cases.numbers(rng, one.shape, torch.float64)
        _, back = torch.func.vjp(convolve, image)
        (found,) = back(grad)
        left, right = float((two * grad).sum()), float((found * other).sum())
        require(abs(left - right) < 1e-9 * float(size.max()) * one.numel(), f"<A x, y> = {left}, <x, A' y> = {right}")
    elif way == "hessian":
        for _ in range(2):
            found = torch.func.hessian(lambda x: convolve(x).square().sum() / 2)(image)
            flat = found.reshape(image.numel(), image.numel())
            compare(
                "Hessian times x",
                (flat @ other.flatten()),
                _normal(convolve, image, two),
                np.full(image.numel(), float(size.max()) * 100),
            )
    else:
        x, w = image.clone().requires_grad_(), weight.clone().requires_grad_()
        grad = cases.numbers(rng, one.shape, torch.float64)
        (first,) = torch.autograd.grad(convolve(x, w), x, grad, create_graph=True)
        (second,) = torch.autograd.grad((first * other).sum(), w)
        # <A_w' y, z> = <y, A_w z>: its gradient with respect to w is that of the convolution of z.
        v = weight.clone().requires_grad_()
        (wanted,) = torch.autograd.grad(convolve(other, v), v, grad)
        compare(
            "mixed second derivative", second, array(wanted), np.full(weight.shape, float(size.max()) * one.numel())
        )


def _normal(convolve, image, two):
    """A' A other."""
    x = image.clone().requires_grad_()
    (found,) = torch.autograd.grad(convolve(x), x, two)
    return array(found).ravel()


def check_wrong(case):
    """Wrong arguments: an error that names the argument."""
    names, call, text = wrong.draw(case.rng)
    case.note(text)
    rejected(call, names)


KINDS = {
    check_against_torch: 0.22,
    check_against_oracle: 0.29,
    check_pad: 0.12,
    check_integers: 0.03,
    check_paper: 0.05,
    check_fitted: 0.08,
    check_chunked: 0.06,
    check_convert: 0.04,
    check_layer: 0.04,
    check_transform: 0.04,
    check_wrong: 0.08,
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
