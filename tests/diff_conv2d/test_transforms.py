"""Nothing that a transform, a mode or a default device of the caller made outlives it."""

import itertools

import pytest
import torch
from mode_cases import CASES, DETERMINISTIC
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import diff_conv2d
from diff_conv2d.extension import by_table
from diff_conv2d.functional import DiffConv2d

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
    by_table._table.cache_clear()
    yield
    by_table._table.cache_clear()


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
    by_table._table.cache_clear()
    assert torch.equal(layer(image), expected)


@pytest.mark.parametrize("mode", DETERMINISTIC)
def test_a_default_device_does_not_matter(mode):
    layer = diff_conv2d.Conv2d(3, 2, 3, padding=1, padding_mode=mode, **CASES[mode].options)
    image = torch.rand(1, 3, 24, 25)
    with torch.device("meta"):
        inside = layer(image)
    assert torch.equal(layer(image), inside)


def paper(image, weight):
    """By the frame; other images by blocks."""
    return DiffConv2d(3).conv2d(image, weight)


def general(image, weight):
    return diff_conv2d.conv2d(image, weight, padding=1, algorithm="fast")


@pytest.mark.parametrize(("convolve", "size"), [(paper, 40), (general, 400)], ids=["frame", "blocks"])
def test_a_gradient_that_is_differentiated_counts_each_path_once(convolve, size):
    """The kernel acts twice, and the image of the second convolution depends on it."""
    image = torch.rand(1, 1, size, size, dtype=torch.float64)
    weight = torch.rand(1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    loss = convolve(convolve(image, weight), weight).square().sum()
    plain, differentiable = (
        torch.autograd.grad(loss, weight, retain_graph=True, create_graph=create)[0] for create in (False, True)
    )
    torch.testing.assert_close(differentiable.detach(), plain)
    # A kernel that is made of the image, too.
    leaf = image.clone().requires_grad_()
    loss = convolve(leaf, 2 * leaf[..., :3, :3]).square().sum()
    plain, differentiable = (
        torch.autograd.grad(loss, leaf, retain_graph=True, create_graph=create)[0] for create in (False, True)
    )
    torch.testing.assert_close(differentiable.detach(), plain)


@pytest.mark.parametrize(("convolve", "size"), [(paper, 40), (general, 400)], ids=["frame", "blocks"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_hooks_of_a_tensor_run_once(convolve, size, create_graph):
    calls, weight = [], torch.rand(1, 1, 3, 3, requires_grad=True)
    weight.register_hook(lambda gradient: (calls.append(1), 2 * gradient)[1])
    loss = convolve(torch.rand(1, 1, size, size), weight).square().sum()
    torch.autograd.grad(loss, weight, create_graph=create_graph)
    assert calls == [1]


@pytest.mark.parametrize(("convolve", "size"), [(paper, 20), (general, 400)], ids=["frame", "blocks"])
def test_many_gradients_at_once(convolve, size):
    image, weight = torch.rand(1, 1, size, size, requires_grad=True), torch.rand(1, 1, 3, 3)
    output = convolve(image, weight)
    directions = torch.rand(3, *output.shape)

    def pull(direction):
        return torch.autograd.grad(output, image, direction, retain_graph=True)[0]

    torch.testing.assert_close(vmap(pull)(directions), torch.stack([pull(one) for one in directions]))


def test_a_tangent_that_is_not_finite_reaches_the_outputs_that_see_it_alone():
    image, tangent = torch.rand(1, 1, 400, 400), torch.zeros(1, 1, 400, 400)
    tangent[0, 0, 200, 200] = torch.nan
    with forward_ad.dual_level():
        output = general(forward_ad.make_dual(image, tangent), torch.rand(1, 1, 3, 3))
        found = forward_ad.unpack_dual(output).tangent
    assert found.isnan().nonzero().tolist() == [[0, 0, i, j] for i in (199, 200, 201) for j in (199, 200, 201)]
