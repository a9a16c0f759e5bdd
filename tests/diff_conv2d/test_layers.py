import copy
import pickle
from functools import partial

import pytest
import torch
from mode_cases import CASES
from problems import PROBLEMS
from torch import nn

import diff_conv2d
from diff_conv2d.functional import DiffConv2d
from diff_conv2d.layers import (
    DiffConv2dLayer,
    ExplicitConv2dLayer,
    ExtraConv2dLayer,
    PartConv2dLayer,
    RandConv2dLayer,
)

LAYERS = {1: diff_conv2d.Conv1d, 2: diff_conv2d.Conv2d, 3: diff_conv2d.Conv3d}
TORCH = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
IMAGE = torch.randn(2, 4, 6, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_torchs_modes_are_torchs_to_the_bit(problem, mode):
    inner, outer = problem.channels
    results = []
    for layers in (TORCH, LAYERS):
        torch.manual_seed(1)
        layer = layers[problem.axes](inner, outer, problem.kernel, **problem.arguments, padding_mode=mode)
        image = problem.tensors(torch.float32)[0].requires_grad_()
        output = layer(image)
        output.square().sum().backward()
        results.append((output, image.grad, layer.weight.grad, layer.bias.grad))
    for torchs, ours in zip(*results, strict=True):
        assert torch.equal(torchs, ours)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("of", ["image", "layer", "both"])
def test_torchs_modes_are_torchs_to_the_bit_in_channels_last(mode, of):
    results = []
    for conv in (nn.Conv2d, diff_conv2d.Conv2d):
        torch.manual_seed(1)
        layer = conv(16, 8, 3, padding=1, padding_mode=mode)
        image = torch.randn(2, 16, 21, 19, generator=torch.Generator().manual_seed(0))
        if of != "image":
            layer = layer.to(memory_format=torch.channels_last)
        if of != "layer":
            image = image.contiguous(memory_format=torch.channels_last)
        image.requires_grad_()
        output = layer(image)
        output.square().sum().backward()
        results.append((output, image.grad, layer.weight.grad, layer.bias.grad))
    for torchs, ours in zip(*results, strict=True):
        assert torch.equal(torchs, ours)
        assert torchs.stride() == ours.stride()


@pytest.mark.parametrize("mode", CASES)
def test_state_dict_initialisation_and_signature_are_torchs(mode):
    torch.manual_seed(0)
    torchs = nn.Conv2d(4, 6, (3, 5), 2, (1, 2), 1, 2, True)
    torch.manual_seed(0)
    ours = diff_conv2d.Conv2d(4, 6, (3, 5), 2, (1, 2), 1, 2, True, mode)
    for name, value in torchs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    ours.load_state_dict(torchs.state_dict())
    assert isinstance(ours, nn.Conv2d)
    assert ours(IMAGE).shape == torchs(IMAGE).shape
    assert ours.padding_mode == mode


def test_extra_repr():
    assert repr(diff_conv2d.Conv2d(2, 4, 3, padding=1, padding_mode="zeros")) == repr(nn.Conv2d(2, 4, 3, padding=1))
    layer = diff_conv2d.Conv2d(2, 4, 3, padding=1, degree=(1, 2))
    assert repr(layer).endswith("padding=(1, 1), padding_mode=diff, degree=(1, 2))")
    assert "train_edge_kernel=True" in repr(DiffConv2dLayer(2, 4, 3, train_edge_kernel=True))


def test_layer_follows_its_attributes():
    """Libraries that make a network dense change stride, padding and dilation after construction."""
    layer = diff_conv2d.Conv2d(4, 4, 3, stride=2, padding=1)
    layer.stride, layer.padding, layer.dilation = (1, 1), (2, 2), (2, 2)
    expected = diff_conv2d.conv2d(IMAGE, layer.weight, layer.bias, padding=2, dilation=2)
    assert torch.equal(layer(IMAGE), expected)
    layer.stride, layer.padding, layer.dilation = [1, 1], [2, 2], [2, 2]
    assert torch.equal(layer(IMAGE), expected)


@pytest.mark.parametrize("mode", ["zeros", "circular", "partial", "diff", "diff_explicit", "adaptive"])
@pytest.mark.parametrize(
    "changes",
    [
        {"stride": 2},
        {"stride": (2,)},
        {"stride": [2, 1]},
        {"padding": 2},
        {"padding": "same"},
        {"padding": "valid"},
        {"padding": 0},
        {"dilation": 2, "padding": (2,)},
        {"stride": 3, "padding": 3, "dilation": [2]},
    ],
    ids=str,
)
def test_sizes_can_be_set_as_at_construction(mode, changes):
    layer = diff_conv2d.Conv2d(4, 6, 3, padding=1, padding_mode=mode, **CASES[mode].options)
    made = diff_conv2d.Conv2d(4, 6, 3, **{"padding": 1, **changes}, padding_mode=mode, **CASES[mode].options)
    made.load_state_dict(layer.state_dict())
    for name, value in changes.items():
        setattr(layer, name, value)
    for twin in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(IMAGE), made(IMAGE))
        assert repr(twin) == repr(made)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("stride", 0, ValueError, "stride must be at least 1 along every axis, got 0"),
        ("stride", (1, 2, 3), ValueError, "stride must have one value or 2"),
        ("dilation", [0], ValueError, "dilation must be at least 1 along every axis"),
        ("dilation", 1.0, TypeError, "dilation must be an integer"),
        ("padding", -1, ValueError, "padding must be at least 0"),
        ("padding", "full", ValueError, "padding must be 'same', 'valid'"),
        ("kernel_size", 0, ValueError, "kernel_size must be at least 1"),
        ("padding_mode", "mirror", ValueError, "padding_mode must be one of"),
        ("padding_mode", None, TypeError, "padding_mode must be a string"),
    ],
)
@pytest.mark.parametrize("layer", [diff_conv2d.Conv2d, DiffConv2dLayer, ExplicitConv2dLayer])
def test_attributes_are_checked_when_they_are_set(layer, name, value, error, message):
    made = layer(4, 6, 3)
    before = made(IMAGE), repr(made)
    if layer is DiffConv2dLayer and name == "padding_mode":
        error, message = ValueError, "padding_mode must be 'diff'"
    with pytest.raises(error, match=message):
        setattr(made, name, value)
    assert torch.equal(made(IMAGE), before[0])
    assert repr(made) == before[1]


def test_sizes_that_do_not_belong_together_are_rejected_by_the_layer():
    layer = diff_conv2d.Conv2d(4, 6, 3, padding="same")
    layer.stride = 2
    with pytest.raises(ValueError, match="padding='same' is not defined for strided"):
        layer(IMAGE)
    layer.padding = 1
    assert layer(IMAGE).shape == nn.Conv2d(4, 6, 3, 2, 1)(IMAGE).shape
    layer.kernel_size = 5
    with pytest.raises(ValueError, match=r"weight must have the kernel_size \(5, 5\)"):
        layer(IMAGE)
    layer = diff_conv2d.Conv2d(4, 6, 3, padding=1, padding_mode="explicit")
    layer.padding = 2
    with pytest.raises(ValueError, match="edge_weight must be of shape"):
        layer(IMAGE)


@pytest.mark.parametrize("mode", CASES)
@pytest.mark.parametrize("before", ["zeros", "reflect", "explicit", "diff"])
def test_another_padding_mode_can_be_set(before, mode):
    layer = diff_conv2d.Conv2d(4, 6, 3, padding=1, padding_mode=before)
    layer.padding_mode = mode
    made = diff_conv2d.Conv2d(4, 6, 3, padding=1, padding_mode=mode)
    made.load_state_dict(layer.state_dict())
    for twin in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(twin) == repr(made)
        torch.manual_seed(0)
        output = twin(IMAGE)
        torch.manual_seed(0)
        assert torch.equal(output, made(IMAGE))


def test_the_padding_mode_of_a_layer_set_again_changes_nothing():
    layer = diff_conv2d.Conv2d(4, 6, 3, padding=1, padding_mode="diff_explicit", degree=1)
    nn.init.normal_(layer.edge_weight)
    output, edge = layer(IMAGE), layer.edge_weight
    layer.padding_mode = "diff_explicit"
    assert layer.edge_weight is edge
    assert torch.equal(layer(IMAGE), output)


@pytest.mark.parametrize("name", ["stride", "dilation", "padding"])
def test_paper_layer_follows_its_attributes(name):
    layer, general = DiffConv2dLayer(4, 6, 3), diff_conv2d.Conv2d(4, 6, 3, padding=1)
    general.load_state_dict(layer.state_dict())
    layer.padding = 1
    for made in (layer, general):
        setattr(made, name, 2)
    torch.testing.assert_close(layer(IMAGE), general(IMAGE))


@pytest.mark.parametrize("optimized_for", ["memory", "speed"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_paper_layer_is_its_function(keep, bias, optimized_for):
    layer = DiffConv2dLayer(4, 6, 3, groups=2, bias=bias, keep_img_grad_at_invalid=keep, optimized_for=optimized_for)
    expected = DiffConv2d(3).conv2d(IMAGE, layer.weight, groups=2)
    if bias:
        expected = expected + layer.bias.view(-1, 1, 1)
    torch.testing.assert_close(layer(IMAGE), expected)


@pytest.mark.parametrize(
    ("layer", "mode"),
    [
        (ExtraConv2dLayer, "extrapolate"),
        (RandConv2dLayer, "random"),
        (PartConv2dLayer, "partial"),
        (ExplicitConv2dLayer, "explicit"),
    ],
)
def test_the_papers_other_layers_are_names_of_modes(layer, mode):
    torch.manual_seed(0)
    theirs = layer(4, 6, 5, groups=2, bias=False)
    torch.manual_seed(0)
    ours = diff_conv2d.Conv2d(4, 6, 5, padding="same", groups=2, bias=False, padding_mode=mode)
    outputs = []
    for module in (theirs, ours):
        torch.manual_seed(1)
        outputs.append(module(IMAGE))
    assert torch.equal(*outputs)


@pytest.mark.parametrize("optimized_for", ["memory", "speed"])
def test_edge_kernel_and_edge_bias_act_at_invalid_outputs(optimized_for):
    layer = DiffConv2dLayer(4, 6, 3, train_edge_kernel=True, optimized_for=optimized_for)
    assert torch.equal(layer.edge_weight, layer.weight)
    assert torch.equal(layer.edge_bias, layer.bias)
    torch.testing.assert_close(layer(IMAGE), diff_conv2d.conv2d(IMAGE, layer.weight, layer.bias, padding=1))
    with torch.no_grad():
        layer.edge_weight.zero_()
        layer.edge_bias.fill_(5.0)
    output = layer(IMAGE)
    interior = nn.functional.conv2d(IMAGE, layer.weight, layer.bias)
    torch.testing.assert_close(output[..., 1:-1, 1:-1], interior)
    output[..., 1:-1, 1:-1] = 5.0
    assert torch.equal(output, torch.full_like(output, 5.0))


def test_checkpoints_of_the_authors_load():
    torch.manual_seed(0)
    weight, edge_weight, bias = torch.randn(6, 4, 3, 3), torch.randn(6, 4, 3, 3), torch.randn(6)
    network = nn.Sequential(DiffConv2dLayer(4, 6, 3, bias=True), nn.ReLU())
    network.load_state_dict({"0.inter_layer.weight": weight, "0.inter_layer.bias": bias})
    assert torch.equal(network[0].weight, weight)
    assert torch.equal(network[0].bias, bias)

    layer = DiffConv2dLayer(4, 6, 3, bias=False, train_edge_kernel=True)
    layer.load_state_dict({"inter_layer.weight": weight, "edge_layer.weight": edge_weight})
    expected = DiffConv2d(3).conv2d(IMAGE, weight, edge_kernel=edge_weight)
    torch.testing.assert_close(layer(IMAGE), expected)

    layer = DiffConv2dLayer(4, 6, 3, train_edge_kernel=True)
    theirs = {"inter_layer.weight": weight, "inter_layer.bias": bias, "edge_layer.weight": edge_weight}
    with pytest.warns(UserWarning, match="authors' code trains but never adds"):
        layer.load_state_dict({**theirs, "edge_layer.bias": 2 * bias})
    assert torch.equal(layer.edge_bias, 2 * bias)
    # A key that is missing or not ours is still torch's error.
    with pytest.raises(RuntimeError, match="Unexpected key"):
        DiffConv2dLayer(4, 6, 3).load_state_dict(theirs)
    with pytest.raises(RuntimeError, match="Missing key"):
        layer.load_state_dict({"inter_layer.weight": weight})


def test_torch_checkpoint_starts_the_edge_kernel():
    source = nn.Conv2d(4, 6, 3)
    layer = DiffConv2dLayer(4, 6, 3, train_edge_kernel=True)
    layer.load_state_dict(source.state_dict())
    assert torch.equal(layer.edge_weight, source.weight)
    assert torch.equal(layer.edge_bias, source.bias)


@pytest.mark.parametrize("assign", [True, False])
@pytest.mark.parametrize("keep_vars", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        partial(diff_conv2d.Conv2d, 4, 6, 3, padding=1, padding_mode="explicit"),
        partial(diff_conv2d.Conv2d, 4, 6, 3, padding=1, padding_mode="diff_explicit", device="meta"),
        partial(DiffConv2dLayer, 4, 6, 3, train_edge_kernel=True),
    ],
)
def test_edge_kernels_of_a_torch_checkpoint_are_trained_by_themselves(make, keep_vars, assign):
    source, layer = nn.Conv2d(4, 6, 3), make()
    if layer.weight.is_meta and not assign:
        layer.to_empty(device="cpu")
    layer.load_state_dict(source.state_dict(keep_vars=keep_vars), assign=assign)
    for name, value in (("edge_weight", source.weight), ("edge_bias", source.bias)):
        edge = getattr(layer, name)
        assert edge.is_leaf
        assert edge.requires_grad
        assert edge.is_contiguous()
        assert (
            edge.untyped_storage().data_ptr()
            != getattr(layer, name.removeprefix("edge_")).untyped_storage().data_ptr()
        )
        assert torch.equal(edge, value.expand_as(edge))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(IMAGE)[..., 0, 0].sum().backward()
    before = layer.weight.detach().clone()
    optimizer.step()
    assert torch.equal(layer.weight, before)
    assert not torch.equal(layer.edge_weight, before.expand_as(layer.edge_weight))


def test_a_torch_checkpoint_of_another_size_is_torchs_error():
    layer = diff_conv2d.Conv2d(4, 6, 3, padding=1, padding_mode="explicit")
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        layer.load_state_dict(nn.Conv2d(4, 8, 3).state_dict())


@pytest.mark.parametrize("mode", ["explicit", "diff_explicit"])
def test_reset_parameters_starts_the_edge_kernels_too(mode):
    layer = diff_conv2d.Conv2d(4, 6, 3, padding=1, padding_mode=mode)
    nn.init.ones_(layer.edge_weight)
    nn.init.ones_(layer.edge_bias)
    layer.reset_parameters()
    assert torch.equal(layer.edge_weight, layer.weight.expand_as(layer.edge_weight))
    assert torch.equal(layer.edge_bias, layer.bias.expand_as(layer.edge_bias))


def test_deepcopy_and_pickle():
    for layer in (diff_conv2d.Conv2d(4, 2, 3, padding=1, degree=1), DiffConv2dLayer(4, 2, 3, train_edge_kernel=True)):
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert torch.equal(twin(IMAGE), layer(IMAGE))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1, got 0"),
        ({"out_channels": -1}, ValueError, "out_channels must be at least 1, got -1"),
        ({"out_channels": 2.0}, TypeError, "out_channels must be an integer, got 2.0"),
        ({"kernel_size": 0}, ValueError, "kernel_size must be at least 1 along every axis, got 0"),
        ({"kernel_size": (3, 3, 3)}, ValueError, r"kernel_size must have one value or 2, .* got \(3, 3, 3\)"),
        ({"groups": 3}, ValueError, "groups must divide in_channels, got groups=3 and in_channels=4"),
        ({"groups": 0}, ValueError, "groups must be at least 1, got 0"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("layer", [diff_conv2d.Conv2d, DiffConv2dLayer])
def test_errors_at_construction(layer, arguments, error, message):
    with pytest.raises(error, match=message):
        layer(**{"in_channels": 4, "out_channels": 4, "kernel_size": 3, **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"stride": 0}, ValueError, "stride must be at least 1"),
        ({"dilation": (1, 0)}, ValueError, "dilation must be at least 1"),
        ({"padding": "some"}, ValueError, "padding must be 'same', 'valid'"),
        ({"padding": "same", "stride": 2}, ValueError, "padding='same' is not defined for strided"),
        ({"padding_mode": "wrap"}, ValueError, "padding_mode must be one of"),
        ({"degree": "two"}, TypeError, "degree must be an integer"),
        ({"degree": (1, 1, 1)}, ValueError, "degree must have one value or 2"),
        ({"taps": 3}, TypeError, "padding_mode='diff' has no option 'taps'; it has degree"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_errors_of_the_general_layer_at_construction(arguments, error, message):
    with pytest.raises(error, match=message):
        diff_conv2d.Conv2d(**{"in_channels": 4, "out_channels": 4, "kernel_size": 3, **arguments})


def test_unknown_optimized_for_is_rejected_at_construction():
    with pytest.raises(ValueError, match="optimized_for must be 'memory' or 'speed', got 'fast'"):
        DiffConv2dLayer(4, 4, 3, optimized_for="fast")


def test_paper_layer_refuses_an_image_smaller_than_its_kernel():
    layer = DiffConv2dLayer(4, 6, 5)
    layer.padding = 0
    with pytest.raises(ValueError, match="weight spans 5 samples along spatial axis 0, more than the 3 of input"):
        layer(IMAGE[..., :3, :3])


def test_words_are_neither_true_nor_false():
    for name in ("train_edge_kernel", "keep_img_grad_at_invalid"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 'no'"):
            DiffConv2dLayer(4, 6, 3, **{name: "no"})
    with pytest.raises(TypeError, match="keep_img_grad_at_invalid must be True or False, got 'no'"):
        DiffConv2d(3).conv2d(IMAGE, torch.ones(6, 4, 3, 3), keep_img_grad_at_invalid="no")
    layer = diff_conv2d.Conv2d(4, 6, 3)
    with pytest.raises(ValueError, match=r"algorithm must be .* got \['fast'\]"):
        layer.algorithm = ["fast"]


@pytest.mark.parametrize("optimized_for", ["memory", "speed"])
def test_paper_layer_on_the_meta_device(optimized_for):
    layer = DiffConv2dLayer(4, 6, 3, optimized_for=optimized_for, device="meta")
    assert layer(torch.empty(2, 4, 32, 33, device="meta")).shape == (2, 6, 32, 33)
    with pytest.raises(TypeError, match="one dtype"):
        layer(torch.empty(2, 4, 32, 33, dtype=torch.float64, device="meta"))
