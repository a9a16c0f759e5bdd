"""The extension by one kernel, against matrices that are made by hand, and against the plain way.

The operators compute in the plain way on a CPU, and by the kernels on a GPU; on a machine with one, this file is all
that is to be run. Without a GPU one test runs the file again in a process in which Triton interprets the kernels on
the CPU, and another one compiles them for a GPU.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.version import Version
from torch.utils._python_dispatch import TorchDispatchMode

import diff_conv2d
from diff_conv2d.extension import fused
from diff_conv2d.extension.fused_tables import plan_for
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes import boundary

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
ROOT = Path(__file__).parents[2]
LAST = torch.channels_last
NUMPYS = {
    "replicate": {"mode": "edge"},
    "reflect": {"mode": "reflect"},
    "symmetric": {"mode": "symmetric"},
    "circular": {"mode": "wrap"},
    "zeros": {"mode": "constant"},
    "antireflect": {"mode": "reflect", "reflect_type": "odd"},
}

plain_only = pytest.mark.skipif(INTERPRETED, reason="says nothing of the kernels")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return request.param


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def polynomial_by_hand(length, before, after, degree, dilation=1):
    """Lagrange's polynomials through the nearest samples of each lattice: the extended line, sample by sample."""
    rows = np.zeros((before + length + after, length))
    for row, place in zip(rows, range(-before, length + after), strict=True):
        lattice = [i for i in range(length) if (i - place) % dilation == 0]
        nearest = [place] if place in lattice else lattice[: degree + 1] if place < 0 else lattice[-degree - 1 :]
        for i in nearest:
            row[i] = np.prod([(place - j) / (i - j) for j in nearest if j != i])
    return rows


def matrix_by_hand(mode, length, before, after):
    if mode in NUMPYS:
        rows = np.pad(np.eye(length), ((before, after), (0, 0)), **NUMPYS[mode])
    else:
        rows = polynomial_by_hand(length, before, after, {"diff": before + after, "extrapolate": 2}[mode])
    return torch.from_numpy(rows)


def predicted_by_hand(v, length, before, after, dilation=1):
    """The matrices (N, C, extended, length) of predictors v (N, C, p, m - 1), which autograd sees through."""
    rows = []
    for place in range(-before, length + after):
        row = [torch.zeros(v.shape[:2], dtype=v.dtype)] * length
        lattice = [i for i in range(length) if (i - place) % dilation == 0]
        if place in lattice:
            row[place] = row[place] + 1
        else:
            lattice = lattice if place < 0 else lattice[::-1]
            weights = v[:, :, abs(lattice[0] - place) // dilation - 1]
            row[lattice[0]] = row[lattice[0]] + 1
            for j in range(v.shape[3]):
                row[lattice[j + 1]] = row[lattice[j + 1]] + weights[..., j]
                row[lattice[j]] = row[lattice[j]] - weights[..., j]
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, 2)


def product(image, matrices):
    """Images times the matrices of their axes, (extended, length) or (N, C, extended, length)."""
    for dim, matrix in zip(range(-len(matrices), 0), matrices, strict=True):
        lines = image.movedim(dim, -1).unsqueeze(-1)
        if matrix.ndim == 4:
            matrix = matrix.reshape(*matrix.shape[:2], *[1] * (lines.ndim - 4), *matrix.shape[2:])
        image = (matrix @ lines).squeeze(-1).movedim(-1, dim)
    return image


def where(before, after, kernel=None, dilation=None):
    ones = (1,) * len(before)
    kernel = kernel or tuple(b + a + 1 for b, a in zip(before, after, strict=True))
    return Geometry(kernel, ones, dilation or ones, before, after, "fused")


def gradients(result, tensors):
    """The gradients of a weighted sum of the result, by the same numbers for the same shape."""
    weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.autograd.grad(result, tensors, weights.to(result))


def assert_same(found, expected, dtype):
    """Whether tensors agree to the rounding of a dtype, relative to the largest sample."""
    tolerance = {torch.float64: 1e-13, torch.float32: 2e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}[dtype]
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        scale = other.abs().max().item() + 1e-30
        assert (one.detach().cpu().double() - other.detach()).abs().max().item() <= tolerance * scale


# Sizes, samples added before and after, memory format.
CASES = {
    "line": ((9,), (2,), (1,), torch.contiguous_format),
    "image": ((6, 7), (1, 2), (2, 1), torch.contiguous_format),
    "channels_last": ((6, 7), (2, 1), (1, 2), LAST),
    "volume": ((4, 3, 5), (1, 0, 1), (1, 2, 0), torch.contiguous_format),
    "volume_channels_last": ((3, 4, 3), (1, 1, 0), (0, 1, 1), torch.channels_last_3d),
    "tiny": ((1, 2), (1, 3), (2, 1), torch.contiguous_format),
}


@pytest.mark.parametrize("mode", [*NUMPYS, "diff", "extrapolate"])
@pytest.mark.parametrize("case", CASES)
def test_matrices(mode, case, device):
    if INTERPRETED and case != "image" and mode not in ("diff", "circular"):
        pytest.skip("the interpreter is slow, and these matrices have the forms of others")
    sizes, before, after, layout = CASES[case]
    matrices = [matrix_by_hand(mode, *axis) for axis in zip(sizes, before, after, strict=True)]
    image = torch.randn(2, 3, *sizes, dtype=torch.float64, requires_grad=True)
    expected = product(image, matrices)
    given = image.detach().to(device).contiguous(memory_format=layout).requires_grad_()
    extension = boundary(mode, degree=2) if mode == "extrapolate" else boundary(mode)
    result = extension.extend_fused(given, where(before, after))
    assert result.grad_fn.name() == "_ExtendedBackward"
    assert result.is_contiguous(memory_format=layout)
    assert_same([result, *gradients(result, [given])], [expected, *gradients(expected, [image])], torch.float64)


@pytest.mark.parametrize("layout", [torch.contiguous_format, LAST])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_precision(dtype, layout, device):
    matrices = [torch.from_numpy(polynomial_by_hand(size, 1, 1, 2)) for size in (6, 7)]
    image = torch.randn(1, 2, 6, 7).to(dtype)
    precise = image.double().requires_grad_()
    expected = product(precise, matrices)
    given = image.to(device, memory_format=layout).requires_grad_()
    result = boundary("diff").extend_fused(given, where((1, 1), (1, 1)))
    assert result.dtype == dtype
    assert_same([result, *gradients(result, [given])], [expected, *gradients(expected, [precise])], dtype)
    if device == "cuda" or (INTERPRETED and dtype != torch.bfloat16):
        # Half precision is rounded once, at the end. (To bfloat16 the interpreter does not round but cut.)
        assert (result.cpu() != expected.detach().to(dtype)).float().mean() < (1 if dtype == torch.float32 else 0.02)


def test_any_strides(device):
    whole = torch.randn(4, 9, 4, 14, dtype=torch.float64, device=device)
    cut = whole.permute(2, 0, 3, 1)[:2, ::2, 1:-1:2, 1:7]
    for image in (cut, cut[:1, :1].expand(2, 3, -1, -1), cut.flip(-1)):
        sizes = image.shape[2:]
        matrices = [torch.from_numpy(polynomial_by_hand(n, b, 1, b + 1)) for n, b in zip(sizes, (1, 2), strict=True)]
        result = boundary("diff").extend_fused(image, where((1, 2), (1, 1)))
        assert_same([result], [product(image.cpu(), matrices)], torch.float64)


def test_nothing_but_its_own_samples_is_read(device):
    image = torch.randn(1, 1, 7, 7, device=device)
    image[..., 3, 3] = torch.nan
    image[..., 0, 6] = torch.inf
    for mode in ("diff", "zeros", "reflect"):
        result = boundary(mode).extend_fused(image, where((1, 1), (1, 1)))
        expected = boundary(mode).extend_by_axis(image, where((1, 1), (1, 1)))
        torch.testing.assert_close(result, expected, equal_nan=True)


def test_empty_batch(device):
    layer = diff_conv2d.Conv2d(2, 3, 3, padding=1, padding_mode="learned", algorithm="fused", device=device)
    image = torch.zeros(0, 2, 5, 5, device=device, requires_grad=True)
    result = layer(image)
    assert result.shape == (0, 3, 5, 5)
    result.sum().backward()
    assert image.grad.shape == image.shape
    assert all(not p.grad.any() for p in layer.predictors.parameters())


@pytest.mark.parametrize(
    ("sizes", "of_weights", "dilation", "layout"),
    [
        ((9,), (1, 3), (1,), torch.contiguous_format),
        ((5, 6), (1, 3), (1, 1), torch.contiguous_format),
        ((6, 5), (2, 1), (1, 1), LAST),
        ((9, 4), (1, 1), (2, 1), torch.contiguous_format),
        ((3, 3, 2), (1, 1), (1, 1, 1), torch.contiguous_format),
    ],
    ids=["line", "channels", "images", "shared_dilated", "volume"],
)
def test_predictors(sizes, of_weights, dilation, layout, device):
    """Shared weights, those of each channel, and of each image: the extension and all its gradients."""
    dtype, p = torch.float64, 2 if len(sizes) == 1 or dilation[0] == 2 else 1
    before, after = tuple(p * d for d in dilation), tuple(p * d - (p > 1) for d in dilation)
    channels, differences = (3, 2) if len(sizes) < 3 else (1, 1)
    image = torch.randn(2, channels, *sizes, dtype=dtype, requires_grad=True)
    weights = [torch.randn(*of_weights, p, differences, dtype=dtype, requires_grad=True) for _ in sizes]
    axes = zip(weights, sizes, before, after, dilation, strict=True)
    expected = product(image, [predicted_by_hand(*axis) for axis in axes])
    given = image.detach().to(device).contiguous(memory_format=layout).requires_grad_()
    vs = [w.detach().to(device).requires_grad_() for w in weights]
    result = fused.extended_fused(given, before, after, [(v, v) for v in vs], dilation)
    found = [result, *gradients(result, [given, *vs])]
    assert_same(found, [expected, *gradients(expected, [image, *weights])], dtype)
    # The image alone, the weights alone, and the weights of one axis.
    for wanted in ([given], vs, vs[-1:]) if len(sizes) == 1 else ():
        some = [given if any(given is w for w in wanted) else given.detach()]
        some += [v if any(v is w for w in wanted) else v.detach() for v in vs]
        again = fused.extended_fused(some[0], before, after, [(v, v) for v in some[1:]], dilation)
        pairs = zip([given, *vs], found[1:], strict=True)
        assert_same(gradients(again, wanted), [g.cpu() for t, g in pairs if any(t is w for w in wanted)], dtype)


def test_ends_with_weights_of_their_own(device):
    """Predictors at one end and a matrix at the other, or two kinds of predictors, of images and of channels."""
    dtype = torch.float64
    image = torch.randn(2, 3, 6, 7, dtype=dtype, requires_grad=True)
    low, high, right = (
        torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in ((2, 1, 1, 2), (1, 3, 2, 1), (1, 3, 1, 3))
    )
    rows = torch.cat([predicted_by_hand(low, 6, 1, 0).expand(2, 3, -1, -1)[:, :, :1]], 2)
    rows = torch.cat([rows, predicted_by_hand(high, 6, 0, 2).expand(2, 3, -1, -1)], 2)
    columns = torch.from_numpy(np.pad(np.eye(7), ((2, 0), (0, 0)), mode="symmetric")).expand(1, 3, -1, -1)
    columns = torch.cat([columns, predicted_by_hand(right, 7, 0, 1)[:, :, -1:]], 2)
    expected = product(image, [rows, columns])
    ours = [t.detach().to(device).requires_grad_() for t in (image, low, high, right)]
    mirrored = boundary("symmetric").rule(1, False, where((1, 2), (2, 1)), dtype)
    rules = [(ours[1], ours[2]), (mirrored, ours[3])]
    result = fused.extended_fused(ours[0], (1, 2), (2, 1), rules, (1, 1))
    expected_gradients = gradients(expected, [image, low, high, right])
    assert_same([result, *gradients(result, ours)], [expected, *expected_gradients], dtype)


MODES = {
    "adaptive": ("adaptive", {}),
    "fit_gradient": ("adaptive", {"fit_gradient": True, "taps": 2}),
    "sides": (("circular", ({"mode": "adaptive", "taps": 2, "fit_gradient": True}, "zeros")), {}),
    "antisymmetric": ("antisymmetric", {}),
    "dirichlet": ("dirichlet", {}),
    "learned": ("learned", {"taps": 2}),
}


def both_ways(mode, options, image, device, **more):
    """Outputs and gradients of a layer in the plain way, and fused."""
    layer = diff_conv2d.Conv2d(3, 2, 3, padding_mode=mode, dtype=image.dtype, device=device, **more, **options)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    every = []
    for algorithm in ("direct", "fused"):
        layer.algorithm = algorithm
        given = image.detach().to(device).requires_grad_()
        output = layer(given)
        every.append([t.cpu() for t in (output, *gradients(output, [given, *layer.parameters()]))])
    return every


@pytest.mark.parametrize("case", MODES)
def test_layers(case, device):
    more = {"padding": (1, 2), "dilation": (1, 2), "stride": (2, 1)} if case == "learned" else {"padding": 1}
    plain, ours = both_ways(*MODES[case], torch.randn(1, 3, 6, 7, dtype=torch.float64), device, **more)
    assert_same(ours, plain, torch.float64)


@pytest.mark.parametrize(
    ("dtype", "of_weights"), [(torch.float32, torch.float64), (torch.bfloat16, torch.bfloat16)], ids=["fit", "half"]
)
def test_weights_of_other_precisions(dtype, of_weights, device):
    """Fits are in double precision, and trained weights may be in half precision."""
    image, weights = torch.randn(1, 2, 4, 5).to(dtype), torch.randn(1, 2, 1, 2).to(of_weights)
    precise = [t.double().requires_grad_() for t in (image, weights)]
    expected = product(precise[0], [torch.eye(4).double(), predicted_by_hand(precise[1], 5, 1, 1)])
    ours = [t.to(device).requires_grad_() for t in (image, weights)]
    result = fused.extended_fused(ours[0], (0, 1), (0, 1), [(None, None), (ours[1], ours[1])], (1, 1))
    found = [result, *gradients(result, ours)]
    assert [t.dtype for t in found] == [dtype, dtype, of_weights]
    assert_same(found, [expected, *gradients(expected, precise)], dtype)


def test_running_and_fitted_predictors(device):
    image = torch.randn(2, 3, 9, 9, device=device)
    layer = diff_conv2d.Conv2d(3, 2, 3, padding=1, padding_mode="adaptive", track_running_stats=True, device=device)
    layer(image)
    frozen = diff_conv2d.Conv2d(3, 2, 3, padding=1, padding_mode=diff_conv2d.fit(image, 1), device=device)
    for each in (layer, layer.eval(), frozen):
        plain = each(image)
        each.algorithm = "fused"
        torch.testing.assert_close(each(image), plain)
        each.algorithm = "auto"


def test_results_are_the_same_from_run_to_run(device):
    for mode in ("diff", "learned"):
        every = []
        for _ in range(2):
            torch.manual_seed(1)
            options = {"taps": 2} if mode == "learned" else {}
            every.append(both_ways(mode, options, torch.randn(1, 3, 5, 4), device, padding=1)[1])
        assert all(torch.equal(one, other) for one, other in zip(*every, strict=True))


class Operators(TorchDispatchMode):
    """Counts the operators that compute; of a convolution's gradient, each of its results."""

    FREE = ("view", "empty", "detach", "as_strided", "expand", "slice", "select", "squeeze", "alias")

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name().split("::")[-1]
        if not name.startswith(self.FREE) and not name.endswith(("view", "squeeze", "expand")):
            self.names += [name] * (sum(args[-1]) if name == "convolution_backward" else 1)
        return function(*args, **(kwargs or {}))


@plain_only
@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize(
    "mode", ["diff", "extrapolate", "symmetric", "antireflect", "learned", "running", "circular"]
)
def test_launches(mode, kernel, device):
    """At most 3 forwards and 4 backwards, for every size of the kernel; of these one and one are ours."""
    options = (
        {"padding_mode": "adaptive", "track_running_stats": True} if mode == "running" else {"padding_mode": mode}
    )
    layer = diff_conv2d.Conv2d(2, 2, kernel, padding=kernel // 2, algorithm="fused", device=device, **options)
    image = torch.randn(1, 2, 16, 16, device=device, requires_grad=True)
    layer(image.detach())
    layer.eval()(image)
    with Operators() as forwards:
        output = layer(image).mean((1, 2, 3))
    with Operators() as backwards:
        torch.autograd.grad(output, [image, *layer.parameters()])
    assert [name for name in forwards.names if name != "mean.dim"] == ["extend", "convolution"]
    ours = [name for name in backwards.names if name.startswith("extend")]
    assert ours == ["extend_gradients" if mode == "learned" else "extend_adjoint"]
    assert len([name for name in backwards.names if name == "convolution_backward"]) == 3


def test_launches_of_the_kernels(device, monkeypatch):
    if device == "cpu" and not INTERPRETED:
        pytest.skip("takes the plain way")
    kernels, launched = fused._kernels(), []

    class Counted:
        def __init__(self, name):
            self.name = name

        def __getitem__(self, grid):
            launched.append(self.name)
            return getattr(kernels, self.name)[grid]

    monkeypatch.setattr(
        fused, "_kernels", lambda: type("_", (), {n: Counted(n) for n in ("multiplied", "gradients")})
    )
    for mode, backwards in (("diff", "multiplied"), ("learned", "gradients")):
        layer = diff_conv2d.Conv2d(1, 1, 5, padding=2, padding_mode=mode, algorithm="fused", device=device)
        launched.clear()
        image = torch.randn(1, 1, 6, 6, device=device, requires_grad=True)
        layer(image).sum().backward()
        assert launched == ["multiplied", backwards]


def test_what_the_kernels_cannot_do_is_left_to_the_plain_way(device):
    arguments = (torch.float32, torch.device("cpu"), False)
    axis = "1 1 polynomial:1:1 polynomial:1:1"
    assert plan_for(axis, (1, 1, 9), (9, 9, 1), *arguments) is not None
    assert plan_for(axis, (1, 1, 2**31), (2**31, 2**31, 1), *arguments) is None
    assert plan_for(axis, (2, 1, 9), (2**31, 9, 1), *arguments) is None
    wide = "99 99 polynomial:70:1 polynomial:70:1"
    assert plan_for(";".join([wide] * 2), (1, 1, 80, 80), (6400, 6400, 80, 1), *arguments) is None
    # More samples outside than there are inside, and more than are written row by row.
    for mode in ("circular", "replicate"):
        image = torch.randn(1, 1, 4, 5, device=device)
        geometry = where((19, 1), (2, 23), kernel=(3, 3))
        assert torch.equal(boundary(mode).extend_fused(image, geometry), boundary(mode).extend(image, geometry))


def test_derivatives_of_every_order(device):
    image = torch.randn(1, 1, 2, 3, dtype=torch.float64, device=device, requires_grad=True)
    v = torch.randn(1, 1, 1, 2, dtype=torch.float64, device=device, requires_grad=True)
    symmetric = boundary("symmetric").rule(0, False, where((1, 1), (1, 1)), image.dtype)

    def extended(image, v):
        return fused.extended_fused(image, (1, 1), (0, 1), [(symmetric, None), (v, v)], (1, 1))

    assert torch.autograd.gradcheck(extended, (image, v), fast_mode=True)
    assert torch.autograd.gradgradcheck(extended, (image, v), fast_mode=True)
    result, some = extended(image, v), torch.randn(3, 1, 1, 3, 5, dtype=image.dtype, device=device)
    batch = torch.autograd.grad(result, image, some, is_grads_batched=True, retain_graph=True)[0]
    each = [torch.autograd.grad(result, image, one, retain_graph=True)[0] for one in some]
    torch.testing.assert_close(batch, torch.stack(each))


@plain_only
@pytest.mark.parametrize("mode", ["diff", "learned"])
def test_transforms_take_the_plain_way(mode, device):
    layer = diff_conv2d.Conv2d(2, 1, 3, padding=1, padding_mode=mode, algorithm="fused", dtype=torch.float64)
    layer.to(device)
    images = torch.randn(3, 2, 6, 6, dtype=torch.float64, device=device)
    with Operators() as seen:
        found = torch.vmap(torch.func.grad(lambda image: layer(image[None]).sin().sum()))(images)
        _, tangent = torch.func.jvp(layer, (images,), (images,))
        exported = torch.export.export(layer, (images,)).module()(images)
        weight = layer.weight.to(torch.complex128)
        complexes = diff_conv2d.conv2d(images.to(torch.complex128), weight, padding=1, algorithm="fused")
    assert not any(name.startswith("extend") for name in seen.names)
    given = images.clone().requires_grad_()
    output = layer(given)
    torch.testing.assert_close(found, torch.autograd.grad(output.sin().sum(), given)[0])
    if mode == "diff":
        torch.testing.assert_close(tangent, layer(2 * images) - layer(images))
        torch.testing.assert_close(complexes.real, output - layer.bias[:, None, None])
    torch.testing.assert_close(exported, output)


@plain_only
def test_a_compiler_sees_one_operator(device):
    layer = diff_conv2d.Conv2d(2, 2, 3, padding=1, padding_mode="learned", algorithm="fused", device=device)
    seen = []

    def look(graph, _):
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    for shape in ((2, 2, 6, 6), (2, 2, 9, 7)):
        image = torch.randn(shape, device=device, requires_grad=True)
        for backend in (look, "aot_eager"):
            compiled = torch.compile(layer, backend=backend, fullgraph=True)
            for one, other in zip(gradients(compiled(image), [image]), gradients(layer(image), [image]), strict=True):
                torch.testing.assert_close(one, other)
    assert any("diff_conv2d.extend" in name for name in seen)
    assert not any("cat" in name for name in seen)


@plain_only
def test_operators_are_registered_rightly(device):
    axes = "1 2 polynomial:2:1 mirrored:1:1;1 1 weights:0:1:3:1 weights:0:1:3:1"
    weights = torch.randn(1, 3, 3, device=device)
    for layout in (torch.contiguous_format, LAST):
        image = torch.randn(2, 3, 6, 7, device=device).contiguous(memory_format=layout)
        grad = torch.randn(2, 3, 9, 9, device=device).contiguous(memory_format=layout)
        operators = torch.ops.diff_conv2d
        needed = [True, False, True, False]
        trained = image.clone().requires_grad_(), None, weights.clone().requires_grad_(), None, axes
        torch.library.opcheck(operators.extend.default, trained)
        torch.library.opcheck(operators.extend_adjoint.default, (grad, None, weights, None, axes))
        torch.library.opcheck(operators.extend_gradients.default, (grad, image, None, weights, None, axes, needed))


@plain_only
@pytest.mark.parametrize(
    "mode",
    ["random", "partial", "explicit", "diff_explicit", "linear_prediction", "peripheral", "pole", ("diff", "random")],
)
def test_modes_without_matrices_refuse(mode):
    with pytest.raises(ValueError, match=r"algorithm must be 'auto', 'direct' or 'fast' for padding_mode="):
        diff_conv2d.Conv2d(1, 1, 3, padding=1, padding_mode=mode, algorithm="fused")


@plain_only
def test_prescribed_numbers_refuse():
    with pytest.raises(ValueError, match="adds a number of its own"):
        diff_conv2d.Conv2d(1, 1, 3, padding=1, padding_mode="dirichlet", value=1.0, algorithm="fused")


def run(*command, **environment):
    """Run a program in a process of its own, where Triton is not imported yet."""
    names = {name: value for name, value in os.environ.items() if not name.startswith(("TRITON_", "PYTEST_"))}
    names |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=names, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


@plain_only
def test_by_the_interpreter():
    pytest.importorskip("triton", exc_type=ImportError)
    output = run(
        "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not cuda", __file__, TRITON_INTERPRET="1"
    )
    assert " passed" in output


COMPILE = """
import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

import diff_conv2d
from diff_conv2d.extension import fused, fused_kernels


class Driver:  # of a GPU that is not there
    def get_current_target(self):
        return GPUTarget("cuda", 80, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


class Kernel:  # compiles instead of launching
    def __init__(self, kernel):
        self.kernel = kernel

    def __getitem__(self, grid):
        return lambda *arguments, **options: print(
            *sorted(self.kernel.warmup(*arguments, grid=grid, **options).asm)
        )


driver.set_active(Driver())
fused._kernels_for = lambda device: type(
    "Kernels", (), {name: Kernel(getattr(fused_kernels, name)) for name in ("multiplied", "gradients")}
)
for dtype, layout, mode, options in (
    (torch.float32, torch.contiguous_format, "diff", {}),
    (torch.float64, torch.contiguous_format, "diff", {}),
    (torch.bfloat16, torch.channels_last, "learned", {}),
    (torch.float32, torch.contiguous_format, "adaptive", {"fit_gradient": True}),
):
    layer = diff_conv2d.Conv2d(3, 3, 3, padding=1, padding_mode=mode, algorithm="fused", dtype=dtype, **options)
    image = torch.randn(2, 3, 12, 12).to(dtype).contiguous(memory_format=layout).requires_grad_()
    layer(image).sum().backward()
# Other sizes need no other kernel.
before = len(fused_kernels.multiplied.device_caches[0][0])
layer = diff_conv2d.Conv2d(3, 3, 3, padding=1, algorithm="fused")
for size in (9, 11, 16):
    layer(torch.randn(16, 3, 32, size))
assert len(fused_kernels.multiplied.device_caches[0][0]) == before
"""


@plain_only
def test_the_kernels_compile_for_a_gpu():
    """Types that the interpreter forgives."""
    triton = pytest.importorskip("triton", exc_type=ImportError)
    if Version(triton.__version__) < Version("3.6"):
        pytest.skip("Triton 3.5 compiles none of these kernels, and says so")
    if torch.version.hip or sys.platform != "linux":
        pytest.skip("Triton compiles for NVIDIA's GPUs on Linux")
    lines = run("-c", COMPILE).splitlines()
    assert len(lines) == 11
    assert all("ptx" in line for line in lines)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", ["diff", "learned"])
def test_cuda_graphs(mode):
    layer = diff_conv2d.Conv2d(3, 4, 3, padding=1, padding_mode=mode, algorithm="fused", device="cuda")
    image = torch.randn(2, 3, 20, 20, device="cuda", requires_grad=True)
    parameters = list(layer.parameters())

    def step():
        return torch.autograd.grad(layer(image).square().sum(), [image, *parameters])

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        image.copy_(torch.randn_like(image))
    graph.replay()
    for one, other in zip(captured, step(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("options", [{}, {"mode": "reduce-overhead"}], ids=["inductor", "cuda_graphs"])
def test_compiled_on_cuda(options):
    layer = diff_conv2d.Conv2d(3, 4, 3, padding=1, padding_mode="diff", algorithm="fused", device="cuda")
    compiled = torch.compile(layer, fullgraph=True, **options)
    for layout in (torch.contiguous_format, LAST):
        image = torch.randn(4, 3, 20, 20, device="cuda").contiguous(memory_format=layout).requires_grad_()
        for _ in range(4):
            torch.compiler.cudagraph_mark_step_begin()
            output = compiled(image)
            found = torch.autograd.grad(output.sum(), image)[0].clone()
            torch.testing.assert_close(found, torch.autograd.grad(layer(image).sum(), image)[0])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mode", ["diff", "adaptive", "learned"])
def test_sizes_of_networks(mode, dtype):
    for channels, size in ((64, 56), (128, 28), (512, 7), (3, 224)):
        for layout in (torch.contiguous_format, LAST):
            torch.manual_seed(0)
            layer = diff_conv2d.Conv2d(channels, 8, 3, padding=1, padding_mode=mode, device="cuda", dtype=dtype)
            image = torch.randn(8, channels, size, size, device="cuda", dtype=dtype).contiguous(memory_format=layout)
            geometry, extension = (
                layer.geometry,
                layer.predictors(image, layer.geometry) if mode == "learned" else layer._mode,
            )
            plain = extension.extend(image, geometry)
            result = extension.extend_fused(image, geometry._replace(algorithm="fused"))
            tolerance = 1e-4 if dtype == torch.float32 else 5e-2
            torch.testing.assert_close(result, plain, rtol=tolerance, atol=tolerance)
