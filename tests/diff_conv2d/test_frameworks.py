"""Every mode under what surrounds a layer in a real project: compilers, transforms, formats, precisions, devices."""

import copy
import pickle

import pytest
import torch
from mode_cases import CASES, DETERMINISTIC, edge_kernels
from problems import PROBLEMS

import diff_conv2d

IMAGE = torch.randn(2, 4, 9, 10, generator=torch.Generator().manual_seed(0))
OTHER = torch.randn(2, 4, 12, 17, generator=torch.Generator().manual_seed(1))

every_mode = pytest.mark.parametrize("mode", CASES)
deterministic_mode = pytest.mark.parametrize("mode", DETERMINISTIC)
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def layer(mode, **arguments):
    torch.manual_seed(0)
    made = diff_conv2d.Conv2d(4, 6, 3, padding=1, padding_mode=mode, **CASES[mode].options, **arguments)
    if made.edge_weight is not None:
        # Kernels of their own, so that a mix-up shows.
        torch.nn.init.normal_(made.edge_weight)
    return made


def gradient(function, image):
    image = image.clone().requires_grad_()
    output = function(image)
    output.square().sum().backward()
    return output.detach(), image.grad


def dynamic_sizes():
    height, width = (torch.export.Dim(name, min=8, max=64) for name in ("height", "width"))
    return ({2: height, 3: width},)


@pytest.mark.slow
@every_mode
def test_compiles_as_one_graph_with_dynamic_sizes(mode):
    """With the backend that traces forward and backward and generates no code: what can fail is the tracing."""
    torch._dynamo.reset()
    eager = layer(mode)
    compiled = torch.compile(eager, fullgraph=True, dynamic=True, backend="aot_eager")
    for image in (IMAGE, OTHER, OTHER[:1, :, :10]):
        output, grad = gradient(compiled, image)
        expected, expected_grad = gradient(eager, image)
        assert output.shape == expected.shape
        if CASES[mode].deterministic:
            torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(grad, expected_grad, rtol=1e-4, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["diff", "replicate"])
def test_compiled_code_gives_the_same(mode):
    torch._dynamo.reset()
    eager = layer(mode)
    compiled = torch.compile(eager, fullgraph=True, dynamic=True)
    for image in (IMAGE, OTHER):
        for actual, expected in zip(gradient(compiled, image), gradient(eager, image), strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-3)


@every_mode
def test_exports_with_dynamic_sizes(mode):
    module = layer(mode).eval()
    exported = torch.export.export(module, (IMAGE,), dynamic_shapes=dynamic_sizes()).module()
    assert exported(OTHER).shape == module(OTHER).shape
    if CASES[mode].deterministic:
        torch.testing.assert_close(exported(OTHER), module(OTHER), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@every_mode
def test_runs_from_an_onnx_file(mode, tmp_path):
    import onnxruntime

    module, path = layer(mode).eval(), tmp_path / "layer.onnx"
    program = torch.onnx.export(module, (IMAGE,), dynamo=True, verbose=False, dynamic_shapes=dynamic_sizes())
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {session.get_inputs()[0].name: OTHER.numpy()})
    if CASES[mode].deterministic:
        torch.testing.assert_close(torch.from_numpy(output), module(OTHER).detach(), rtol=1e-3, atol=1e-3)
    else:
        assert output.shape == module(OTHER).shape


@deterministic_mode
def test_vmap_and_per_sample_gradients(mode):
    module = layer(mode).double()
    stack = torch.stack([IMAGE, IMAGE.flip(0)]).double()
    torch.testing.assert_close(torch.vmap(module)(stack), torch.stack([module(images) for images in stack]))

    def loss(parameters, image):
        return torch.func.functional_call(module, parameters, image[None]).square().sum()

    parameters = {name: p.detach() for name, p in module.named_parameters()}
    per_sample = torch.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, stack[0])
    for index, image in enumerate(stack[0]):
        single = torch.func.grad(loss)(parameters, image)
        for name, expected in single.items():
            torch.testing.assert_close(per_sample[name][index], expected, rtol=1e-8, atol=1e-8)


@every_mode
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(mode, dtype):
    """The image is continued in its own precision; only the convolution is rounded."""
    module = layer(mode)
    with torch.autocast("cpu", dtype=dtype):
        output = module(IMAGE)
        half = module(IMAGE.to(dtype))
    assert output.dtype == half.dtype == dtype
    if CASES[mode].deterministic:
        expected = module(IMAGE)
        tolerance = 0.05 * expected.abs().max().item()
        torch.testing.assert_close(output.float(), expected, rtol=0, atol=tolerance)
        torch.testing.assert_close(half.float(), expected, rtol=0, atol=2 * tolerance)


@deterministic_mode
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64, torch.complex128])
def test_other_dtypes(mode, dtype):
    module = layer(mode, dtype=dtype)
    image = IMAGE.to(dtype) * (1 + 2j if dtype.is_complex else 1)
    output, grad = gradient(lambda x: torch.view_as_real(module(x)) if dtype.is_complex else module(x), image)
    assert output.isfinite().all()
    assert grad.dtype == dtype
    assert grad.abs().max() > 0


@pytest.mark.parametrize("mode", [name for name, case in CASES.items() if case.linear])
def test_a_real_kernel_convolves_each_part_of_a_complex_image_by_itself(mode):
    problem = PROBLEMS["3x3"]
    (real, weight, _), (imaginary, _, _) = problem.tensors(), problem.tensors(seed=1)
    edge = edge_kernels(mode, problem, weight, torch.zeros(4, dtype=weight.dtype), copies=False)
    edge.pop("edge_bias", None)

    def convolve(image):
        own = {name: tensor.to(image.dtype) for name, tensor in edge.items()}
        return diff_conv2d.conv2d(image, weight.to(image.dtype), **problem.arguments, padding_mode=mode, **own)

    expected = torch.complex(convolve(real), convolve(imaginary))
    torch.testing.assert_close(convolve(torch.complex(real, imaginary)), expected)


@every_mode
def test_channels_last_is_kept(mode):
    output = layer(mode)(IMAGE.contiguous(memory_format=torch.channels_last))
    # torch's circular padding loses it, and with it goes the rounding that the results share with torch's.
    assert output.is_contiguous(memory_format=torch.channels_last) == (mode != "circular")


@every_mode
def test_meta_device(mode):
    assert layer(mode, device="meta")(IMAGE.to("meta")).shape == (2, 6, 9, 10)


@every_mode
def test_deterministic_algorithms(mode):
    torch.use_deterministic_algorithms(True)
    try:
        gradient(layer(mode), IMAGE)
    finally:
        torch.use_deterministic_algorithms(False)


@deterministic_mode
def test_deepcopy_and_pickle(mode):
    module = layer(mode)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(IMAGE), module(IMAGE))
        assert repr(twin) == repr(module)


@every_mode
def test_forward_changes_no_state(mode):
    """As replicas on several devices need it."""
    module = layer(mode)
    before = {name: id(value) for name, value in vars(module).items()}
    state = {name: value.clone() for name, value in module.state_dict().items()}
    module(IMAGE)
    assert {name: id(value) for name, value in vars(module).items()} == before
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


@every_mode
def test_empty_batch_and_unbatched(mode):
    module = layer(mode)
    assert module(IMAGE[:0]).shape == (0, 6, 9, 10)
    assert module(IMAGE[0]).shape == (6, 9, 10)
    if CASES[mode].deterministic:
        torch.testing.assert_close(module(IMAGE[0]), module(IMAGE[:1])[0])


@pytest.mark.cuda
@cuda
@every_mode
def test_cuda_equals_cpu(mode):
    module = layer(mode).double()
    expected, expected_grad = gradient(module, IMAGE.double())
    output, grad = gradient(module.cuda(), IMAGE.double().cuda())
    assert output.device.type == grad.device.type == "cuda"
    if CASES[mode].deterministic:
        torch.testing.assert_close(output.cpu(), expected, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(grad.cpu(), expected_grad, rtol=1e-8, atol=1e-8)
