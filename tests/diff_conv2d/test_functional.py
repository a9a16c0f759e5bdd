import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

from diff_conv2d.functional import DiffConv2d

both = pytest.mark.parametrize("optimized_for", ["memory", "speed"])


def tensors(kernel, size=(8, 9), groups=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = (1, 2 * groups, *size), (2 * groups, 2, *kernel), (2 * groups, 2, *kernel)
    return tuple(torch.randn(shape, dtype=dtype, generator=generator) for shape in shapes)


@both
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("edge", [True, False])
def test_gradients_of_first_and_second_order(edge, keep, optimized_for):
    image, weight, edge_kernel = tensors((3, 3), size=(5, 6))

    def convolve(image, weight, edge_kernel):
        return DiffConv2d(3).conv2d(
            image,
            weight,
            keep_img_grad_at_invalid=keep,
            edge_kernel=edge_kernel if edge else None,
            optimized_for=optimized_for,
        )

    # Without the image's gradient at invalid outputs the function is not the integral of its gradient.
    inputs = (image.requires_grad_(keep), weight.requires_grad_(), edge_kernel.requires_grad_(edge))
    assert gradcheck(convolve, inputs, fast_mode=True)
    assert gradgradcheck(convolve, inputs, fast_mode=True)


@both
def test_no_gradient_from_invalid_outputs_but_all_of_the_kernels(optimized_for):
    image, weight, _ = tensors((5, 5))
    gradients = {}
    for keep in (True, False):
        x, w = image.clone().requires_grad_(), weight.clone().requires_grad_()
        output = DiffConv2d(5).conv2d(x, w, keep_img_grad_at_invalid=keep, optimized_for=optimized_for)
        invalid = torch.ones(8, 9, dtype=torch.bool)
        invalid[2:-2, 2:-2] = False
        (output * invalid).sum().backward()
        gradients[keep] = x.grad, w.grad
    assert gradients[True][0].abs().min() > 0
    assert gradients[False][0].abs().max() == 0
    torch.testing.assert_close(gradients[True][1], gradients[False][1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 3), (4, 4), (7, 2), (11, 11)])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 12), (12, 12)])
def test_memory_equals_speed_at_every_size(kernel, size):
    image, weight, _ = tensors(kernel, size)
    convolution = DiffConv2d(kernel)
    memory, speed = (convolution.conv2d(image, weight, optimized_for=choice) for choice in ("memory", "speed"))
    assert memory.shape == speed.shape == (1, 2, *size)
    torch.testing.assert_close(memory, speed, rtol=1e-9, atol=1e-9 * speed.abs().max().item())


@both
def test_interior_is_torchs(optimized_for):
    image, weight, edge_kernel = tensors((5, 5), groups=3)
    output = DiffConv2d(5).conv2d(image, weight, groups=3, edge_kernel=edge_kernel, optimized_for=optimized_for)
    torch.testing.assert_close(output[..., 2:-2, 2:-2], F.conv2d(image, weight, groups=3), rtol=1e-12, atol=1e-12)


def test_memory_holds_no_padded_copy():
    """No tensor of a padded size is made on the way, forward or backward."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Shapes(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.ndim == 4:
                shapes.add(tuple(result.shape[-2:]))
            return result

    image, weight, _ = tensors((7, 7), size=(20, 30))
    found = {}
    for choice in ("memory", "speed"):
        shapes = set()
        with Shapes():
            DiffConv2d(7).conv2d(image.requires_grad_(), weight, optimized_for=choice).sum().backward()
        found[choice] = any(h > 20 and w > 30 for h, w in shapes)
    assert found == {"memory": False, "speed": True}


@both
def test_unbatched_image(optimized_for):
    image, weight, _ = tensors((3, 3))
    convolution = DiffConv2d(3)
    single = convolution.conv2d(image[0], weight, optimized_for=optimized_for)
    torch.testing.assert_close(single, convolution.conv2d(image, weight, optimized_for=optimized_for)[0])


@pytest.mark.parametrize("kernel_size", [0, -3, (3, 0)])
def test_kernel_size_must_be_positive(kernel_size):
    with pytest.raises(ValueError, match="kernel_size must be at least 1 along every axis"):
        DiffConv2d(kernel_size)


IMAGE, WEIGHT = torch.zeros(1, 2, 6, 6), torch.zeros(4, 2, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"weight": torch.zeros(4, 2, 5, 5)}, ValueError, r"kernel_size \(3, 3\), got shape \(4, 2, 5, 5\)"),
        ({"edge_kernel": torch.zeros(4, 1, 3, 3)}, ValueError, r"edge_kernel must have the shape of weight"),
        ({"edge_kernel": WEIGHT.double()}, TypeError, r"edge_kernel must have the dtype of weight"),
        ({"optimized_for": "size"}, ValueError, r"optimized_for must be 'memory' or 'speed', got 'size'"),
        ({"groups": 2}, ValueError, r"input must have 4 channels"),
        ({"input": torch.zeros(6, 6)}, ValueError, r"input must have 4 dimensions"),
        ({"input": IMAGE.half()}, TypeError, r"input is torch.float16, weight is torch.float32"),
        ({"input": torch.zeros(1, 2, 0, 6)}, ValueError, r"at least one sample along every axis"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        DiffConv2d(3).conv2d(**{"input": IMAGE, "weight": WEIGHT, **arguments})
