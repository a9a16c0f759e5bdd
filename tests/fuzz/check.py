"""What is asked of the library in each kind of case, and how far rounding may take an answer from the exact one."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field

import numpy as np
import torch
import torch._dynamo  # transforms import it, which takes seconds: no case shall pay for it
from torch import nn

import diff_conv2d
from tests.fuzz import cases, oracle
from tests.fuzz.cases import array, choice

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


def without_onednn(problem):
    """Torch's own convolution for bfloat16.

    On CPUs with instructions for it, that of oneDNN carries NaN to outputs that do not see it, and is wrong for some
    shapes.
    """
    return torch.backends.mkldnn.flags(enabled=not rounds_to_bfloat16(problem))


def rounds_to_bfloat16(problem):
    """Whether the convolution is one of bfloat16: autocast takes single precision there."""
    return problem.dtype == torch.bfloat16 or (problem.context == "autocast" and problem.dtype == torch.float32)


def judge(case, problem, made, actual, ours, extension=None, keep=True, roundings=ROUNDINGS):
    """An output and its gradients against the oracle's."""
    exact = oracle.Convolution(problem.mode, problem.geometry, problem.degrees, extension)
    arrays = made.arrays()
    image = batched(arrays.pop("input"), problem.axes)
    weight = arrays.pop("weight")
    # Autocast leaves double precision alone.
    dtype = torch.bfloat16 if rounds_to_bfloat16(problem) else problem.dtype
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


def padding_of(before, after):
    return [width for pair in zip(before[::-1], after[::-1], strict=True) for width in pair]
