"""What is drawn: convolutions, images and how they lie in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import torch

import diff_conv2d
from tests.fuzz import oracle

TORCHS = ("zeros", "reflect", "replicate", "circular")
LINEAR = (*TORCHS, "symmetric", "extrapolate", "diff", "partial", "explicit", "diff_explicit")
FITTED = ("adaptive", "linear_prediction", "random")
UNTRAINED = [name for name, mode in diff_conv2d.MODES.items() if not mode.trained]
EXTENDING = tuple(mode for mode in (*LINEAR, *FITTED) if mode not in ("partial", "explicit", "diff_explicit"))

DTYPES = {
    torch.float32: 0.36,
    torch.float64: 0.36,
    torch.float16: 0.06,
    torch.bfloat16: 0.08,
    torch.complex64: 0.05,
    torch.complex128: 0.09,
}
LAYOUTS = ("contiguous",) * 5 + ("channels_last", "transposed", "strided", "offset", "expanded", "conjugate")
CONTEXTS = ("plain",) * 14 + ("no_grad",) * 2 + ("inference",) * 2 + ("autocast", "meta", "float64")


def choice(rng, values, weights=None):
    """One of some values, as it is: numpy would make numbers of its own of them."""
    values = list(values)
    p = None if weights is None else np.array(weights) / np.sum(weights)
    return values[rng.choice(len(values), p=p)]


def integer(rng, low, high):
    """From low to high, both included."""
    return int(rng.integers(low, high + 1))


def chance(rng, probability):
    return bool(rng.random() < probability)


@dataclass(frozen=True)
class Problem:
    """A convolution, all but the numbers in its tensors."""

    mode: str
    shape: tuple
    kernel: tuple
    stride: tuple
    dilation: tuple
    padding: object
    groups: int
    channels: tuple
    batch: int | None
    dtype: torch.dtype
    bias: bool = True
    options: dict = field(default_factory=dict)
    algorithm: str = "auto"
    layouts: tuple = ("contiguous", "contiguous")
    via: str = "function"
    context: str = "plain"
    gradient: bool = True
    scale: float = 1.0
    zero_taps: bool = False
    #: What some samples of the image are, and some of the gradient that comes back.
    samples: tuple = ()
    samples_of_gradient: tuple = ()

    @property
    def axes(self):
        return len(self.kernel)

    @property
    def geometry(self):
        before, after = oracle.widths(self.padding, self.kernel, self.dilation)
        return oracle.Geometry(
            self.shape, self.kernel, self.stride, self.dilation, tuple(before), tuple(after), self.groups
        )

    @property
    def degrees(self):
        return oracle.degrees_of(self.mode, self.options.get("degree"), self.kernel)

    @property
    def has_answer(self):
        """Whether there is one; else it is an error."""
        if self.padding == "same" and max(self.stride) > 1:
            return False
        return oracle.fits(self.mode, self.geometry)

    @property
    def image_shape(self):
        return (*(() if self.batch is None else (self.batch,)), self.channels[0], *self.shape)

    @property
    def weight_shape(self):
        return (self.channels[1], self.channels[0] // self.groups, *self.kernel)


def per_axis(rng, values):
    """A number for all axes, or a sequence: every form that a caller may choose."""
    if len(set(values)) == 1 and chance(rng, 0.5):
        return choice(rng, [values[0], (values[0],)])
    return choice(rng, [tuple(values), list(values)])


def problem(rng, modes, dtypes=None, axes=None):
    """A small convolution."""
    mode = choice(rng, modes)
    n = axes or choice(rng, [1, 2, 3], [0.25, 0.55, 0.2])
    largest = {1: 9, 2: 5, 3: 3}[n]
    kernel = tuple(choice(rng, [3, integer(rng, 1, largest)], [0.4, 0.6]) for _ in range(n))
    if n == 2 and chance(rng, 0.03) and mode != "explicit":
        kernel = (7, 7)
    dilation = tuple(choice(rng, [1, integer(rng, 1, 3)], [0.75, 0.25]) for _ in range(n))
    stride = tuple(choice(rng, [1, integer(rng, 1, 3)], [0.7, 0.3]) for _ in range(n))
    spans = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    kind = choice(rng, ["same", "valid", "half", "any"], [0.25, 0.05, 0.5, 0.2])
    if kind == "same":
        padding = "same"
        if chance(rng, 0.95):
            stride = (1,) * n
    elif kind == "valid":
        padding = "valid"
    elif kind == "half":
        padding = tuple(span // 2 for span in spans)
    else:
        padding = tuple(integer(rng, 0, span if mode != "explicit" else (span + 1) // 2) for span in spans)
    most = {1: 24, 2: 12, 3: 6}[n]
    shape = tuple(choice(rng, [integer(rng, 1, most), integer(rng, 1, 3)], [0.85, 0.15]) for _ in range(n))
    groups = choice(rng, [1, 2, 3], [0.7, 0.2, 0.1])
    channels = (groups, groups) if chance(rng, 0.08) else (groups * integer(rng, 1, 3), groups * integer(rng, 1, 3))
    dtype = choice(rng, dtypes) if dtypes else choice(rng, DTYPES, list(DTYPES.values()))
    context = choice(rng, CONTEXTS)
    if context == "autocast" and dtype != torch.float32:
        context = "plain"
    options = {}
    if mode in ("diff", "extrapolate", "diff_explicit") and chance(rng, 0.5):
        degrees = [integer(rng, 0, 4)] * n if chance(rng, 0.5) else [integer(rng, 0, 4) for _ in range(n)]
        options["degree"] = per_axis(rng, degrees)
    fused = "auto" if diff_conv2d.MODES[mode].why_not_fused else "fused"
    return Problem(
        mode=mode,
        shape=shape,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        groups=groups,
        channels=channels,
        batch=choice(rng, [None, 0, 1, 2, 3], [0.15, 0.01, 0.3, 0.44, 0.1]),
        dtype=dtype,
        bias=chance(rng, 0.6),
        options=options,
        algorithm=choice(rng, ["auto", "direct", "fast", fused], [0.65, 0.1, 0.1, 0.15]),
        layouts=(choice(rng, LAYOUTS), choice(rng, LAYOUTS)),
        via=choice(rng, ["function", "layer"]),
        context=context,
        gradient=context not in ("no_grad", "inference") and chance(rng, 0.6),
        scale=choice(rng, [1.0, 1e-8, 1e8], [0.9, 0.05, 0.05]) if dtype.itemsize > 2 else 1.0,
        zero_taps=chance(rng, 0.1),
        samples=not_finite(rng) if chance(rng, 0.12) else (),
        samples_of_gradient=not_finite(rng) if chance(rng, 0.05) else (),
    )


def not_finite(rng):
    """One or two samples that are no numbers."""
    return tuple(choice(rng, [np.nan, np.inf, -np.inf], [0.5, 0.3, 0.2]) for _ in range(integer(rng, 1, 2)))


def large(rng, modes):
    """A convolution that the algorithm by blocks may take: many pixels, few kernels, stride and dilation 1."""
    start = problem(rng, modes, [torch.float32], choice(rng, [1, 2, 3], [0.2, 0.65, 0.15]))
    n, double = start.axes, chance(rng, 0.15)
    shape = {
        1: (2**17 + integer(rng, 0, 99),),
        2: (integer(rng, 300, 360), integer(rng, 440, 500)),
        3: (integer(rng, 30, 34), integer(rng, 48, 50), integer(rng, 90, 99)),
    }[n]
    sizes = [3, 4, 5] if n < 3 else [2, 3]
    kernel = tuple(choice(rng, sizes) for _ in range(n))
    if double:
        kernel = {1: (33,), 2: (6, 6), 3: (3, 3, 4)}[n]
    channels, groups = choice(rng, [((1, 1), 1), ((1, 2), 1), ((2, 1), 1), ((2, 2), 2)], [0.7, 0.1, 0.1, 0.1])
    # Each of many kernels over the whole image would take the oracle long.
    mode = "diff" if start.mode == "explicit" and (n == 3 or max(kernel) > 3) else start.mode
    options = {}
    if mode in ("diff", "extrapolate", "diff_explicit"):
        options["degree"] = integer(rng, 0, 2)
    return replace(
        start,
        mode=mode,
        shape=shape,
        kernel=kernel,
        stride=(1,) * n,
        dilation=(1,) * n,
        padding="same" if chance(rng, 0.5) else tuple(k // 2 for k in kernel),
        groups=groups,
        channels=channels,
        batch=choice(rng, [None, 1, 1]),
        dtype=torch.float64 if double else torch.float32,
        options=options,
        algorithm=choice(rng, ["auto", "fast"]),
        gradient=start.gradient and chance(rng, 0.5),
    )


def numbers(rng, shape, dtype):
    """Standard normal numbers."""
    values = rng.standard_normal(shape)
    if dtype.is_complex:
        values = values + 1j * rng.standard_normal(shape)
    return torch.from_numpy(np.asarray(values)).to(dtype)


def laid_out(tensor, layout):
    """The tensor with its samples elsewhere in memory; 'expanded' repeats the first of the batch."""
    if layout == "channels_last" and tensor.ndim in (4, 5):
        last = torch.channels_last if tensor.ndim == 4 else torch.channels_last_3d
        return tensor.contiguous(memory_format=last)
    if layout == "transposed" and tensor.ndim > 1:
        return tensor.mT.contiguous().mT
    if layout == "strided" and tensor.ndim:
        wide = tensor.new_zeros((*tensor.shape[:-1], 2 * tensor.shape[-1]))
        wide[..., ::2] = tensor
        return wide[..., ::2]
    if layout == "offset":
        flat = torch.cat([tensor.new_zeros(1), tensor.flatten()])
        return flat[1:].view(tensor.shape)
    if layout == "expanded" and len(tensor):
        return tensor[:1].expand(tensor.shape)
    if layout == "conjugate" and tensor.is_complex():
        return tensor.conj_physical().conj()
    return tensor


def with_samples(rng, tensor, samples):
    """The tensor with some samples replaced, wherever they fall."""
    if not samples or not tensor.numel():
        return tensor
    flat = tensor.flatten().clone()
    for value in samples:
        # Near the edge as often as not: there the modes differ.
        place = [choice(rng, [integer(rng, 0, n - 1), choice(rng, [0, n - 1])]) for n in tensor.shape]
        flat[int(np.ravel_multi_index(place, tensor.shape))] = value
    return flat.view(tensor.shape)


@dataclass
class Tensors:
    """The tensors of a convolution; None for those that it has not."""

    input: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    edge_weight: torch.Tensor | None
    edge_bias: torch.Tensor | None

    def items(self):
        return [(name, value) for name, value in vars(self).items() if value is not None]

    def arrays(self):
        """As numpy, in double precision."""
        return {name: None if value is None else array(value) for name, value in vars(self).items()}


def array(tensor):
    """A tensor as numpy, in double precision."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64).numpy()


def tensors(rng, problem):
    """Numbers for a problem."""
    dtype, shape = problem.dtype, problem.weight_shape
    image = with_samples(rng, numbers(rng, problem.image_shape, dtype) * problem.scale, problem.samples)
    weight = numbers(rng, shape, dtype)
    if problem.zero_taps:
        weight = torch.where(torch.from_numpy(rng.random(shape) < 0.3), 0, weight).to(dtype)
    bias = numbers(rng, shape[:1], dtype) if problem.bias else None
    edge_weight = edge_bias = None
    count = oracle.edge_kernels(problem.mode, problem.geometry)
    if count is not None:
        copies = () if problem.mode == "diff_explicit" else (count,)
        edge_weight = numbers(rng, (*copies, *shape), dtype)
        if problem.bias or (problem.via == "function" and chance(rng, 0.3)):
            edge_bias = numbers(rng, (*copies, shape[0]), dtype)
    kernel_layout = problem.layouts[1]
    made = Tensors(
        laid_out(image, problem.layouts[0]),
        laid_out(weight, kernel_layout),
        bias,
        edge_weight,
        edge_bias,
    )
    assert prod(made.weight.shape) == prod(shape)
    return made
