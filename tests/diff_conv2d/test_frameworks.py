"""Every mode under what surrounds a layer in a real project: compilers, transforms, formats, precisions, devices."""

import copy
import pickle

import pytest
import torch
import torch.fx
from mode_cases import CASES, DETERMINISTIC, FUNCTIONAL, edge_kernels
from packaging.version import Version
from problems import PROBLEMS
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
from torch.nn.utils import parametrizations, prune
from torchvision.models.feature_extraction import create_feature_extractor

import diff_conv2d
from diff_conv2d.layers import DiffConv2dLayer
from diff_conv2d.tracing import is_exporting

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


@pytest.mark.parametrize("mode", ["diff", "adaptive", "zeros", "partial"])
def test_functions_compile_as_one_graph(mode):
    torch._dynamo.reset()
    options, weight = CASES[mode].options, torch.rand(2, 4, 3, 3)

    def convolve(image):
        return diff_conv2d.conv2d(image, weight, padding=1, padding_mode=mode, **options)

    def pad(image):
        return diff_conv2d.pad(image, (1, 1, 1, 1), mode, **options)

    for function in (convolve, pad) if CASES[mode].extends else (convolve,):
        compiled = torch.compile(function, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(IMAGE), function(IMAGE), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["diff", "adaptive", "replicate", "linear_prediction"])
def test_compiled_it_is_no_export(mode):
    """Graphs may break: what stands between them must not be what is meant for torch.export."""
    torch._dynamo.reset()
    seen = torch.compile(lambda image: (image + 1, is_exporting()), backend="eager")(IMAGE)[1]
    assert (seen, is_exporting()) == (False, False)
    eager = layer(mode)
    compiled = torch.compile(eager, backend="eager")
    for image in (IMAGE, OTHER, torch.randn(1, 4, 40, 40)):
        torch.testing.assert_close(compiled(image), eager(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("strict", [False, True])
def test_an_export_is_one(strict):
    class Told(torch.nn.Module):
        def forward(self, image):
            return image + is_exporting()

    exported = torch.export.export(Told(), (IMAGE,), strict=strict).module()
    torch.testing.assert_close(exported(IMAGE), IMAGE + 1)


def test_compiled_it_is_right_for_images_smaller_than_the_kernel():
    torch._dynamo.reset()
    eager = diff_conv2d.Conv2d(4, 2, 5, padding=2)
    compiled = torch.compile(eager, fullgraph=True, dynamic=True, backend="eager")
    for size in (16, 8, 4, 3, 1):
        image = torch.rand(2, 4, size, size + 1)
        torch.testing.assert_close(compiled(image), eager(image), rtol=1e-4, atol=1e-3)


@every_mode
def test_exports_with_dynamic_sizes(mode):
    module = layer(mode).eval()
    exported = torch.export.export(module, (IMAGE,), dynamic_shapes=dynamic_sizes()).module()
    assert exported(OTHER).shape == module(OTHER).shape
    if CASES[mode].deterministic:
        torch.testing.assert_close(exported(OTHER), module(OTHER), rtol=1e-4, atol=1e-4)


def test_exports_an_adaptive_layer_with_fits_of_two_lengths():
    """From 16 samples on there are two, which one elimination solves for."""
    module = layer("adaptive").eval()
    # Sizes between two choices of the lines that are read, which a program for open sizes cannot make.
    image, other = (torch.rand(2, IMAGE.shape[1], size, 30) for size in (44, 46))
    sizes = {2: torch.export.Dim("height", min=40, max=47)}
    exported = torch.export.export(module, (image,), dynamic_shapes={"input": sizes}).module()
    torch.testing.assert_close(exported(other), module(other), rtol=1e-5, atol=1e-5)


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


@pytest.mark.parametrize("mode", [name for name in FUNCTIONAL if CASES[name].linear])
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
@pytest.mark.parametrize("swap", [False, True])
def test_a_network_can_be_channels_last(mode, swap):
    network, twin = (torch.nn.Sequential(layer(mode), torch.nn.Conv2d(6, 2, 1)) for _ in range(2))
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    torch.manual_seed(0)
    expected = network(IMAGE).detach()
    network(IMAGE).sum().backward()
    torch.__future__.set_swap_module_params_on_conversion(swap)
    try:
        network.to(memory_format=torch.channels_last)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert {name: value.shape for name, value in network.state_dict().items()} == shapes
    torch.manual_seed(0)
    torch.testing.assert_close(network(IMAGE.contiguous(memory_format=torch.channels_last)), expected)
    network.load_state_dict(twin.state_dict())
    twin.load_state_dict(network.double().state_dict())


@pytest.mark.parametrize("mode", ["explicit", "diff_explicit"])
def test_edge_kernels_that_are_pruned_or_parametrized_can_be_channels_last(mode):
    for how in (prune.identity, parametrizations.weight_norm):
        module = layer(mode)
        for name in ("weight", "edge_weight"):
            how(module, name)
        expected = module(IMAGE)
        torch.testing.assert_close(module.to(memory_format=torch.channels_last)(IMAGE), expected)


@pytest.mark.parametrize(("axes", "layout"), [(1, torch.channels_last), (3, torch.channels_last_3d)])
def test_explicit_layers_of_other_dimensions_can_be_channels_last(axes, layout):
    layers = {1: diff_conv2d.Conv1d, 3: diff_conv2d.Conv3d}
    module, image = layers[axes](4, 6, 3, padding=1, padding_mode="explicit"), torch.randn(1, 4, *(5,) * axes)
    expected = module(image)
    torch.testing.assert_close(module.to(memory_format=layout)(image), expected)


def seeded(module, image=IMAGE):
    torch.manual_seed(5)
    return module(image)


@every_mode
@pytest.mark.parametrize("bias", [True, False])
def test_fused_with_a_batchnorm_it_gives_the_same_or_refuses(mode, bias):
    module, norm = layer(mode, bias=bias).eval(), torch.nn.BatchNorm2d(6).eval()
    for values in (norm.running_mean, norm.weight, norm.bias):
        torch.nn.init.normal_(values)
    torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    fused = torch.nn.utils.fuse_conv_bn_eval(module, norm)
    if module.edge_weight is not None:
        for twin in (fused, copy.deepcopy(fused), pickle.loads(pickle.dumps(fused))):
            with pytest.raises(ValueError, match="edge_weight does not belong to weight, which was replaced"):
                twin(IMAGE)
        # What the message advises: somebody who knows what to do about the edge kernels does it.
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
        shift = norm.bias.detach() - norm.running_mean * scale
        fused.edge_weight = torch.nn.Parameter(module.edge_weight * scale.view(-1, 1, 1, 1))
        with pytest.raises(ValueError, match="edge_bias does not belong to bias, which was replaced"):
            fused(IMAGE)
        edge_bias = shift.expand(*module.edge_weight.shape[:-4], 6)
        fused.edge_bias = torch.nn.Parameter(edge_bias + module.edge_bias * scale if bias else edge_bias.clone())
    torch.testing.assert_close(seeded(fused), norm(seeded(module)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seeded(module), seeded(layer(mode, bias=bias)))


REPARAMETRIZATIONS = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "old weight_norm": torch.nn.utils.weight_norm,
    "old spectral_norm": torch.nn.utils.spectral_norm,
    "prune": lambda module, name: prune.l1_unstructured(module, name, 0.5),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@every_mode
@pytest.mark.parametrize("how", REPARAMETRIZATIONS)
def test_parametrized_it_uses_one_kernel_everywhere_or_refuses(mode, how):
    module = layer(mode).eval()
    REPARAMETRIZATIONS[how](module, "weight")
    if module.edge_weight is not None:
        with pytest.raises(ValueError, match="weight is parametrized or pruned and edge_weight is not"):
            module(IMAGE)
        REPARAMETRIZATIONS[how](module, "edge_weight")
    output, plain = seeded(module), layer(mode)
    with torch.no_grad():
        plain.weight.copy_(module.weight)
        if module.edge_weight is not None:
            plain.edge_weight.copy_(module.edge_weight)
    torch.testing.assert_close(output, seeded(plain))


@every_mode
def test_a_kernel_handed_over_by_a_wrapper_is_used_everywhere_or_refused(mode):
    class LowRank(diff_conv2d.Conv2d):
        def forward(self, input):
            return self._conv_forward(input, self.weight + 1, self.bias)

    module = LowRank(4, 6, 3, padding=1, padding_mode=mode, **CASES[mode].options)
    if module.edge_weight is not None:
        with pytest.raises(ValueError, match="weight must be the layer's own"):
            module(IMAGE)
        return
    plain = layer(mode)
    with torch.no_grad():
        plain.weight.copy_(module.weight + 1)
        plain.bias.copy_(module.bias)
    torch.testing.assert_close(seeded(module), seeded(plain))


@pytest.mark.parametrize("mode", ["explicit", "diff_explicit"])
def test_what_replaces_all_kernels_is_no_mistake(mode):
    module, other = layer(mode), layer(mode)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    expected = other(IMAGE)
    values = {name: value.detach().clone() for name, value in other.named_parameters()}
    assert torch.equal(torch.func.functional_call(module, values, IMAGE), expected)
    module.load_state_dict(values, assign=True)
    assert torch.equal(module(IMAGE), expected)
    for name, value in values.items():
        setattr(module, name, torch.nn.Parameter(value.clone()))
    assert torch.equal(module(IMAGE), expected)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        assert module.double()(IMAGE.double()).isfinite().all()
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)


@every_mode
def test_fx_traces_it_as_one_node(mode):
    """So do torchvision's feature extraction and quantisation, which rest on it."""
    papers = [DiffConv2dLayer(4, 6, 3), DiffConv2dLayer(4, 6, 3, train_edge_kernel=True)]
    for module in (layer(mode), *(papers if mode == "diff" else [])):
        network = torch.nn.Sequential(module, torch.nn.BatchNorm2d(6), torch.nn.Sequential(torch.nn.ReLU())).eval()
        for root in (module, network):
            graph = torch.fx.symbolic_trace(root)
            twins = [graph, torch.fx.symbolic_trace(graph), copy.deepcopy(graph)]
            # Before 2.14 torch pickles no graph of a function whose annotations are text.
            if root is network or Version(torch.__version__) >= Version("2.14"):
                twins.append(pickle.loads(pickle.dumps(graph)))
            for twin in twins:
                assert torch.equal(seeded(twin), seeded(root))
        assert [node.target for node in graph.graph.nodes if node.op == "call_module"] == ["0", "1", "2.0"]


def test_fx_traces_a_pruned_layer():
    network = torch.nn.Sequential(layer("diff"))
    prune.l1_unstructured(network[0], "weight", 0.5)
    assert torch.equal(torch.fx.symbolic_trace(network)(IMAGE), network(IMAGE))


@pytest.mark.parametrize("mode", ["diff", "explicit"])
def test_feature_extraction_and_fx_quantisation(mode):
    names = ["0", "1", "3"]
    network = torch.nn.Sequential(
        layer(mode), torch.nn.BatchNorm2d(6), torch.nn.ReLU(), torch.nn.Conv2d(6, 4, 1), torch.nn.ReLU()
    ).eval()
    features = create_feature_extractor(network, names)(IMAGE)
    assert torch.equal(features["0"], network[0](IMAGE))
    assert torch.equal(features["3"], network[:4](IMAGE))
    prepared = prepare_fx(network, get_default_qconfig_mapping(), (IMAGE,))
    prepared(IMAGE)
    expected = network(IMAGE)
    quantised = convert_fx(prepared)(IMAGE)
    assert (quantised - expected).abs().max() < 0.05 * expected.abs().max()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@every_mode
def test_script_compiles_torchs_modes_and_refuses_the_others(mode, tmp_path):
    module = layer(mode)
    network = torch.nn.Sequential(module, torch.nn.ReLU())
    if mode not in ("zeros", "reflect", "replicate", "circular"):
        for root in (module, network):
            with pytest.raises(ValueError, match=f"torch.jit.script compiles padding_mode 'zeros'.*got '{mode}'"):
                torch.jit.script(root)
        return
    module.stride, module.padding = (2, 1), "valid" if mode == "circular" else (1, 2)
    for root in (module, network):
        torch.jit.save(torch.jit.script(root), tmp_path / "script.pt")
        assert torch.equal(torch.jit.load(tmp_path / "script.pt")(IMAGE), root(IMAGE))
    assert type(network[0]) is diff_conv2d.Conv2d


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
@every_mode
@pytest.mark.parametrize("arguments", [{}, {"stride": 2}, {"dilation": 2, "padding": 2}], ids=str)
def test_a_traced_layer_is_right_or_refuses_the_size(mode, arguments):
    torch.manual_seed(0)
    module = diff_conv2d.Conv2d(2, 3, 3, **{"padding": 1, **arguments}, padding_mode=mode, **CASES[mode].options)
    if module.edge_weight is not None:
        torch.nn.init.normal_(module.edge_weight)
    sizes = [(9, 10), (12, 12), (12, 17), (4, 3), (40, 41)]
    images = {size: torch.randn(2, 2, *size) for size in sizes}
    free = mode in ("zeros", "reflect", "replicate", "circular", "symmetric", "partial", "peripheral")
    free = free or mode in ("antireflect", "constant", "antisymmetric", "dirichlet", "neumann")
    for size in sizes:
        traced = torch.jit.trace(module, images[size][:1], check_trace=False)
        for other, image in images.items():
            # Samples for the polynomial on every lattice.
            few = {"extrapolate": 3, "diff": 4}.get(mode, 1000) * arguments.get("dilation", 1)
            large = min(size + other) >= few
            if not free and not large and other != size:
                with pytest.raises(torch.jit.Error, match="recorded this convolution for images of another size"):
                    traced(image)
                continue
            output, expected = traced(image), module(image)
            assert output.shape == expected.shape
            if CASES[mode].deterministic:
                torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("optimized_for", ["memory", "speed"])
@pytest.mark.parametrize("edge", [True, False])
def test_traced_paper_layers_and_functions_refuse_other_sizes(edge, optimized_for):
    paper = DiffConv2dLayer(4, 6, 3, train_edge_kernel=edge, optimized_for=optimized_for)
    for function in (paper, lambda x: diff_conv2d.pad(x, (1, 1, 1, 1), "adaptive")):
        traced = torch.jit.trace(function, IMAGE, check_trace=False)
        torch.testing.assert_close(traced(IMAGE), function(IMAGE))
        with pytest.raises(torch.jit.Error, match="recorded this convolution for images of another size"):
            traced(OTHER)


@pytest.mark.parametrize("mode", ["diff", "explicit"])
def test_compiled_it_follows_its_attributes(mode):
    torch._dynamo.reset()
    eager = layer(mode)
    compiled = torch.compile(eager, fullgraph=True, backend="eager")
    compiled(IMAGE)
    eager.stride = 2
    torch.testing.assert_close(compiled(IMAGE), eager(IMAGE), rtol=1e-4, atol=1e-4)
    eager.padding_mode = "circular"
    torch.testing.assert_close(compiled(IMAGE), eager(IMAGE), rtol=1e-4, atol=1e-4)


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
