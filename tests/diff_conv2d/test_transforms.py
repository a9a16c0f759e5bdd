"""Nothing that a transform, a mode or a default device of the caller made outlives it."""

import itertools

import pytest
import torch
from mode_cases import CASES, DETERMINISTIC
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import diff_conv2d
from diff_conv2d import frame_table

TRANSFORMS = {
    "forward twice": lambda f: jacfwd(jacfwd(f)),
    "reverse twice": lambda f: jacrev(jacrev(f)),
    "hessian": hessian,
    "forward over vmap": lambda f: lambda x: jvp(vmap(f), (x.expand(2, -1, -1, -1),), (x.expand(2, -1, -1, -1),)),
    "vmap over reverse": lambda f: lambda x: vmap(grad(f))(x.expand(2, -1, -1, -1)),
    "reverse of reverse": lambda f: lambda x: vjp(grad(f), x)[1](x),
}


@pytest.fixture(autouse=True)
def empty_cache():
    frame_table._table.cache_clear()
    yield
    frame_table._table.cache_clear()


def cubes(image):
    return diff_conv2d.pad(image, (1, 2, 2, 1), "diff", degree=1).pow(3).sum()


@pytest.mark.parametrize(("first", "second"), list(itertools.product(TRANSFORMS, TRANSFORMS)))
def test_one_transform_after_another(first, second):
    image = torch.rand(1, 4, 5, dtype=torch.float64)
    for name in (first, second):
        TRANSFORMS[name](cubes)(image)
    leaf = image.clone().requires_grad_()
    cubes(leaf).backward()
    assert torch.equal(leaf.grad, torch.autograd.functional.vjp(cubes, image)[1])
    torch.testing.assert_close(jacrev(cubes)(image), leaf.grad)


@pytest.mark.parametrize("mode", DETERMINISTIC)
def test_fake_tensors_leave_nothing_behind(mode):
    layer = diff_conv2d.Conv2d(3, 2, 3, padding=1, padding_mode=mode, **CASES[mode].options)
    image = torch.rand(1, 3, 9, 10)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        layer(fake.from_tensor(image))
        layer(image)
    expected = layer(image)
    frame_table._table.cache_clear()
    assert torch.equal(layer(image), expected)


@pytest.mark.parametrize("mode", DETERMINISTIC)
def test_a_default_device_does_not_matter(mode):
    layer = diff_conv2d.Conv2d(3, 2, 3, padding=1, padding_mode=mode, **CASES[mode].options)
    image = torch.rand(1, 3, 24, 25)
    with torch.device("meta"):
        inside = layer(image)
    assert torch.equal(layer(image), inside)
