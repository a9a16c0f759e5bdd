"""Kinds of cases: extended images, by rules and by fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

import diff_conv2d
from tests.fuzz import cases, fitted, oracle
from tests.fuzz.cases import array, chance, choice, integer
from tests.fuzz.check import (
    CONVOLUTIONS,
    NUMPYS_NAMES,
    ROUNDINGS,
    ROUNDINGS_OF_A_FIT,
    batched,
    compare,
    output_of,
    padding_of,
    prepared,
    rejected,
    require,
    same_bits,
)


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


def _check_extension(case, image, before, after, expected, mode, options, dilation):
    """`pad`, or where there is a dilation what a convolution with it makes of the image."""
    magnitude = np.full(expected.shape, np.abs(expected).max())
    if max(dilation) == 1:
        compare(
            "padded",
            diff_conv2d.pad(image, padding_of(before, after), mode, **options),
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
    wanted = replace(problem.geometry.windows, groups=image.shape[1]).correlate(expected, weight.numpy())
    compare(
        "output",
        output,
        wanted,
        np.full(wanted.shape, np.abs(expected).max() * float(weight.abs().sum())),
        roundings=ROUNDINGS_OF_A_FIT,
    )


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
        neighbourhood = integer(rng, 1, 2), choice(rng, [1, 3, 5]) if n == 2 else 1
        options = {"neighbourhood": neighbourhood, "fit_gradient": chance(rng, 0.5)}
        return {name: value for name, value in options.items() if chance(rng, 0.7)}
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
    padded = diff_conv2d.pad(image, padding_of(before, after), mode, **options, **fresh())
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
        if problem.dtype == torch.float64 and options.get("fit_gradient"):
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
    widths = padding_of(before, after)
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
    widths = padding_of(before, after)
    value = choice(rng, [0.0, 1.0, -3.0, 1e-20, 1e20])
    constant = torch.full((2, 2, *shape), value, dtype=dtype)
    padded = diff_conv2d.pad(constant, widths, mode, **options)
    expected = np.full(
        padded.shape, complex(constant.flatten()[0]) if dtype.is_complex else float(constant.flatten()[0])
    )
    # The rounding of the mean is a deviation, and noise several times as large; axis after axis.
    roundings = ROUNDINGS * 20 if mode == "random" else ROUNDINGS
    compare("constant image", padded, expected, np.abs(expected), roundings=roundings)
    if mode == "random" or dtype != torch.float64 or options.get("fit_dtype") == torch.float32:
        return
    image = cases.numbers(rng, (2, 2, *shape), dtype)
    together = diff_conv2d.pad(image, widths, mode, **options)
    require(bool(together.isfinite().all()), "not finite")
    if options.get("pool") != "batch":
        alone = diff_conv2d.pad(image[1], widths, mode, **options)
        size = np.abs(array(together[1])).max() + np.zeros(alone.shape)
        compare("an image alone", alone, array(together[1]), size, roundings=ROUNDINGS_OF_A_FIT * 100)
