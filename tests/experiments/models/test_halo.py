from types import SimpleNamespace

import pytest
import torch
from torch import nn

from experiments.models.build import build_model
from experiments.models.halo import CentreBatchNorm2d, CropFeatures, crop
from experiments.tasks.segmentation import Segmentation
from experiments.tasks.super_resolution import SuperResolution
from tests.networks import model


def scenes(halo, size=64):
    wide = size + 2 * halo
    return SimpleNamespace(
        task="classification", in_channels=3, classes=("a", "b"), image_size=(wide, wide), halo=halo
    )


def resnet(data, **padding):
    torch.manual_seed(0)
    return build_model(model("resnet18"), {"mode": "zeros", **padding}, data).eval()


def test_a_classifier_pools_the_features_of_the_centre_alone():
    image = torch.rand(2, 3, 128, 128)
    plain, network = resnet(scenes(0)), resnet(scenes(32))
    assert plain.state_dict().keys() == network.state_dict().keys()
    features = nn.Sequential(*list(plain.children())[:-2])(image)
    assert features.shape[-2:] == (4, 4)
    torch.testing.assert_close(network(image), plain.fc(features[..., 1:3, 1:3].mean((-2, -1))))
    # A crop shifted by two pixels, as for the consistency of the answer, has the same features left.
    assert network(image[..., 2:-2, 2:-2]).shape == (2, 2)


def test_the_grid_of_features_is_that_of_the_image_without_its_halo():
    """What one feature of the centre sees most of lies where it lies without a halo: 32 pixels further on."""
    plain, network = (nn.Sequential(*list(resnet(scenes(halo)).children())[:5]) for halo in (0, 32))
    image = torch.rand(1, 3, 128, 128)
    near, far = plain(image[..., 32:-32, 32:-32]), network(image)
    # Stride 4, and 21 pixels or fewer around each are seen so far: inside, both agree.
    torch.testing.assert_close(far[..., 8 + 6 : -8 - 6, 8 + 6 : -8 - 6], near[..., 6:-6, 6:-6])


def test_a_halo_that_is_no_whole_number_of_features_is_refused():
    with pytest.raises(ValueError, match=r"a halo of 24 pixels is 0.857143 .* multiple of 32"):
        CropFeatures(24, (112, 112))(torch.rand(1, 2, 4, 4))


@pytest.mark.parametrize("name", ["unet_classifier", "vit_b_16"])
def test_a_network_without_a_last_pooling_is_refused(name):
    with pytest.raises(ValueError, match=r"data\.halo=32 needs a network whose features are pooled"):
        build_model(model(name), {"mode": "zeros"}, scenes(32))


@pytest.mark.parametrize("task", ["segmentation", "super_resolution"])
def test_loss_and_metrics_see_the_centre_alone(task):
    halo, images = 8, torch.rand(2, 3, 36, 36)
    other = images.clone()
    other[..., :halo, :] = other[..., :, -halo:] = 7.0
    arguments = nn.Identity(), None, None, "zeros"
    if task == "segmentation":
        trained, targets = Segmentation(*arguments, num_classes=3, halo=halo), torch.randint(0, 3, (2, 20, 20))
    else:
        trained, targets = SuperResolution(*arguments, halo=halo), torch.rand(2, 3, 20, 20)
    values = []
    for seen in (images, other):
        trained.measure((seen, targets))
        values.append((trained.loss((seen, targets)), trained.results()))
    assert values[0] == values[1]
    assert trained.picture((images, targets)).shape == (2, 3, 20, 60)
    if task == "super_resolution":
        torch.testing.assert_close(values[0][0], (crop(images, halo) - targets).square().mean())
        assert values[0][1]["mse"]["whole"] == pytest.approx(values[0][0].item(), rel=1e-5)


def test_normalisation_by_the_centre_is_that_of_the_image_without_its_halo():
    """In training, its gradient and its running statistics too, whatever the halo holds."""
    plain = nn.BatchNorm2d(3)
    ours = CentreBatchNorm2d(nn.BatchNorm2d(3), halo=8, image_size=(32, 32))
    # A map of half the image's size: a halo of 4.
    wide = torch.randn(2, 3, 16, 16)
    wide[..., :4, :] = 100.0
    wide.requires_grad_()
    centre = crop(wide, 4).detach().requires_grad_()
    cotangent = torch.randn(2, 3, 8, 8)
    outputs = plain(centre), crop(ours(wide), 4)
    torch.testing.assert_close(*outputs)
    for output in outputs:
        (output * cotangent).sum().backward()
    torch.testing.assert_close(centre.grad, crop(wide.grad, 4))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    torch.testing.assert_close(ours.eval()(wide), plain.eval()(wide))


@pytest.mark.parametrize("task", ["classification", "super_resolution"])
def test_networks_with_a_halo_normalise_by_the_centre(task):
    classes = ("a", "b") if task == "classification" else ()
    data = SimpleNamespace(task=task, in_channels=3, classes=classes, image_size=(128, 128), halo=32)
    name = "resnet18" if task == "classification" else "unet"
    options = {} if task == "classification" else {"depth": 2, "width": 2}
    network = build_model(model(name, options), {"mode": "zeros"}, data)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms
    assert all(isinstance(layer, CentreBatchNorm2d) and layer.halo == 32 for layer in norms)
    plain = build_model(model(name, options), {"mode": "zeros"}, SimpleNamespace(**{**vars(data), "halo": 0}))
    assert not any(isinstance(layer, CentreBatchNorm2d) for layer in plain.modules())
