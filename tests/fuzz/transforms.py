"""Kind of cases: transforms of functions, and second derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch._dynamo  # transforms import it, which takes seconds: no case shall pay for it

from tests.fuzz import cases
from tests.fuzz.cases import LINEAR, array, choice
from tests.fuzz.check import compare, output_of, require

WAYS = ("vmap", "jvp", "vjp", "hessian", "gradient of the gradient")


def check_transform(case):
    """Of modes without edge kernels: vmap is a loop, and derivatives are those of a linear map.

    The transform comes first: what is cached is made inside it.
    """
    rng = case.rng
    modes = [mode for mode in LINEAR if "explicit" not in mode]
    problem = cases.problem(rng, [*modes, "diff"], [torch.float64], choice(rng, [1, 2]))
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
    )
    way = choice(rng, WAYS)
    if way == "hessian":
        problem = replace(problem, shape=tuple(min(s, 5) for s in problem.shape), batch=1)
    case.note((way, problem))
    if not problem.has_answer:
        return
    made = cases.tensors(rng, problem)
    weight, image = made.weight, made.input
    other = cases.numbers(rng, image.shape, torch.float64)
    sizes = problem.geometry.windows.sizes(problem.geometry.extended)
    grad = cases.numbers(rng, (len(image), len(weight), *sizes), torch.float64)

    def convolve(x, w=weight):
        return output_of(problem, cases.Tensors(x, w, None, None, None))[0]

    if way == "vmap":
        found = torch.vmap(convolve)(torch.stack([image, other]))
        expected = torch.stack([convolve(image), convolve(other)])
    elif way == "jvp":
        found = torch.stack(torch.func.jvp(convolve, (image,), (other,)))
        expected = torch.stack([convolve(image), convolve(other)])
    elif way == "vjp":
        (found,) = torch.func.vjp(convolve, image)[1](grad)
        # <A z, y> = <z, A' y>
        found, expected = (found * other).sum(), (convolve(other) * grad).sum()
    elif way == "hessian":
        for _ in range(2):
            matrix = torch.func.hessian(lambda x: convolve(x).square().sum() / 2)(image)
        found = matrix.reshape(image.numel(), image.numel()) @ other.flatten()
        # A' A z
        x = image.clone().requires_grad_()
        expected = torch.autograd.grad(convolve(x), x, convolve(other))[0].flatten()
    else:
        x, w, v = image.clone().requires_grad_(), weight.clone().requires_grad_(), weight.clone().requires_grad_()
        (first,) = torch.autograd.grad(convolve(x, w), x, grad, create_graph=True)
        (found,) = torch.autograd.grad((first * other).sum(), w)
        # <A_w' y, z> = <y, A_w z>: by w, it has the gradient of the convolution of z.
        (expected,) = torch.autograd.grad(convolve(other, v), v, grad)
    require(tuple(found.shape) == tuple(expected.shape), f"{way} has shape {tuple(found.shape)}")
    scale = float(convolve(image).abs().max() + convolve(other).abs().max() + expected.abs().max() + 1)
    size = np.full(expected.shape, scale * 1e3 * grad.numel())
    compare(way, found.detach(), array(expected), size)
