"""Transposed convolutions, pooling, unfolding, upsampling and padding with a mode are torch's of a wider image."""

import copy
import itertools
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import diff_conv2d
from diff_conv2d import convert, override, pad

SIZES = {1: (12,), 2: (12, 14), 3: (8, 6, 10)}
# Modes with one degree for all, since `pad` derives it from the widths.
MODES = {
    "reflect": {},
    "circular": {},
    "symmetric": {},
    "diff": {"degree": 2},
    "constant": {"value": 0.4},
    "adaptive": {"taps": 2, "band": 6},
}
WIDE = 6


def image(axes, seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, *SIZES[axes], dtype=torch.float64, generator=source).cumsum(-1)


def layers():
    """Torch's layers that have a boundary."""
    for axes in (1, 2, 3):
        transposed = getattr(nn, f"ConvTranspose{axes}d")
        for arguments in (
            {"kernel_size": 4, "stride": 2, "padding": 1},
            {"kernel_size": 3, "stride": 1, "padding": 1},
            {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
            {"kernel_size": 3, "stride": 2, "padding": 0, "groups": 3},
            {"kernel_size": 3, "stride": 3, "padding": 2, "dilation": 3},
        ):
            yield axes, transposed(3, 3, bias=True, **arguments)
        largest, mean = getattr(nn, f"MaxPool{axes}d"), getattr(nn, f"AvgPool{axes}d")
        for arguments in (
            {"kernel_size": 3, "stride": 2, "padding": 1},
            {"kernel_size": 2, "stride": 2, "padding": 1, "ceil_mode": True},
            {"kernel_size": 3, "stride": 2, "ceil_mode": True},
            {"kernel_size": 3, "stride": 4, "padding": 1, "ceil_mode": True},
        ):
            yield axes, largest(**arguments)
            yield axes, mean(**arguments)
            yield axes, mean(**arguments, count_include_pad=False)
        yield axes, largest(3, stride=1, padding=1, dilation=2)
        linear = ("linear", "bilinear", "trilinear")[axes - 1]
        yield axes, nn.Upsample(scale_factor=2, mode=linear)
        yield axes, nn.Upsample(scale_factor=1.5, mode=linear)
        yield axes, nn.Upsample(size=17, mode=linear)
        for name in ("ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad"):
            yield axes, getattr(nn, f"{name}{axes}d")(tuple(range(1, 2 * axes + 1)))
        yield axes, getattr(nn, f"ConstantPad{axes}d")(2, 0.5)
    yield 2, nn.Unfold(3, dilation=2, padding=2, stride=2)
    yield 2, nn.Upsample(scale_factor=2, mode="bicubic")
    yield 2, nn.Upsample(scale_factor=(0.5, 3), mode="bicubic")
    yield 2, nn.Upsample(size=(31, 5), mode="bicubic", align_corners=True)


LAYERS = list(layers())
every_layer = pytest.mark.parametrize(("axes", "layer"), LAYERS, ids=[f"{axes}-{layer!r}" for axes, layer in LAYERS])


def fresh(layer):
    torch.manual_seed(0)
    made = copy.deepcopy(layer).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made


def of_wider(layer, x, mode, options):
    """Torch's layer of an image that is extended by hand, far enough, and the part of its output that is wanted."""
    axes = x.ndim - 2
    if type(layer).__name__[:-2].endswith("Pad"):
        widths = layer.padding if isinstance(layer.padding, tuple) else (layer.padding,) * 2 * axes
        return pad(x, widths, mode, **options)
    wide, size = pad(x, (WIDE,) * 2 * axes, mode, **options), layer(x).shape
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        output, first = layer(wide), [WIDE * s for s in layer.stride]
    elif isinstance(layer, nn.Upsample):
        if layer.size is None:
            scales = layer.scale_factor if isinstance(layer.scale_factor, tuple) else (layer.scale_factor,) * axes
            output, first = layer(wide), [round(WIDE * scale) for scale in scales]
        else:
            return None
    else:
        # Windows begin at -padding; beyond the last one all is cut off.
        def per(value):
            return value if isinstance(value, tuple) else (value,) * axes

        plain = copy.deepcopy(layer)
        plain.padding = 0 if not isinstance(layer.padding, tuple) else (0,) * axes
        plain.ceil_mode = False
        for dim, p in enumerate(per(layer.padding), 2):
            wide = wide.narrow(dim, WIDE - p, wide.shape[dim] - WIDE + p)
        output, first = plain(wide), [0] * axes
        if isinstance(layer, nn.Unfold):
            for dim, p in enumerate(per(layer.padding), 2):
                wide = wide.narrow(dim, 0, x.shape[dim] + 2 * p)
            return plain(wide)
    for dim, start in enumerate(first, 2):
        output = output.narrow(dim, start, size[dim])
    return output


@every_layer
@pytest.mark.parametrize("mode", MODES)
def test_it_is_torchs_of_a_wider_image(axes, layer, mode):
    torchs, x = fresh(layer), image(axes)
    if isinstance(torchs, nn.Upsample) and torchs.size is not None and mode == "adaptive":
        pytest.skip("what is outside depends on how many samples are")
    dilated = getattr(torchs, "dilation", 1)
    several = max(dilated if isinstance(dilated, tuple) else (dilated,)) > 1
    if mode == "diff" and several and not isinstance(torchs, nn.modules.conv._ConvTransposeNd):
        pytest.skip("polynomials go through the samples of each lattice, which `pad` knows nothing of")
    options = MODES[mode]
    expected = of_wider(torchs, x, mode, options)
    ours = convert(fresh(layer), mode, verbose=False, **options)
    assert type(ours).__module__ == "diff_conv2d.network_layers"
    output = ours(x)
    assert output.shape == torchs(x).shape or type(layer).__name__[:-2].endswith("Pad")
    if mode == "adaptive":
        # The number of samples outside decides how they are fitted: only what is inside is compared.
        return
    if expected is not None:
        torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)
    unbatched = ours(x[0]) if not isinstance(ours, nn.Upsample) else ours(x[:1])[0]
    torch.testing.assert_close(unbatched, ours(x[:1])[0], rtol=1e-12, atol=1e-12)


def own_mode(layer):
    """The mode with which a converted layer does what torch's does."""
    names = {"Reflection": "reflect", "Replication": "replicate", "Circular": "circular", "Constant": "constant"}
    name = next((mode for start, mode in names.items() if type(layer).__name__.startswith(start)), "zeros")
    return name, {"value": 0.5} if name == "constant" else {}


@every_layer
def test_in_torchs_own_mode_it_is_torchs_to_the_bit(axes, layer):
    name, options = own_mode(layer)
    ours = convert(convert(fresh(layer), "circular", verbose=False), name, verbose=False, **options)
    found = []
    for module in (fresh(layer), ours):
        x = image(axes).float().requires_grad_()
        module.float()
        output = module(x)
        found.append([output, *torch.autograd.grad(output.square().sum(), [x, *module.parameters()])])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    assert list(fresh(layer).state_dict()) == list(ours.state_dict())


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(31, 5), (12, 14), (24, 28), (7, 40)], ids=str)
def test_cubic_resampling_by_gathering_is_torchs_inside(size, align_corners):
    """With edge samples outside it is torch's everywhere; by our own sums."""
    from diff_conv2d.modes import boundary
    from diff_conv2d.operations.resampling import _by_gathering

    x = image(2)
    scales = [out / n for out, n in zip(size, x.shape[2:], strict=True)]
    for mode, taps in (("bilinear", 2), ("bicubic", 4)):
        expected = F.interpolate(x, size, mode=mode, align_corners=align_corners)
        output = _by_gathering(x, size, scales, taps, align_corners, boundary("replicate"))
        torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)


def shifts_commute(network, x, step, dims=(-1, -2)):
    """The largest difference of the output of a shifted image and the shifted output, in its deviations."""
    network.eval()
    with torch.no_grad():
        output = network(x)
        worst = 0.0
        for dim in dims:
            ratio = output.shape[dim] / x.shape[dim]
            shifted = network(x.roll(step, dim))
            expected = output.roll(round(step * ratio), dim)
            worst = max(worst, ((shifted - expected).abs().max() / output.std()).item())
    return worst


class Block(nn.Sequential):
    def __init__(self, axes, channels_in, channels_out):
        convolution, norm = getattr(nn, f"Conv{axes}d"), getattr(nn, f"BatchNorm{axes}d")
        super().__init__(convolution(channels_in, channels_out, 3, padding=1), norm(channels_out), nn.ReLU())


class UNet(nn.Module):
    """Two levels, with transposed convolutions or linear upsampling."""

    def __init__(self, axes, up):
        super().__init__()
        self.first, self.second, self.third = Block(axes, 1, 6), Block(axes, 6, 8), Block(axes, 14, 6)
        self.down = getattr(nn, f"MaxPool{axes}d")(3, 2, 1)
        if up == "transposed":
            self.up = getattr(nn, f"ConvTranspose{axes}d")(8, 8, 4, 2, 1)
        else:
            self.up = nn.Upsample(scale_factor=2, mode=up, align_corners=False)
        self.last = getattr(nn, f"Conv{axes}d")(6, 1, 1)

    def forward(self, x):
        first = self.first(x)
        up = self.up(self.second(self.down(first)))
        return self.last(self.third(torch.cat([first, up], 1)))


def generator():
    """The generator of DCGAN, from a map instead of a vector."""
    blocks = []
    for before, after in ((6, 12), (12, 8), (8, 6)):
        blocks += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*blocks, nn.ConvTranspose2d(6, 3, 4, 2, 1), nn.Tanh())


def features(name):
    """The maps of one of torchvision's networks, before they are averaged."""
    import torchvision

    network = getattr(torchvision.models, name)(weights=None)
    if name == "resnet18":
        return nn.Sequential(*list(network.children())[:-2])
    if name.startswith("regnet"):
        return nn.Sequential(network.stem, network.trunk_output)
    return network.features


def segmentation():
    import torchvision

    class Output(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None)

        def forward(self, x):
            # It calls F.interpolate by hand.
            with override("circular", verbose=False):
                return self.network(x)["out"]

    return Output()


# Network, channels of the image, its size, the smallest shift that all strides divide.
NETWORKS = {
    "UNet, transposed": (lambda: UNet(2, "transposed"), 1, (16, 12), 2),
    "UNet, bilinear": (lambda: UNet(2, "bilinear"), 1, (16, 12), 2),
    "UNet, bicubic": (lambda: UNet(2, "bicubic"), 1, (16, 12), 2),
    "UNet, volumes": (lambda: UNet(3, "trilinear"), 1, (8, 6, 10), 2),
    "DCGAN": (generator, 6, (6, 5), 1),
    "resnet18": (lambda: features("resnet18"), 3, (96, 64), 32),
    "convnext": (lambda: features("convnext_tiny"), 3, (96, 64), 32),
    "densenet": (lambda: features("densenet121"), 3, (96, 64), 32),
    "mobilenet": (lambda: features("mobilenet_v2"), 3, (96, 64), 32),
    "regnet": (lambda: features("regnet_y_400mf"), 3, (96, 64), 32),
    "fcn_resnet50": (segmentation, 3, (48, 32), 8),
}


@pytest.mark.parametrize("name", [n if " " in n else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS])
def test_a_network_on_a_torus_commutes_with_shifts(name):
    make, channels, size, step = NETWORKS[name]
    torch.manual_seed(0)
    network = convert(make().double(), "circular", verbose=False)
    x = torch.randn(1, channels, *size, dtype=torch.float64)
    assert shifts_commute(network, x, step) <= 1e-12
    assert shifts_commute(network, x, 2 * step) <= 1e-12
    # Without conversion of all its layers it does not.
    torch.manual_seed(0)
    plain = make().double()
    if name == "fcn_resnet50":
        plain = plain.network
        assert shifts_commute(nn.Sequential(plain.backbone.conv1, plain.backbone.maxpool), x, step) > 1e-3
    else:
        # The blocks of ConvNeXt are scaled by 1e-6 before they are trained.
        assert shifts_commute(plain, x, step) > 1e-7


def test_a_panorama_commutes_along_one_axis_alone():
    torch.manual_seed(0)
    network = convert(UNet(2, "transposed").double(), ("zeros", "circular"), verbose=False)
    x = torch.randn(1, 1, 16, 12, dtype=torch.float64)
    assert shifts_commute(network, x, 2, dims=(-1,)) <= 1e-12
    assert shifts_commute(network, x, 2, dims=(-2,)) > 1e-3


def test_what_reads_nothing_outside_is_left_alone(capsys):
    network = nn.Sequential(
        nn.ConvTranspose2d(1, 1, 2, 2), nn.ConvTranspose2d(1, 1, 5, 2, 4), nn.MaxPool2d(2),
        nn.Upsample(scale_factor=2),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.MaxPool2d(3, 2, 1, return_indices=True),
    )  # fmt: skip
    convert(network, "circular")
    assert all(type(module).__module__.startswith("torch") for module in network)
    reasons = ["reads no sample outside"] * 2 + ["no padding"] + ["reads no sample outside"] * 2 + ["returns indices"]
    printed = capsys.readouterr().out
    for number, reason in enumerate(reasons):
        assert f"{number} ({reason})" in printed


def test_convert_and_back():
    torch.manual_seed(0)
    for name in ("UNet, transposed", "UNet, bilinear", "DCGAN"):
        make, channels, size, _ = NETWORKS[name]
        network, x = make().eval(), torch.randn(2, channels, *size)
        before = network(x)
        convert(network, "diff", degree=1, verbose=False)
        assert not torch.equal(network(x), before)
        convert(network, "zeros", verbose=False)
        assert torch.equal(network(x), before)


def test_what_says_which_kinds(capsys):
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(3, 2, 1), nn.Upsample(scale_factor=2))
    convert(network, "diff", what="pooling")
    assert capsys.readouterr().out.startswith("convert: 1 layer now has padding_mode='diff': 1\nconvert: a network")
    convert(network, "circular", what=["convolution", "upsampling"])
    printed = capsys.readouterr().out
    assert "1 layer now has padding_mode='circular': 0" in printed
    assert "2 (reads no sample outside)" in printed
    assert [m.padding_mode for m in network[:2]] == ["circular", "diff"]
    convert(network, "partial")
    assert "1 (partial is for convolutions alone)" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"what must be of convolution, transposed, .* got 'pool'"):
        convert(network, "diff", what="pool")
    with pytest.raises(TypeError, match="what must be a word or a sequence of them"):
        convert(network, "diff", what=3)


def by_hand(x, weight, transposed):
    """A network that calls torch's functions."""
    x = F.conv2d(F.pad(x, (1, 1, 1, 1)), weight)
    x = F.conv2d(x, weight, padding="same")
    x = F.max_pool2d(x, 3, 2, 1)
    x = F.avg_pool2d(x, 3, 1, 1)
    x = F.conv_transpose2d(x, transposed, stride=2, padding=1)
    x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    x = F.fold(F.unfold(x, 3, padding=1), x.shape[2:], 3, padding=1) if False else x
    return F.unfold(x, 3, padding=1)[:, :, :].view(x.shape[0], -1, *x.shape[2:])


def test_override_serves_functions_called_by_hand(capsys):
    torch.manual_seed(0)
    weight, transposed = torch.randn(3, 3, 3, 3).double(), torch.randn(3, 3, 4, 4).double()
    x = torch.randn(1, 3, 8, 12, dtype=torch.float64)

    class Network(nn.Module):
        def forward(self, x):
            return by_hand(x, weight, transposed)

    assert shifts_commute(Network(), x, 2) > 1e-3
    with override("circular") as met:
        assert shifts_commute(Network(), x, 2) <= 1e-12
    assert set(met.served) == {
        "pad", "conv2d", "max_pool2d", "avg_pool2d", "conv_transpose2d", "interpolate", "unfold"
    }  # fmt: skip
    assert "took padding_mode='circular': pad (3), conv2d (3)" in capsys.readouterr().out
    assert not met.left


def test_override_leaves_what_it_cannot_serve_and_says_why(capsys):
    x = torch.randn(1, 2, 8, 8)
    with override("diff", degree=1) as met:
        F.max_pool2d(x, 3, 1, 1, return_indices=True)
        F.pad(x, (-1, 1))
        assert F.pad(torch.ones(1, 1, 4, dtype=torch.int64), (1, 1)).sum() == 4
        F.pad(torch.ones(2, 2), (1, 1))
        # Nothing is padded.
        F.conv2d(x, torch.ones(2, 2, 3, 3))
        F.interpolate(x, scale_factor=2)
    printed = capsys.readouterr().out
    for text in ("returns indices", "cuts samples off", "integers cannot hold", "images (N, C, ...)"):
        assert text in printed
    assert not met.served
    for mode in ("partial", "explicit", "learned"):
        with pytest.raises(ValueError, match=f"padding_mode='{mode}' cannot serve torch's functions"):
            override(mode)


def test_layers_of_the_library_keep_their_mode_within_an_override():
    torch.manual_seed(0)
    layers = nn.Sequential(
        diff_conv2d.Conv2d(3, 3, 3, padding=1, padding_mode="replicate"),
        diff_conv2d.MaxPool2d(3, 2, 1, padding_mode="reflect"),
        diff_conv2d.Pad2d(1, padding_mode="zeros"),
    )
    x = torch.randn(1, 3, 8, 8)
    expected = layers(x)
    with override("circular", verbose=False) as met:
        assert torch.equal(layers(x), expected)
    assert not met.served


COMPILED = [
    diff_conv2d.ConvTranspose2d(3, 3, 4, 2, 1, padding_mode="circular"),
    diff_conv2d.MaxPool2d(3, 2, 1, padding_mode="diff", degree=1),
    diff_conv2d.AvgPool2d(3, 2, 1, padding_mode="symmetric"),
    diff_conv2d.Unfold(3, padding=1, padding_mode="reflect"),
    diff_conv2d.Upsample(scale_factor=2, mode="bilinear", padding_mode="diff", degree=1),
    diff_conv2d.Pad2d((1, 2, 3, 0), padding_mode=("antireflect", "circular")),
]


@pytest.mark.parametrize("layer", COMPILED, ids=lambda layer: type(layer).__name__)
def test_exported_and_transformed(layer, tmp_path):
    x = torch.randn(2, 3, 12, 14)
    expected = layer(x)
    program = torch.export.export(layer, (x,))
    torch.testing.assert_close(program.module()(x), expected)
    torch.testing.assert_close(torch.vmap(lambda image: layer(image[None])[0])(x), expected)
    traced = torch.fx.symbolic_trace(nn.Sequential(layer))
    torch.testing.assert_close(traced(x), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = torch.onnx.export(layer, (x,), dynamo=True, verbose=False)
    (output,) = saved(x)
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("layer", COMPILED, ids=lambda layer: type(layer).__name__)
def test_compiled(layer):
    x = torch.randn(2, 3, 12, 14)
    torch.testing.assert_close(torch.compile(layer, fullgraph=True)(x), layer(x))


@pytest.mark.parametrize("layer", COMPILED, ids=lambda layer: type(layer).__name__)
def test_double_backward(layer):
    x = torch.randn(1, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    layer = copy.deepcopy(layer).double()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: diff_conv2d.MaxPool2d(3, 2, 1, padding_mode="partial"),
            ValueError,
            "cannot serve pooling: it has no",
        ),
        (lambda: diff_conv2d.Unfold(3, padding=1, padding_mode="learned"), ValueError, "keeps weights of its own"),
        (lambda: diff_conv2d.Pad2d(1, padding_mode="wrap"), ValueError, "padding_mode must be one of"),
        (lambda: diff_conv2d.Pad2d("x"), TypeError, "padding must be an integer or a sequence of 4"),
        (lambda: diff_conv2d.Pad2d(1)(torch.ones(3, 3)), ValueError, "input must have 4 dimensions"),
        (lambda: diff_conv2d.MaxPool2d(3, 2, 1, foo=1), TypeError, "has no option 'foo'"),
        (
            lambda: diff_conv2d.MaxPool2d(3, 2, 1, padding_mode=("zeros",)),
            ValueError,
            "one entry for each axis, here 2",
        ),
        (
            lambda: diff_conv2d.MaxPool2d(3, 2, 1, return_indices=True)(torch.ones(1, 1, 4, 4)),
            ValueError,
            "return_indices must be False for padding_mode='diff'",
        ),
        (
            lambda: torch.jit.script(diff_conv2d.MaxPool2d(3, 2, 1)),
            ValueError,
            "torch.jit.script compiles no MaxPool2d",
        ),
    ],
)
def test_errors_name_the_argument(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("layer", COMPILED, ids=lambda layer: type(layer).__name__)
def test_what_is_traced_is_right_for_other_sizes_or_refuses_them(layer):
    traced = torch.jit.trace(layer, torch.randn(2, 3, 12, 14), check_trace=False)
    one_size = not isinstance(layer, (nn.ConvTranspose2d, nn.Unfold, diff_conv2d.Pad2d))
    for size in ((12, 14), (13, 15), (20, 9), (7, 30)):
        x = torch.randn(2, 3, *size)
        if one_size and size != (12, 14):
            with pytest.raises(torch.jit.Error, match="for images of another size"):
                traced(x)
        else:
            torch.testing.assert_close(traced(x), layer(x))


def test_zeros_at_one_side_are_what_torch_has_there():
    x = -1 - torch.rand(1, 1, 6, 8)
    pooled = diff_conv2d.MaxPool2d(3, 1, 1, padding_mode=("zeros", "circular"))(x)
    assert torch.equal(pooled[..., 1:-1], F.max_pool2d(x, 3, 1, 1)[..., 1:-1])
    larger = diff_conv2d.Upsample(scale_factor=2, mode="bilinear", padding_mode=("zeros", "circular"))(x)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(larger[..., 2:-2], expected[..., 2:-2])


def test_layers_follow_their_attribute():
    x = torch.randn(1, 2, 6, 8)
    for make in (
        lambda mode: diff_conv2d.MaxPool2d(3, 1, 1, padding_mode=mode),
        lambda mode: diff_conv2d.Pad2d(2, padding_mode=mode),
        lambda mode: diff_conv2d.Upsample(scale_factor=2, mode="bilinear", padding_mode=mode),
    ):
        layer = make("zeros")
        layer.padding_mode = "reflect"
        assert torch.equal(layer(x), make("reflect")(x))
        with pytest.raises(ValueError, match="padding_mode must be one of"):
            layer.padding_mode = "nonsense"
    transposed = diff_conv2d.ConvTranspose2d(2, 2, 3, padding_mode={"mode": "zeros"})
    transposed.padding_mode = "circular"
    assert transposed(x).shape == (1, 2, 8, 10)
    transposed.padding_mode = {"mode": "zeros"}
    assert torch.equal(transposed(x), F.conv_transpose2d(x, transposed.weight, transposed.bias))


def test_resampling_is_torchs_inside_at_any_scale():
    """With edge samples at two sides, which is torch's own, but by our sums."""
    for scale, size in itertools.product((0.5, 0.7, 1.1, 1.25, 1.5, 2.0, 3.0), ((5, 3), (12, 14), (3, 4))):
        x = torch.randn(1, 2, *size, dtype=torch.float64)
        for mode in ("bilinear", "bicubic"):
            torchs = nn.Upsample(scale_factor=scale, mode=mode)
            ours = diff_conv2d.Upsample(scale_factor=scale, mode=mode, padding_mode=("replicate",) * 2)
            torch.testing.assert_close(ours(x), torchs(x), rtol=1e-9, atol=1e-9)
    recomputed = {"scale_factor": 1.3, "mode": "bilinear", "recompute_scale_factor": True}
    x = torch.randn(1, 2, 7, 9, dtype=torch.float64)
    ours = diff_conv2d.Upsample(**recomputed, padding_mode=("replicate",) * 2)
    torch.testing.assert_close(ours(x), nn.Upsample(**recomputed)(x), rtol=1e-9, atol=1e-9)
    # No more samples are wanted than are read.
    wide = diff_conv2d.Upsample(size=(9, 9), mode="bilinear", padding_mode={"mode": "neumann", "value": 1.0})
    assert wide(torch.rand(1, 1, 1, 1)).shape == (1, 1, 9, 9)


@pytest.mark.parametrize(
    ("options", "shape", "error", "message"),
    [
        ({"scale_factor": 0.1}, (1, 1, 4, 4), ValueError, "must leave at least one sample"),
        ({"scale_factor": -1.0}, (1, 1, 4, 4), ValueError, "scale_factor must hold 2 numbers above 0"),
        ({"scale_factor": (1.0, 2.0, 3.0)}, (1, 1, 4, 4), ValueError, "scale_factor must hold 2 numbers"),
        ({"scale_factor": 2.0, "size": (3, 3)}, (1, 1, 4, 4), ValueError, "one of size and scale_factor"),
        ({"scale_factor": 2.0}, (1, 1, 4), ValueError, "input must have 4 dimensions"),
        ({"scale_factor": 1.3}, (1, 1, 4, 0), ValueError, "at least one sample"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options, shape, error, message):
    layer = diff_conv2d.Upsample(**options, mode="bilinear", padding_mode="circular")
    with pytest.raises(error, match=message):
        layer(torch.ones(shape))


def test_integers_are_not_resampled():
    with pytest.raises(TypeError, match=r"input must be of floating point, got torch.uint8"):
        diff_conv2d.Upsample(scale_factor=1.3, mode="bilinear", padding_mode="circular")(
            torch.ones(1, 1, 4, 4, dtype=torch.uint8)
        )


def test_output_size_of_one_image_and_other_arguments():
    layer = diff_conv2d.ConvTranspose2d(2, 2, 3, stride=2, padding_mode="circular")
    x = torch.randn(2, 6, 8)
    assert layer(x, output_size=(2, 14, 18)).shape == (2, 14, 18)
    layer.padding = (1, 0, 1, 1)
    with pytest.raises(ValueError, match="padding must have one value or 2"):
        layer(x)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = diff_conv2d.MaxPool2d(3, 2, 1)

        def forward(self, x):
            return self.pool(input=x)

    assert torch.equal(torch.fx.symbolic_trace(Network())(x), Network()(x))


def test_upsampling_is_refused_for_other_axes_before_anything_is_changed():
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Upsample(scale_factor=2, mode="linear"))
    with pytest.raises(ValueError, match="one entry for each axis, here 1"):
        convert(network, ("circular", "zeros"), verbose=False)
    assert type(network[0]) is nn.Conv2d


def test_the_innermost_override_decides():
    x = torch.arange(4.0).view(1, 1, 4)
    with override("circular", verbose=False), override("zeros", verbose=False):
        assert F.pad(x, (1, 1))[0, 0, 0] == 0
    with override("circular", verbose=False), override("replicate", verbose=False):
        assert F.pad(x, (1, 1))[0, 0, -1] == 3


def test_layers_show_their_mode():
    assert repr(diff_conv2d.MaxPool2d(3, 2, 1, padding_mode="diff", degree=1)) == (
        "MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False, padding_mode=diff, degree=1)"
    )
    assert "padding_mode=circular" in repr(diff_conv2d.ConvTranspose2d(3, 3, 4, 2, 1, padding_mode="circular"))
    assert repr(diff_conv2d.Pad2d(1, padding_mode=("zeros", "circular"))).startswith(
        "Pad2d((1, 1, 1, 1), padding_mode"
    )


def test_pairs_of_layers_and_modes_train():
    modes = "adaptive", ("diff", "zeros"), ("circular", "adaptive"), ("linear_prediction", "circular")
    for mode, (_, layer) in itertools.product(modes, [p for p in LAYERS if p[0] == 2]):
        module = convert(fresh(layer), mode, verbose=False)
        x = image(2).requires_grad_()
        module(x).square().sum().backward()
        assert x.grad.isfinite().all()
