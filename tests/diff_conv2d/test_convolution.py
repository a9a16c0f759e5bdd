import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mode_cases import CASES, DETERMINISTIC, FUNCTIONAL, edge_kernels
from oracle import extended_image, separable_polynomial, valid_convolution
from problems import PROBLEMS, SMALLER_THAN_KERNEL
from torch.autograd import gradcheck, gradgradcheck

import diff_conv2d
from diff_conv2d.arguments import widths_of_padding

CONVS = {1: diff_conv2d.conv1d, 2: diff_conv2d.conv2d, 3: diff_conv2d.conv3d}
TORCH = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
problems = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@pytest.mark.parametrize(("mode", "degree"), [("diff", None), ("extrapolate", None), ("diff", 1), ("diff", 0)])
@pytest.mark.parametrize(
    "problem", [*PROBLEMS.values(), *SMALLER_THAN_KERNEL.values()], ids=[*PROBLEMS, *SMALLER_THAN_KERNEL]
)
def test_polynomial_modes_equal_the_naive_oracle(problem, mode, degree):
    image, weight, bias = problem.tensors()
    before, after = widths_of_padding(problem.padding, problem.kernel, problem.stride, problem.dilation)
    default = [k - 1 if mode == "diff" else k // 2 for k in problem.kernel]
    degrees = default if degree is None else [degree] * problem.axes
    extended = extended_image(image.numpy(), before, after, degrees, problem.dilation)
    expected = valid_convolution(extended, weight.numpy(), problem.stride, problem.dilation, problem.groups)
    expected = torch.from_numpy(expected) + bias.view(-1, *[1] * problem.axes)
    actual = CONVS[problem.axes](image, weight, bias, **problem.arguments, padding_mode=mode, degree=degree)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())


@pytest.mark.parametrize("mode", FUNCTIONAL)
@problems
def test_interior_and_shape_are_torchs(problem, mode):
    image, weight, bias = problem.tensors()
    expected = TORCH[problem.axes](image, weight, bias, **problem.arguments)
    edge = edge_kernels(mode, problem, weight, bias, copies=False)
    actual = CONVS[problem.axes](image, weight, bias, **problem.arguments, padding_mode=mode, **edge)
    assert actual.shape == expected.shape
    widths = widths_of_padding(problem.padding, problem.kernel, problem.stride, problem.dilation)
    inside = []
    for axis, (before, after, stride) in enumerate(zip(*widths, problem.stride, strict=True)):
        size = expected.shape[axis + 2]
        inside.append(slice(-(-before // stride), size + (-after // stride)))
    assert expected[(..., *inside)].numel() > 0
    torch.testing.assert_close(actual[(..., *inside)], expected[(..., *inside)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (7, 7), (5, 3), (4, 6)])
def test_diff_is_exact_on_polynomials_up_to_the_corners(kernel):
    """The theorem: a polynomial of degree k - 1 per axis is convolved as if the image went on."""
    rng = np.random.default_rng(0)
    halo = [(k - 1) // 2 for k in kernel], [k // 2 for k in kernel]
    size = (16, 18)
    field = separable_polynomial(
        rng.standard_normal(kernel), [n + b + a for n, b, a in zip(size, *halo, strict=True)]
    )
    field = torch.from_numpy(field)[None, None]
    weight = torch.from_numpy(rng.standard_normal((3, 1, *kernel)))
    crop = field[..., halo[0][0] : halo[0][0] + size[0], halo[0][1] : halo[0][1] + size[1]]
    actual = diff_conv2d.conv2d(crop, weight, padding="same")
    torch.testing.assert_close(actual, F.conv2d(field, weight), rtol=1e-10, atol=1e-10)


def test_one_degree_too_many_is_not_exact():
    """So that the theorem's test could fail: x^3 under a 3x3 kernel."""
    line = torch.arange(-1.0, 9.0, dtype=torch.float64) ** 3
    weight = torch.ones(1, 1, 3, dtype=torch.float64)
    error = diff_conv2d.conv1d(line[None, None, 1:-1], weight, padding=1) - F.conv1d(line[None, None], weight)
    # The third difference of x^3 is 3! = 6, and P is wrong by just that at the first sample outside.
    assert error[0, 0, [0, -1]].abs().tolist() == [6.0, 6.0]
    assert error[0, 0, 1:-1].abs().max() == 0


@pytest.mark.parametrize(("a", "b", "c"), [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (3.0, -2.0, 5.0)])
def test_laplacian_by_hand(a, b, c):
    """The 3x3 Laplacian of f = a h^2 + b w^2 + c h w is 2 a + 2 b at every pixel, corners included.

    By hand, at the corner pixel (0, 0). The kernel asks for f(-1, 0) + f(1, 0) + f(0, -1) + f(0, 1) - 4 f(0, 0).
    Outside, Diff (k = 3) takes 3 x_0 - 3 x_1 + x_2 of the samples nearest the edge:

        f(-1, 0) = 3 f(0, 0) - 3 f(1, 0) + f(2, 0) = 0 - 3 a + 4 a = a,        and likewise f(0, -1) = b.

    So the answer is (a + a) + (b + b) - 4 * 0 = 2 a + 2 b. At (0, w) the mixed term enters as c h w:

        f(-1, w) = 3 b w^2 - 3 (a + b w^2 + c w) + (4 a + b w^2 + 2 c w) = a + b w^2 - c w,

    which is f itself at h = -1, and the kernel's second difference removes c h w as it does inside. All numbers
    here are small integers, so that floating point is exact and the comparison is too.
    """
    h, w = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    field = a * h**2 + b * w**2 + c * h * w
    laplacian = torch.tensor([[[[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]]])
    for output in (
        diff_conv2d.conv2d(field[None], laplacian, padding=1),
        *(
            diff_conv2d.DiffConv2d(3).conv2d(field[None], laplacian, optimized_for=choice)
            for choice in ("memory", "speed")
        ),
    ):
        assert torch.equal(output, torch.full((1, 5, 6), 2 * a + 2 * b))


@pytest.mark.parametrize("mode", [name for name in DETERMINISTIC if name in FUNCTIONAL])
@pytest.mark.parametrize("name", ["3x3", "dilation-2", "1d-k5-stride-2-dilation-2", "even-4x2-same", "3d"])
def test_gradients_of_first_and_second_order(name, mode):
    problem = PROBLEMS[name]
    image, weight, bias = problem.tensors(batch=1)
    edge = edge_kernels(mode, problem, weight, bias, copies=False)
    inputs = tuple(tensor.requires_grad_() for tensor in (image, weight, bias, *edge.values()))

    def convolve(image, weight, bias, edge_weight=None, edge_bias=None):
        edge = {"edge_weight": edge_weight, "edge_bias": edge_bias} | CASES[mode].options
        return CONVS[problem.axes](image, weight, bias, **problem.arguments, padding_mode=mode, **edge)

    assert gradcheck(convolve, inputs, fast_mode=True, check_forward_ad=True)
    assert gradgradcheck(convolve, inputs, fast_mode=True)


@pytest.mark.parametrize("mode", [name for name in FUNCTIONAL if CASES[name].constants])
@problems
def test_constants_are_preserved(problem, mode):
    image, weight, bias = problem.tensors()
    edge = edge_kernels(mode, problem, weight, bias)
    convolve = CONVS[problem.axes]
    output = convolve(torch.full_like(image, 2.0), weight, bias, **problem.arguments, padding_mode=mode, **edge)
    expected = 2 * weight.flatten(1).sum(1) + bias
    torch.testing.assert_close(
        output, expected.view(-1, *[1] * problem.axes).expand_as(output), rtol=1e-10, atol=1e-10
    )


def test_partial_scales_what_is_left_of_the_window():
    image, weight = torch.ones(1, 1, 4, 5), torch.ones(1, 1, 3, 3)
    output = diff_conv2d.conv2d(image, weight, torch.tensor([0.5]), padding=1, padding_mode="partial")
    torch.testing.assert_close(output, torch.full((1, 1, 4, 5), 9.5))


def test_nan_reaches_only_the_outputs_that_depend_on_it():
    """NaN at distance 1 from the left edge, k = 3: its own window, and through x_{-1} = 3 x_0 - 3 x_1 + x_2."""
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 1] = torch.nan
    for optimized_for in ("memory", "speed"):
        output = diff_conv2d.DiffConv2d(3).conv2d(image, torch.ones(1, 1, 3, 3), optimized_for=optimized_for)
        expected = torch.zeros(9, 9, dtype=torch.bool)
        expected[3:6, 0:3] = True
        assert torch.equal(output.isnan()[0, 0], expected)
    # At (1, 1) both axes' extrapolation touches it, but nothing else of the edge does: at (1, 5) only the rows'.
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 1, 5] = torch.nan
    output = diff_conv2d.conv2d(image, torch.ones(1, 1, 3, 3), padding=1)
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[0:3, 4:7] = True
    assert torch.equal(output.isnan()[0, 0], expected)


def test_nan_stays_on_its_lattice_under_dilation():
    line = torch.zeros(1, 1, 12)
    line[0, 0, 2] = torch.nan
    output = diff_conv2d.conv1d(line, torch.ones(1, 1, 3), padding=2, dilation=2)
    # Sample 2 belongs to the even lattice: outputs 0, 2, 4 see it, and output 0 also through x_{-2}.
    assert output.isnan()[0, 0].nonzero().flatten().tolist() == [0, 2, 4]


def test_float16_kernel_of_seven_does_not_overflow_its_weights():
    image = torch.full((1, 1, 16, 16), 1.0, dtype=torch.float16)
    weight = torch.full((1, 1, 7, 7), 1 / 49, dtype=torch.float16)
    output = diff_conv2d.conv2d(image, weight, padding=3)
    torch.testing.assert_close(output, torch.ones_like(output), rtol=2e-2, atol=0)


IMAGE, WEIGHT = torch.zeros(1, 4, 6, 6), torch.zeros(8, 4, 3, 3)


@pytest.mark.parametrize("groups", [True, 1.0])
def test_what_equals_an_integer_is_rejected_after_it_too(groups):
    diff_conv2d.conv2d(IMAGE, WEIGHT, groups=1)
    with pytest.raises(TypeError, match=f"groups must be an integer, got {groups}"):
        diff_conv2d.conv2d(IMAGE, WEIGHT, groups=groups)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"input": torch.zeros(6, 6)},
            ValueError,
            r"input must have 4 dimensions \(batch, channels, height and width\)",
        ),
        ({"input": torch.zeros(1, 1, 4, 6, 6)}, ValueError, r"or 3 without the batch, got shape \(1, 1, 4, 6, 6\)"),
        ({"weight": torch.zeros(4, 3, 3)}, ValueError, r"weight must have 4 dimensions .* got shape \(4, 3, 3\)"),
        ({"weight": torch.zeros(8, 4, 0, 3)}, ValueError, r"weight must have a kernel of at least one sample"),
        ({"weight": WEIGHT.double()}, TypeError, r"one dtype, got: input is torch.float32, weight is torch.float64"),
        ({"bias": torch.zeros(7)}, ValueError, r"bias must have shape \(8,\), got \(7,\)"),
        ({"groups": 3}, ValueError, r"groups must divide the 8 output channels of weight, got 3"),
        ({"groups": 2}, ValueError, r"input must have 8 channels \(weight has 4 for each of 2 groups\), got 4"),
        ({"groups": 0}, ValueError, r"groups must be at least 1, got 0"),
        ({"groups": 1.0}, TypeError, r"groups must be an integer, got 1.0"),
        ({"stride": 0}, ValueError, r"stride must be at least 1 along every axis, got 0"),
        ({"stride": 2, "padding": "same"}, ValueError, r"padding='same' is not defined for strided"),
        ({"dilation": (1, 2, 3)}, ValueError, r"dilation must have one value or 2, one for each axis"),
        ({"padding": -1}, ValueError, r"padding must be at least 0 along every axis, got -1"),
        ({"padding": "full"}, ValueError, r"padding must be 'same', 'valid', .* got 'full'"),
        ({"padding": True}, TypeError, r"padding must be an integer or a sequence of 2, got True"),
        ({"padding_mode": "Diff"}, ValueError, r"padding_mode must be one of .* got 'Diff'"),
        ({"padding_mode": None}, TypeError, r"padding_mode must be a string, or a sequence .* got None"),
        ({"dilation": 4, "padding": 1}, ValueError, r"weight spans 9 samples along spatial axis 0, more than the 6"),
        ({"input": torch.zeros(1, 4, 6, 0)}, ValueError, r"at least one sample along every axis"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        diff_conv2d.conv2d(**{"input": IMAGE, "weight": WEIGHT, "padding": 1, **arguments})
