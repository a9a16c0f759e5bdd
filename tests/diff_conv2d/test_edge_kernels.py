import pytest
import torch
import torch.nn.functional as F

import diff_conv2d
from diff_conv2d.functional import DiffConv2d

GENERATOR = torch.Generator().manual_seed(0)
IMAGE = torch.randn(2, 3, 7, 8, dtype=torch.float64, generator=GENERATOR)


def kernels(count, kernel=(3, 3)):
    return torch.randn(count, 4, 3, *kernel, dtype=torch.float64, generator=GENERATOR)


def test_nine_kernels_for_3x3_each_at_its_displacement():
    """Kernels of zeros with a bias of their own number show which is used where."""
    biases = torch.arange(8.0)[:, None]
    output = diff_conv2d.conv2d(
        torch.rand(1, 1, 5, 6),
        torch.zeros(1, 1, 3, 3),
        torch.tensor([99.0]),
        padding=1,
        padding_mode="explicit",
        edge_weight=torch.zeros(8, 1, 1, 3, 3),
        edge_bias=biases,
    )
    assert output[0, 0].int().tolist() == [
        [0, 1, 1, 1, 1, 2],
        [3, 99, 99, 99, 99, 4],
        [3, 99, 99, 99, 99, 4],
        [3, 99, 99, 99, 99, 4],
        [5, 6, 6, 6, 6, 7],
    ]


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        ((3, 3), {"padding": 1}),
        ((5, 3), {"padding": "same"}),
        ((3, 3), {"padding": 2, "dilation": 2}),
        ((3, 3), {"padding": 1, "stride": 2}),
        ((4, 2), {"padding": "same"}),
    ],
)
def test_each_output_is_that_of_its_kernel_on_zeros_outside(kernel, arguments):
    """The oracle: the zero-padded convolution with every kernel, and a choice for each output."""
    dilation, stride, padding = (arguments.get(name, 1) for name in ("dilation", "stride", "padding"))
    before = [(k - 1) * dilation // 2 if padding == "same" else padding for k in kernel]
    after = [(k - 1) * dilation - b if padding == "same" else padding for k, b in zip(kernel, before, strict=True)]
    low = [-(-b // dilation) for b in before]
    counts = [lo - (-a // dilation) + 1 for lo, a in zip(low, after, strict=True)]
    every = kernels(counts[0] * counts[1], kernel)
    interior = low[0] * counts[1] + low[1]
    others = torch.cat([every[:interior], every[interior + 1 :]])
    actual = diff_conv2d.conv2d(IMAGE, every[interior], padding_mode="explicit", edge_weight=others, **arguments)
    all_outputs = torch.stack([F.conv2d(IMAGE, weight, **arguments) for weight in every])
    for h, w in torch.cartesian_prod(*(torch.arange(size) for size in actual.shape[2:])).tolist():
        place = []
        for axis, output in enumerate((h, w)):
            taps = [output * stride - before[axis] + j * dilation for j in range(kernel[axis])]
            missing = sum(t >= IMAGE.shape[axis + 2] for t in taps) - sum(t < 0 for t in taps)
            place.append(low[axis] + missing)
        expected = all_outputs[place[0] * counts[1] + place[1], :, :, h, w]
        torch.testing.assert_close(actual[:, :, h, w], expected, rtol=1e-12, atol=1e-12)


def test_layer_has_k_times_k_kernels_that_start_as_one_and_all_get_gradients():
    torch.manual_seed(0)
    layer = diff_conv2d.Conv2d(3, 4, 5, padding=2, padding_mode="explicit", dtype=torch.float64)
    assert layer.edge_weight.shape == (24, 4, 3, 5, 5)
    assert layer.edge_bias.shape == (24, 4)
    torch.testing.assert_close(layer(IMAGE), F.conv2d(IMAGE, layer.weight, layer.bias, padding=2))
    layer(IMAGE).sum().backward()
    assert (layer.edge_weight.grad.flatten(1).abs().amax(1) > 0).all()
    assert (layer.edge_bias.grad > 0).all()


def test_diff_explicit_is_the_papers_edge_kernel():
    weight, edge_weight = kernels(2)
    expected = DiffConv2d(3).conv2d(IMAGE, weight, edge_kernel=edge_weight)
    actual = diff_conv2d.conv2d(IMAGE, weight, padding=1, padding_mode="diff_explicit", edge_weight=edge_weight)
    torch.testing.assert_close(actual, expected)
    layer = diff_conv2d.Conv2d(3, 4, 3, padding=1, padding_mode="diff_explicit", dtype=torch.float64)
    paper = diff_conv2d.DiffConv2dLayer(3, 4, 3, train_edge_kernel=True, dtype=torch.float64)
    paper.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(IMAGE), paper(IMAGE))


@pytest.mark.parametrize(
    ("mode", "arguments", "message"),
    [
        ("explicit", {}, r"edge_weight must be of shape \(8, 4, 3, 3, 3\); got None"),
        ("explicit", {"edge_weight": torch.zeros(9, 4, 3, 3, 3)}, r"of shape \(8, 4, 3, 3, 3\); got shape \(9,"),
        ("zeros", {"edge_weight": torch.zeros(4, 3, 3, 3)}, r"must be None: this padding_mode has no edge kernels"),
        (
            "diff_explicit",
            {"edge_weight": torch.zeros(4, 3, 3, 3), "edge_bias": torch.zeros(3)},
            r"edge_bias must have shape \(4,\), got \(3,\)",
        ),
    ],
)
def test_errors_name_the_argument(mode, arguments, message):
    with pytest.raises(ValueError, match=message):
        diff_conv2d.conv2d(
            torch.zeros(1, 3, 5, 5), torch.zeros(4, 3, 3, 3), padding=1, padding_mode=mode, **arguments
        )
