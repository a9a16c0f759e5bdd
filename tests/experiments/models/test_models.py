from types import SimpleNamespace

import pytest
import torch
from torch import nn

from experiments.models.build import build_model
from experiments.models.unet import UNet, UNetClassifier
from experiments.padding_configs import COMPARED
from tests.networks import model

DENSE = SimpleNamespace(task="segmentation", in_channels=3, classes=("a", "b", "c"), image_size=(32, 32), halo=0)
BLUR = SimpleNamespace(task="super_resolution", in_channels=1, classes=(), image_size=(32, 32), halo=0)
SCENES = SimpleNamespace(task="classification", in_channels=3, classes=("a", "b"), image_size=(32, 32), halo=0)
SMALL = {"depth": 2, "width": 4}


def test_unet_of_the_paper_has_its_layers():
    """Depth 4, width 64: 2 convolutions in each of 9 blocks, 4 reductions, the last; 31 million weights."""
    network = UNet(1, 1)
    kernels = [m.kernel_size for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert kernels.count((3, 3)) == 18
    assert kernels.count((1, 1)) == 5
    assert network.middle[0].out_channels == 1024
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 18
    assert not any(isinstance(m, nn.BatchNorm2d) for m in UNet(1, 1, 2, 4, batch_norm=False).modules())


def test_unet_with_groupnorm():
    """One for each activation, each with its groups; its weights are drawn as without it."""
    torch.manual_seed(0)
    network = UNet(1, 1, **SMALL, batch_norm=False, group_norm=2)
    norms = [m for m in network.modules() if isinstance(m, nn.GroupNorm)]
    assert [(norm.num_groups, norm.num_channels) for norm in norms] == [(2, 4)] * 2 + [(2, 8)] * 2 + [(2, 16)] * 2 + [
        (2, 8)
    ] * 2 + [(2, 4)] * 2
    torch.manual_seed(0)
    for with_norm, without in zip(convolutions(network), convolutions(UNet(1, 1, **SMALL)), strict=True):
        assert torch.equal(with_norm.weight, without.weight)
    # Statistics are those of each image alone, in training as in evaluation.
    image = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(network(image)[:1], network.eval()(image[:1]))


def convolutions(network):
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize("size", [(32, 32), (33, 46), (7, 4)])
def test_unet_keeps_the_size_of_the_image(size):
    assert UNet(3, 5, **SMALL)(torch.rand(2, 3, *size)).shape == (2, 5, *size)


def test_unet_classifier_reconstructs():
    scores, image = UNetClassifier(1, 7, (16, 24), **SMALL)(torch.rand(2, 1, 16, 24))
    assert scores.shape == (2, 7)
    assert image.shape == (2, 1, 16, 24)


@pytest.mark.parametrize("mode", COMPARED)
def test_equal_seeds_give_equal_weights_for_every_mode(mode):
    networks = []
    for padding in ("zeros", mode):
        torch.manual_seed(3)
        networks.append(build_model(model("unet", SMALL), {"mode": padding}, BLUR))
    states = [network.state_dict() for network in networks]
    for name, value in states[0].items():
        assert torch.equal(states[1][name], value)
    padded = [m for m in networks[1].modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert {m.padding_mode for m in padded} == {mode}


def test_torchvisions_network_takes_the_datas_channels_and_classes():
    data = SimpleNamespace(task="classification", in_channels=1, classes=("a",) * 5, image_size=(32, 32), halo=0)
    network = build_model(model("resnet18"), {"mode": "linear_prediction", "neighbourhood": [1, 1]}, data)
    assert network(torch.rand(2, 1, 32, 32)).shape == (2, 5)
    assert network.conv1._mode.neighbourhood == (1, 1)


@pytest.mark.parametrize(
    ("name", "options", "padding", "data", "error", "message"),
    [
        (
            "resnet18",
            {},
            {"mode": "diff"},
            DENSE,
            ValueError,
            "model=resnet18 is for classification, but the data is for",
        ),
        ("unet", {}, {"mode": "diff"}, SCENES, ValueError, "take model=resnet18 or model=unet_classifier"),
        ("resnet19", {}, {"mode": "diff"}, SCENES, ValueError, "model.name must be .*; got 'resnet19'"),
        ("unet", SMALL, {"mode": "mirror"}, DENSE, ValueError, "padding_mode must be one of"),
        ("unet", SMALL, {"mode": "zeros", "degree": 2}, DENSE, TypeError, "has no option 'degree'"),
        (
            "unet",
            {"activation": "gelu"},
            {"mode": "zeros"},
            DENSE,
            ValueError,
            "activation must be one of relu, tanh",
        ),
        (
            "unet",
            {"group_norm": 4},
            {"mode": "zeros"},
            DENSE,
            ValueError,
            "group_norm must be 0 with batch_norm=True",
        ),
        (
            "unet",
            {"width": 6, "batch_norm": False, "group_norm": 4},
            {"mode": "zeros"},
            DENSE,
            ValueError,
            "group_norm must be 0 or divide width, which is 6; got 4",
        ),
    ],
)
def test_what_does_not_fit_is_said(name, options, padding, data, error, message):
    with pytest.raises(error, match=message):
        build_model(model(name, options), padding, data)


def test_symmetric_is_replicate_in_a_unet():
    """All its padded kernels are 3x3, and reach one sample beyond the edge; so sweeps leave `symmetric` out."""
    data = SimpleNamespace(task="super_resolution", in_channels=1, classes=(), image_size=(16, 16), halo=0)
    outputs, gradients, image = [], [], torch.rand(2, 1, 16, 16)
    for mode in ("replicate", "symmetric"):
        torch.manual_seed(0)
        network = build_model(model("unet", {"depth": 2, "width": 2}), {"mode": mode}, data)
        output = network(image)
        output.square().sum().backward()
        outputs.append(output)
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert torch.equal(*outputs)
    # The same sums, in another order.
    torch.testing.assert_close(*gradients)
