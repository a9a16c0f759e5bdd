import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from mode_cases import FUNCTIONAL
from torch.autograd import gradcheck, gradgradcheck

import diff_conv2d
from diff_conv2d.algorithms import blocks, choice
from diff_conv2d.algorithms.blocks import BLOCK, convolve_in_blocks
from diff_conv2d.algorithms.frame import convolve_large_image

TORCH = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
TORCHS_MODES = ["zeros", "reflect", "replicate", "circular"]


def tensors(image, weight, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = image, weight, (weight[0],)
    return tuple(torch.randn(shape, dtype=dtype, generator=generator) for shape in shapes)


@pytest.fixture
def counted(monkeypatch):
    """The calls that were computed in blocks or segments."""
    calls = []

    def counting(function):
        def count(*arguments):
            calls.append(arguments)
            return function(*arguments)

        return count

    monkeypatch.setattr(blocks, "convolve_in_blocks", counting(convolve_in_blocks))
    monkeypatch.setattr(choice, "convolve_large_image", counting(convolve_large_image))
    return calls


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("image", "weight", "groups"),
    [
        ((1, 1, 6, 18), (1, 1, 3, 3), 1),
        ((1, 1, 5, 8), (1, 1, 1, 1), 1),
        ((2, 1, 9, 21), (1, 1, 4, 2), 1),
        ((1, 1, 9, 40), (3, 1, 2, 7), 1),
        ((3, 2, 8, 19), (1, 2, 5, 3), 1),
        ((2, 3, 7, 33), (2, 3, 3, 5), 1),
        ((2, 4, 7, 17), (8, 2, 3, 1), 2),
        ((1, 3, 11, 30), (3, 1, 7, 7), 3),
        ((0, 1, 9, 21), (1, 1, 3, 3), 1),
        ((2, 2, 35), (2, 2, 5), 1),
        ((1, 1, 64), (1, 1, 31), 1),
        ((2, 1, 6, 7, 20), (1, 1, 3, 2, 3), 1),
        ((1, 4, 4, 5, 19), (4, 2, 2, 3, 4), 2),
    ],
    ids=str,
)
def test_equals_torchs_convolution(image, weight, groups, dtype):
    x, w, b = tensors(image, weight, dtype)
    for bias in (None, b):
        expected = TORCH[x.ndim](x, w, bias, groups=groups)
        actual = convolve_in_blocks(x, w, bias, groups)
        assert actual.is_contiguous()
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-12 if dtype == torch.float64 else 1e-4)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equals_torchs_convolution_at_any_size(data):
    def size(low, high):
        return data.draw(st.integers(low, high))

    kernel = [size(1, 6), size(1, 9)]
    groups, inner, outer = size(1, 2), size(1, 2), size(1, 2)
    image = (size(1, 2), groups * inner, kernel[0] + size(0, 4), kernel[1] + BLOCK - 1 + size(0, 20))
    x, w, b = tensors(image, (groups * outer, inner, *kernel))
    torch.testing.assert_close(
        convolve_in_blocks(x, w, b, groups), F.conv2d(x, w, b, groups=groups), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: F.pad(x, (3, 2, 1, 1))[..., 1:-1, 3:-2],
        lambda x: x[:, :1].expand(-1, 2, -1, -1),
    ],
    ids=["columns", "channels_last", "part", "expanded"],
)
def test_any_strides(layout):
    x, w, b = tensors((2, 2, 9, 21), (2, 2, 3, 3))
    x = layout(x)
    torch.testing.assert_close(convolve_in_blocks(x, w, b, 1), F.conv2d(x, w, b))


@pytest.mark.parametrize(
    ("image", "weight"),
    [
        ((1, 1, 5, 13), (1, 1, 3, 3)),
        ((2, 2, 4, 11), (2, 2, 2, 3)),
        ((1, 1, 12), (1, 1, 4)),
        ((1, 1, 3, 4, 10), (1, 1, 2, 2, 3)),
    ],
    ids=str,
)
def test_gradients_of_first_and_second_order(image, weight):
    inputs = tuple(tensor.requires_grad_() for tensor in tensors(image, weight))

    def convolve(x, w, b):
        return convolve_in_blocks(x, w, b, 1)

    assert gradcheck(convolve, inputs, check_forward_ad=True, fast_mode=True)
    assert gradgradcheck(convolve, inputs, fast_mode=True)


def test_many_gradients_at_once():
    x, w, b = (tensor.requires_grad_() for tensor in tensors((1, 1, 9, 21), (2, 1, 3, 5)))
    grads = torch.randn(3, 1, 2, 7, 17, dtype=torch.float64)
    actual, expected = (
        torch.autograd.grad(f(x, w, b), (x, w, b), grads, is_grads_batched=True)
        for f in (lambda x, w, b: convolve_in_blocks(x, w, b, 1), F.conv2d)
    )
    torch.testing.assert_close(actual, expected)


LARGE = torch.randn(1, 1, 384, 400, generator=torch.Generator().manual_seed(0))
WEIGHT = torch.randn(1, 1, 3, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mode", [name for name in FUNCTIONAL if name not in TORCHS_MODES and name != "partial"])
def test_large_images_are_filtered_in_blocks(mode, counted):
    edge = {}
    if mode == "explicit":
        edge = {"edge_weight": WEIGHT.expand(8, 1, 1, 3, 3)}
    if mode == "diff_explicit":
        edge = {"edge_weight": WEIGHT}
    if mode == "random":
        edge = {"generator": torch.Generator().manual_seed(0)}
    actual = diff_conv2d.conv2d(LARGE, WEIGHT, padding=1, padding_mode=mode, **edge)
    assert len(counted) == 1
    if mode == "random":
        edge = {"generator": torch.Generator().manual_seed(0)}
    expected = diff_conv2d.conv2d(LARGE, WEIGHT, padding=1, padding_mode=mode, algorithm="direct", **edge)
    assert len(counted) == 1
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kernel", "padding", "image"),
    [
        ((5, 7), (2, 3), LARGE),
        ((4, 4), (2, 2), LARGE),
        ((3, 5), (0, 2), LARGE),
        ((3, 1), (1, 0), LARGE),
        ((3, 3), (1, 1), LARGE[..., 1:]),
        ((3, 3), (1, 1), LARGE.view(2, 1, 192, 400)),
        ((7, 7), (3, 3), LARGE.view(1, 1, 2, -1)),
    ],
    ids=["5x7", "even", "columns only", "rows only", "no whole blocks", "batch", "two rows"],
)
def test_two_kernels_with_bias_on_a_large_image(kernel, padding, image, counted):
    weight = torch.randn(2, 1, *kernel, generator=torch.Generator().manual_seed(2))
    arguments = {"bias": torch.tensor([1.0, -2.0]), "padding": padding}
    fast = diff_conv2d.conv2d(image, weight, **arguments)
    assert len(counted) == 1
    expected = diff_conv2d.conv2d(image, weight, **arguments, algorithm="direct")
    torch.testing.assert_close(fast, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


def test_vmap_and_forward_derivative_of_the_whole_call(counted):
    stack, kernels = torch.stack([LARGE, LARGE.flip(-1)]), torch.stack([WEIGHT, 2 * WEIGHT])
    expected = torch.stack([diff_conv2d.conv2d(i, k, padding=1) for i, k in zip(stack, kernels, strict=True)])
    filtered = torch.vmap(lambda i, k: diff_conv2d.conv2d(i, k, padding=1))(stack, kernels)
    torch.testing.assert_close(filtered, expected, rtol=1e-4, atol=1e-4)
    filtered = torch.vmap(lambda k: diff_conv2d.conv2d(LARGE, k, padding=1))(kernels)
    torch.testing.assert_close(filtered[0], expected[0], rtol=1e-4, atol=1e-4)
    _, tangent = torch.func.jvp(lambda x: diff_conv2d.conv2d(x, WEIGHT, padding=1), (LARGE,), (LARGE.flip(-1),))
    torch.testing.assert_close(tangent, expected[1] / 2, rtol=1e-4, atol=1e-4)
    gradient = torch.func.grad(lambda k: diff_conv2d.conv2d(LARGE, k, padding=1).square().sum())(WEIGHT)
    plain = torch.func.grad(lambda k: diff_conv2d.conv2d(LARGE, k, padding=1, algorithm="direct").square().sum())
    torch.testing.assert_close(gradient, plain(WEIGHT), rtol=1e-4, atol=1e-4)
    # Transforms want operations that do not depend on values; the blocks look at them.
    assert len(counted) == 2


@pytest.mark.parametrize("mode", TORCHS_MODES)
def test_torchs_modes_are_torchs_to_the_bit_unless_asked(mode, counted):
    layer = torch.nn.Conv2d(1, 1, 3, padding=1, padding_mode=mode)
    expected = layer(LARGE).detach()
    ours = diff_conv2d.conv2d(LARGE, layer.weight, layer.bias, padding=1, padding_mode=mode)
    assert torch.equal(ours, expected)
    assert not counted
    with torch.no_grad():
        fast = diff_conv2d.conv2d(LARGE, layer.weight, layer.bias, padding=1, padding_mode=mode, algorithm="fast")
    assert len(counted) == 1
    torch.testing.assert_close(fast, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("image", "weight", "arguments"),
    [
        (LARGE, WEIGHT, {"stride": 2}),
        (LARGE, WEIGHT, {"dilation": 2, "padding": 2}),
        (LARGE[..., :64, :64], WEIGHT, {}),
        (LARGE.view(1, 1, -1, 30), WEIGHT, {}),
        (LARGE, WEIGHT.expand(8, 1, 3, 3), {}),
        (LARGE, WEIGHT[..., :1, :1], {"padding": 0}),
        (LARGE.double(), WEIGHT.double(), {}),
        (LARGE.bfloat16(), WEIGHT.bfloat16(), {}),
        (LARGE.to(torch.complex64), WEIGHT.to(torch.complex64), {}),
        (LARGE.to("meta"), WEIGHT.to("meta"), {}),
    ],
    ids=["stride", "dilation", "small", "narrow", "many", "1x1", "float64", "bfloat16", "complex", "meta"],
)
def test_falls_back_to_the_plain_convolution(image, weight, arguments, counted):
    arguments = {"padding": 1, **arguments}
    output = diff_conv2d.conv2d(image, weight, **arguments, algorithm="fast")
    assert not counted
    if image.device.type == "cpu":
        assert torch.equal(output, diff_conv2d.conv2d(image, weight, **arguments, algorithm="direct"))


def test_float64_takes_the_blocks_when_torch_would_unfold_much(counted):
    image, weight = (tensor.double() for tensor in (LARGE, WEIGHT.repeat(1, 1, 3, 3)))
    actual = diff_conv2d.conv2d(image, weight, padding="same", degree=1)
    assert len(counted) == 1
    expected = diff_conv2d.conv2d(image, weight, padding="same", degree=1, algorithm="direct")
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def test_autocast_falls_back(counted):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert diff_conv2d.conv2d(LARGE, WEIGHT, padding=1).dtype == torch.bfloat16
    assert not counted


def test_gradients_of_large_kernels_fall_back(counted):
    weight = torch.randn(1, 1, 15, 15)
    diff_conv2d.conv2d(LARGE, weight, padding=7, degree=1)
    assert len(counted) == 1
    diff_conv2d.conv2d(LARGE, weight.requires_grad_(), padding=7, degree=1)
    assert len(counted) == 1


def test_training_through_the_blocks(counted):
    """Values and gradients of a layer on a large image, against the plain convolution."""
    results = []
    for algorithm in ("auto", "direct"):
        torch.manual_seed(0)
        layer = diff_conv2d.Conv2d(1, 2, 3, padding=1, algorithm=algorithm)
        image = LARGE.clone().requires_grad_()
        output = layer(image)
        output.square().mean().backward()
        results.append((output.detach(), image.grad, layer.weight.grad, layer.bias.grad))
    assert len(counted) == 1
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_code_holds_the_plain_convolution(dynamic, counted):
    torch._dynamo.reset()
    graphs = []

    def backend(graph, inputs):
        graphs.append([node.target for node in graph.graph.nodes if node.op == "call_function"])
        return graph.forward

    layer = diff_conv2d.Conv2d(1, 1, 3, padding=1).requires_grad_(False)
    compiled = torch.compile(layer, backend=backend, fullgraph=True, dynamic=dynamic)
    output = compiled(LARGE)
    assert not counted
    assert len(graphs) == 1
    assert graphs[0].count(torch.conv2d) == 1
    torch.testing.assert_close(output, layer(LARGE), rtol=1e-4, atol=1e-4)
    assert len(counted) == 1


def test_exports_the_plain_convolution_with_dynamic_sizes(counted):
    layer = diff_conv2d.Conv2d(1, 1, 3, padding=1)
    height, width = (torch.export.Dim(name, min=8, max=2048) for name in ("height", "width"))
    program = torch.export.export(layer, (LARGE,), dynamic_shapes=({2: height, 3: width},))
    assert not counted
    small = LARGE[..., :20, :33]
    torch.testing.assert_close(program.module()(small), layer(small), rtol=1e-4, atol=1e-5)


def test_the_algorithm_of_a_layer_and_of_a_converted_network(counted):
    layer = diff_conv2d.Conv2d(1, 1, 3, padding=1, padding_mode="zeros", algorithm="fast")
    assert "algorithm=fast" in repr(layer)
    assert "algorithm" not in repr(diff_conv2d.Conv2d(1, 1, 3, padding=1))
    layer(LARGE)
    assert len(counted) == 1
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding=1))
    diff_conv2d.convert(network, "diff", algorithm="direct", verbose=False)
    network(LARGE)
    assert len(counted) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: diff_conv2d.conv2d(LARGE, WEIGHT, algorithm="blocked"),
        lambda: diff_conv2d.Conv1d(1, 1, 3, algorithm="blocked"),
        lambda: diff_conv2d.convert(torch.nn.Conv2d(1, 1, 3, padding=1), algorithm="blocked"),
    ],
)
def test_an_unknown_algorithm_is_named(call):
    with pytest.raises(ValueError, match=r"algorithm must be .*'fast', 'memory' or 'fused', got 'blocked'"):
        call()


def places(shape):
    """Corners, block ends and the middle of the last two axes."""
    height, width = (1, 1, *shape)[-2:]
    rows = sorted({0, 1, height // 2, height - 2, height - 1} & set(range(height)))
    return [(row, column) for row in rows for column in (0, 7, 8, 15, width // 2, width - 9, width - 2, width - 1)]


def kinds(tensor):
    """0 where finite, else which of NaN and the infinities."""
    return tensor.isnan() + 2 * tensor.isposinf() + 3 * tensor.isneginf()


NONFINITE = [
    ((1, 1, 6, 43), (1, 1, 3, 3), 1),
    ((1, 1, 7, 29), (1, 1, 7, 5), 1),
    ((1, 1, 5, 24), (1, 1, 4, 1), 1),
    ((2, 1, 43), (1, 1, 4), 1),
    ((1, 1, 4, 5, 30), (1, 1, 3, 2, 3), 1),
    ((1, 2, 6, 31), (2, 1, 3, 3), 2),
    ((1, 2, 6, 31), (1, 2, 3, 3), 1),
]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("image", "weight", "groups"), NONFINITE, ids=str)
def test_what_is_not_finite_reaches_the_outputs_whose_windows_hold_it(image, weight, groups, dtype, value):
    x, w, b = tensors(image, weight, dtype)
    for row, column in places(image[2:]):
        damaged = x.clone()
        damaged.view(image[0], image[1], -1, *x.shape[-1:])[-1, -1, row, column] = value
        actual, expected = convolve_in_blocks(damaged, w, b, groups), TORCH[x.ndim](damaged, w, b, groups=groups)
        assert not expected.isfinite().all()
        assert torch.equal(kinds(actual), kinds(expected)), (row, column)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["image", "gradient"])
@pytest.mark.parametrize(("image", "weight", "groups"), NONFINITE, ids=str)
def test_what_is_not_finite_reaches_the_gradients_that_it_is_part_of(image, weight, groups, where, value):
    x, w, b = tensors(image, weight)
    y = TORCH[x.ndim](x, w, b, groups=groups)
    grad = torch.randn_like(y)
    damaged, size = (x, image) if where == "image" else (grad, y.shape)
    for row, column in places(size[2:]):
        before = damaged.clone()
        damaged.view(size[0], size[1], -1, size[-1])[-1, -1, row, column] = value
        inputs = [tensor.detach().clone().requires_grad_() for tensor in (x, w, b)]
        actual, expected = (
            torch.autograd.grad(f(*inputs), inputs, grad)
            for f in (lambda x, w, b: convolve_in_blocks(x, w, b, groups),
                      lambda x, w, b: TORCH[x.ndim](x, w, b, groups=groups))
        )  # fmt: skip
        # torch's own gradient of a kernel multiplies by zeros that it pads with, one more reason to be no number.
        for found, wanted in zip(actual, expected, strict=True):
            assert torch.equal(found.isfinite(), wanted.isfinite()), (row, column)
        damaged.copy_(before)


@pytest.mark.parametrize("mode", ["diff", "adaptive", "symmetric", "extrapolate"])
def test_an_algorithm_does_not_change_what_is_lost(mode):
    image = LARGE.clone()
    image[0, 0, 200, 201] = float("nan")
    lost = [
        ~diff_conv2d.conv2d(image, WEIGHT, padding=1, padding_mode=mode, algorithm=algorithm).isfinite()
        for algorithm in ("auto", "direct")
    ]
    assert lost[0].sum() == 9
    assert torch.equal(*lost)
