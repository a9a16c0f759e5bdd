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
    image, weight = made.input, made.weight
    sizes = problem.geometry.windows.sizes(problem.geometry.extended)
    grad = cases.numbers(rng, (len(image), len(weight), *sizes), torch.float64)

    def convolve(x, w):
        return output_of(problem, cases.Tensors(x, w, None, None, None))[0]

    # Linear in either; where it is the kernel, what is made of the image is made inside the transform.
    name, variable = choice(rng, [("the image", image), ("the kernel", weight)])
    case.note(f"by {name}")
    of = (lambda z: convolve(z, weight)) if variable is image else (lambda z: convolve(image, z))
    other = cases.numbers(rng, variable.shape, torch.float64)

    if way == "vmap":
        found = torch.vmap(of)(torch.stack([variable, other]))
        expected = torch.stack([of(variable), of(other)])
    elif way == "jvp":
        found = torch.stack(torch.func.jvp(of, (variable,), (other,)))
        expected = torch.stack([of(variable), of(other)])
    elif way == "vjp":
        (found,) = torch.func.vjp(of, variable)[1](grad)
        # <A z, y> = <z, A' y>
        found, expected = (found * other).sum(), (of(other) * grad).sum()
    elif way == "hessian":
        for _ in range(2):
            matrix = torch.func.hessian(lambda z: of(z).square().sum() / 2)(variable)
        found = matrix.reshape(variable.numel(), variable.numel()) @ other.flatten()
        # A' A z
        z = variable.clone().requires_grad_()
        expected = torch.autograd.grad(of(z), z, of(other))[0].flatten()
    else:
        first, second = image.clone().requires_grad_(), weight.clone().requires_grad_()
        by, free = (first, second) if variable is image else (second, first)
        (once,) = torch.autograd.grad(convolve(first, second), by, grad, create_graph=True)
        (found,) = torch.autograd.grad((once * other).sum(), free)
        # <y, A(x, w)> is linear in both: its derivative by one along z, by the other, is that with z in its place.
        pair = (other, second) if variable is image else (first, other)
        (expected,) = torch.autograd.grad(convolve(*pair), free, grad)
    require(tuple(found.shape) == tuple(expected.shape), f"{way} has shape {tuple(found.shape)}")
    scale = float(of(variable).abs().max() + of(other).abs().max() + expected.abs().max() + 1)
    size = np.full(expected.shape, scale * 1e3 * grad.numel())
    compare(way, found.detach(), array(expected), size)
