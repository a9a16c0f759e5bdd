import copy
import types

import numpy as np
import pytest
import timm
import torch
import torchvision
from mode_cases import CASES
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import diff_conv2d
from diff_conv2d import MODES, convert

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
NETWORKS = {
    "resnet18": {},
    "vgg11_bn": {},
    "densenet121": {},
    "mobilenet_v3_small": {},
    "efficientnet_b0": {},
    "convnext_tiny": {},
    "googlenet": {"init_weights": False, "aux_logits": False},
    "regnet_y_400mf": {},
    "shufflenet_v2_x0_5": {},
    "squeezenet1_1": {},
    "fcn_resnet50": {"weights_backbone": None},
    "deeplabv3_resnet50": {"weights_backbone": None},
    "r3d_18": {},
    "timm/resnet10t": {},
}


WARNED = "convert: a network that is trained already has learnt its old boundary: fine-tune it, or see calibrate\n"


def make(name):
    torch.manual_seed(0)
    if name.startswith("timm/"):
        return timm.create_model(name.removeprefix("timm/"))
    return torchvision.models.get_model(name, weights=None, **NETWORKS[name])


def outputs(network, name):
    images = torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0)) if name == "r3d_18" else IMAGES
    output = network(images)
    return output["out"] if isinstance(output, dict) else output


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, 2, 3),
        nn.Conv2d(8, 8, 1),
        nn.Conv2d(8, 8, 3, padding="same", groups=8, padding_mode="reflect"),
        nn.Conv2d(8, 8, 3),
        nn.ConvTranspose2d(8, 4, 3, padding=1),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train_after_conversion_and_load_torchs_checkpoints(name):
    network = make(name).train()
    checkpoint = copy.deepcopy(network.state_dict())
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4)
    convert(network, "diff", degree=2, verbose=False)
    padded = [m for m in network.modules() if isinstance(m, nn.modules.conv._ConvNd) and max(m.padding) > 0]
    assert padded
    assert all(type(m).__module__ == "diff_conv2d.torch_layers" and m.padding_mode == "diff" for m in padded)
    network.load_state_dict(checkpoint)
    output = outputs(network, name)
    output.square().mean().backward()
    optimizer.step()
    assert output.isfinite().all()
    assert all(p.isfinite().all() and (p.grad is None or p.grad.isfinite().all()) for p in network.parameters())
    # Some networks start with blocks that are switched off, so not every layer gets a gradient.
    assert any(layer.weight.grad.abs().max() > 0 for layer in padded)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_back_to_zeros_restores_the_outputs_to_the_bit(name):
    network = make(name).eval()
    with torch.inference_mode():
        expected = outputs(network, name)
        convert(network, "diff", verbose=False)
        assert not torch.equal(outputs(network, name), expected)
        convert(network, "zeros", verbose=False)
        assert torch.equal(outputs(network, name), expected)


@pytest.mark.parametrize("mode", CASES)
def test_layers_stay_the_same_objects(mode):
    network = small_network().double().eval()
    calls = []
    network[0].register_forward_hook(lambda *_: calls.append(mode))
    layers, parameters = list(network), dict(network.named_parameters())
    assert convert(network, mode, verbose=False, **CASES[mode].options) is network
    assert [id(layer) for layer in network] == [id(layer) for layer in layers]
    for name, parameter in parameters.items():
        assert dict(network.named_parameters())[name] is parameter
    assert not any(layer.training for layer in network)
    # Modes without an extended image, and those that keep weights, serve convolutions alone.
    last = "diff_conv2d" if CASES[mode].extends and not MODES[mode].trained else "torch"
    assert [type(layer).__module__.split(".")[0] for layer in network] == ["diff_conv2d", "torch"] * 2 + [last]
    edge = network[0].edge_weight
    assert edge is None or edge.dtype == torch.float64
    assert network(torch.rand(1, 3, 16, 16, dtype=torch.float64)).isfinite().all()
    assert calls == [mode]


def test_converted_layer_is_the_layer_of_the_library():
    network = small_network()
    convert(network, "extrapolate", degree=1, verbose=False)
    made = diff_conv2d.Conv2d(3, 8, 7, 2, 3, padding_mode="extrapolate", degree=1)
    made.load_state_dict(network[0].state_dict())
    assert repr(made) == repr(network[0])
    assert torch.equal(made(IMAGES), network[0](IMAGES))
    assert torch.equal(copy.deepcopy(network)(IMAGES), network(IMAGES))


def test_a_single_convolution_can_be_the_model(capsys):
    layer = nn.Conv1d(2, 2, 3, padding=1)
    assert type(convert(layer)) is diff_conv2d.Conv1d
    assert capsys.readouterr().out == "convert: 1 layer now has padding_mode='diff': the model itself\n" + WARNED


def test_says_what_it_changed_and_what_not(capsys):
    convert(small_network(), "diff", degree=2)
    assert capsys.readouterr().out.splitlines() == [
        "convert: 3 layers now have padding_mode='diff', degree=2: 0, 2, 4",
        "convert: 2 left alone: 1 (no padding), 3 (no padding)",
        WARNED.strip(),
    ]


def test_derived_classes_are_converted_only_without_a_forward_of_their_own():
    class Standardised(nn.Conv2d):
        def forward(self, input):
            return self._conv_forward(input, self.weight - self.weight.mean(), self.bias)

    class Plain(nn.Conv2d):
        def __init__(self, channels):
            super().__init__(channels, channels, 3, padding=1)

    network = nn.Sequential(Standardised(3, 8, 3, padding=1), diff_conv2d.DiffConv2dLayer(8, 8, 3), Plain(8))
    convert(network, "replicate", verbose=False)
    assert [type(layer) for layer in network] == [Standardised, diff_conv2d.DiffConv2dLayer, diff_conv2d.Conv2d]


@pytest.mark.parametrize(
    ("mode", "options"), [("explicit", {}), ("diff_explicit", {}), ("diff_explicit", {"degree": 1})]
)
def test_converting_to_the_mode_a_layer_has_keeps_its_edge_kernels(mode, options):
    network = convert(small_network(), mode, verbose=False, **options)
    for layer in (network[0], network[2]):
        nn.init.normal_(layer.edge_weight)
    state, parameters = copy.deepcopy(network.state_dict()), dict(network.named_parameters())
    expected = network(IMAGES)
    convert(network, mode, verbose=False, **options)
    assert all(parameter is parameters[name] for name, parameter in network.named_parameters())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert torch.equal(network(IMAGES), expected)


def test_back_from_another_mode_the_edge_kernels_start_anew():
    network = convert(small_network(), "explicit", verbose=False)
    nn.init.normal_(network[0].edge_weight)
    convert(convert(network, "zeros", verbose=False), "explicit", verbose=False)
    assert torch.equal(network[0].edge_weight, network[0].weight.expand_as(network[0].edge_weight))


PARAMETRIZED = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight_norm": nn.utils.weight_norm,
    "old spectral_norm": nn.utils.spectral_norm,
    "prune": lambda layer, name="weight": prune.l1_unstructured(layer, name, 0.5),
}


def parametrized_network(how):
    network = small_network()
    for layer in network[0], network[2]:
        PARAMETRIZED[how](layer)
    return network.eval()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("how", PARAMETRIZED)
@pytest.mark.parametrize("mode", [name for name in CASES if "explicit" not in name])
def test_parametrizations_are_kept(mode, how):
    network, twin = parametrized_network(how), parametrized_network(how)
    expected, parameters = network(IMAGES), dict(network.named_parameters())
    for _ in range(2):
        convert(network, mode, verbose=False, **CASES[mode].options)
    assert [network[0].padding_mode, network[2].padding_mode] == [mode] * 2
    assert isinstance(network[0], diff_conv2d.Conv2d)
    new = {name: value for name, value in network.named_parameters() if "predictors." not in name}
    assert {name: id(value) for name, value in new.items()} == {name: id(value) for name, value in parameters.items()}
    plain = diff_conv2d.Conv2d(3, 8, 7, 2, 3, padding_mode=mode, **CASES[mode].options)
    kept = {name: value for name, value in network[0].state_dict().items() if name.startswith("predictors.")}
    plain.load_state_dict({"weight": network[0].weight, "bias": network[0].bias, **kept})
    outputs = []
    for layer in (network[0], plain):
        torch.manual_seed(0)
        outputs.append(layer(IMAGES))
    torch.testing.assert_close(*outputs)
    # The class that torch derived is that of one layer; another layer, or a copy, keeps its own.
    assert not isinstance(twin[0], diff_conv2d.Conv2d)
    convert(network[0], "zeros", verbose=False)
    convert(network[2], "reflect", verbose=False)
    convert(network[4], "zeros", verbose=False)
    assert torch.equal(network(IMAGES), expected)
    if parametrize.is_parametrized(network[0]):
        assert torch.equal(copy.deepcopy(network)(IMAGES), expected)
        parametrize.remove_parametrizations(network[0], "weight")
        assert type(network[0]) is diff_conv2d.Conv2d
        torch.testing.assert_close(network(IMAGES), expected)


def test_a_copy_of_a_parametrized_network_stays_as_it_is():
    network = parametrized_network("weight_norm")
    twin = copy.deepcopy(network)
    expected = twin(IMAGES)
    convert(network, "diff", verbose=False)
    assert torch.equal(twin(IMAGES), expected)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("how", PARAMETRIZED)
@pytest.mark.parametrize("mode", ["explicit", "diff_explicit"])
def test_parametrizations_and_edge_kernels_are_refused_before_anything_is_changed(mode, how):
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), *parametrized_network(how))
    expected, kinds = network(IMAGES), [type(layer) for layer in network]
    with pytest.raises(ValueError, match="edge kernels while weight of 1 is parametrized or pruned"):
        convert(network, mode, verbose=False)
    assert [type(layer) for layer in network] == kinds
    assert torch.equal(network(IMAGES), expected)
    convert(network, mode, exclude=["1", "3"], verbose=False)
    assert network(IMAGES).isfinite().all()


@pytest.mark.parametrize("how", ["weight_norm", "prune"])
def test_parametrized_edge_kernels_are_not_dropped(how):
    layer = diff_conv2d.Conv2d(3, 8, 3, padding=1, padding_mode="diff_explicit")
    for name in ("weight", "edge_weight"):
        PARAMETRIZED[how](layer, name)
    expected = layer(IMAGES)
    with pytest.raises(ValueError, match="edge kernels while edge_weight of the model is parametrized or pruned"):
        convert(layer, "zeros", verbose=False)
    with pytest.raises(ValueError, match="edge kernels while edge_weight of the layer is parametrized or pruned"):
        layer.padding_mode = "zeros"
    convert(layer, "diff_explicit", verbose=False)
    assert torch.equal(layer(IMAGES), expected)


def test_a_weight_that_is_a_property_is_left_alone():
    class Half(nn.Conv2d):
        @property
        def weight(self):
            return self.whole / 2

        @weight.setter
        def weight(self, value):
            self.whole = value

    layer = Half.__new__(Half)
    nn.Module.__init__(layer)
    vars(layer).update({k: v for k, v in vars(nn.Conv2d(3, 3, 3, padding=1)).items() if k != "_parameters"})
    layer.whole, layer.bias = nn.Parameter(torch.ones(3, 3, 3, 3)), None
    assert type(convert(layer, "diff", verbose=False)) is Half


def test_sizes_set_on_torchs_layer_are_taken_as_ours_are():
    network = small_network()
    network[0].stride, network[0].padding, network[2].dilation = 1, [3, 2], 2
    convert(network, "diff", verbose=False)
    assert (network[0].stride, network[0].padding, network[2].dilation) == ((1, 1), (3, 2), (2, 2))
    network[0].__class__ = nn.Conv2d
    network[0].stride = 0
    with pytest.raises(ValueError, match="stride must be at least 1"):
        convert(network, "replicate", verbose=False)
    assert network[2].padding_mode == "diff"


def test_include_and_exclude_by_name():
    network = nn.ModuleDict({"stem": nn.Conv2d(3, 3, 7, padding=3), "body": small_network()})
    convert(network, "diff", exclude="stem", verbose=False)
    assert type(network["stem"]) is nn.Conv2d
    assert type(network["body"][2]) is diff_conv2d.Conv2d
    convert(network, "replicate", include=["stem", "body.0"], verbose=False)
    assert [network["stem"].padding_mode, network["body"][0].padding_mode] == ["replicate"] * 2
    assert network["body"][2].padding_mode == "diff"
    with pytest.raises(
        ValueError, match=r"include has 'layer1.\*', which matches no such layer; there are stem, body.0"
    ):
        convert(network, include="layer1.*")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"padding_mode": "mirror"}, ValueError, "padding_mode must be one of"),
        ({"padding_mode": "zeros", "degree": 1}, TypeError, "has no option 'degree'"),
        ({"degree": (1, 2, 3)}, ValueError, "degree must have one value or 2"),
        ({"model": "resnet18"}, TypeError, "model must be a torch.nn.Module, got str"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_errors_leave_the_network_as_it_was(arguments, error, message):
    network = small_network()
    with pytest.raises(error, match=message):
        convert(**{"model": network, **arguments})
    assert all(type(layer).__module__.startswith("torch.") for layer in network)


@pytest.mark.parametrize("name", ["forward", "_conv_forward"])
def test_a_layer_whose_forward_is_replaced_is_left_alone(name, capsys):
    layer = nn.Conv2d(1, 1, 3, padding=1)
    setattr(layer, name, types.MethodType(lambda self, image, *_: image, layer))
    convert(layer, "replicate")
    assert type(layer) is nn.Conv2d
    assert f"1 left alone: the model itself (its {name} is replaced)" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "ours"), [({"exclude": "1"}, False), ({"include": "1"}, True), ({}, True)])
def test_a_layer_with_two_names_answers_to_both(arguments, ours, capsys):
    layer = nn.Conv2d(1, 1, 3, padding=1)
    convert(nn.Sequential(layer, layer), "diff", **arguments)
    assert isinstance(layer, diff_conv2d.Conv2d) is ours
    assert f"convert: {'1 layer' if ours else '0 layers'} now ha" in capsys.readouterr().out


def test_sizes_may_be_integers_of_numpy():
    layer = convert(nn.Conv2d(1, 1, np.int64(3), padding=np.int64(1), stride=(np.int8(2), 1)), verbose=False)
    assert (layer.kernel_size, layer.padding, layer.stride) == ((3, 3), (1, 1), (2, 1))
    assert all(type(size) is int for size in (*layer.kernel_size, *layer.padding, *layer.stride))


@pytest.mark.parametrize("mode", ["explicit", "diff_explicit"])
def test_edge_kernels_of_a_frozen_layer_are_frozen(mode):
    layer = nn.Conv2d(1, 1, 3, padding=1)
    layer.weight.requires_grad_(False)
    convert(layer, mode, verbose=False)
    assert [parameter.requires_grad for parameter in (layer.edge_weight, layer.edge_bias)] == [False, True]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_is_compiled_or_distributed_is_refused(tmp_path):
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
    with pytest.raises(TypeError, match=r"must not be compiled by torch\.jit"):
        convert(torch.jit.script(network), "diff")
    store = f"file://{tmp_path / 'store'}"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(network)
        for mode in ("explicit", "learned"):
            with pytest.raises(ValueError, match=f"must not be a DistributedDataParallel for padding_mode='{mode}'"):
                convert(wrapped, mode)
        assert type(network[0]) is nn.Conv2d
        convert(wrapped, "diff", verbose=False)
    finally:
        torch.distributed.destroy_process_group()
    assert isinstance(network[0], diff_conv2d.Conv2d)


def test_an_algorithm_that_a_mode_has_not_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 3, padding=1))
    image = torch.randn(1, 1, 8, 8)
    expected = network(image)
    with pytest.raises(ValueError, match="algorithm must be 'auto', 'direct' or 'fast' for padding_mode='circular'"):
        diff_conv2d.convert(network, "circular", algorithm="memory")
    assert all(type(layer) is nn.Conv2d for layer in network)
    assert torch.equal(network(image), expected)
    layer = diff_conv2d.Conv2d(1, 1, 3, padding=1, padding_mode="replicate", algorithm="memory")
    with pytest.raises(ValueError, match="for padding_mode='circular'"):
        layer.padding_mode = "circular"
    assert (layer.padding_mode, layer._mode.name, layer.algorithm) == ("replicate", "replicate", "memory")
