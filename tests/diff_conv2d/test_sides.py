"""A mode of its own for each axis and each end is that of each end alone; pads may be wider than the image."""

import itertools
import pickle

import numpy as np
import pytest
import torch
from packaging.version import Version

import diff_conv2d
from diff_conv2d import conv2d, convert, pad
from diff_conv2d.modes import boundary

IMAGE = (
    torch.randn(2, 3, 12, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).cumsum(-1).cumsum(-2)
)
WEIGHT = torch.randn(4, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
# With degrees, which `pad` else derives from the sum of an axis's pads.
MODES = {
    "zeros": "zeros",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
    "symmetric": "symmetric",
    "antireflect": "antireflect",
    "antisymmetric": "antisymmetric",
    "constant": {"mode": "constant", "value": [1.0, 2.0, -3.0]},
    "dirichlet": {"mode": "dirichlet", "value": 0.7},
    "dirichlet at a sample": {"mode": "dirichlet", "value": 0.7, "at": "sample"},
    "neumann": {"mode": "neumann", "value": -0.3},
    "extrapolate": {"mode": "extrapolate", "degree": 1},
    "diff": {"mode": "diff", "degree": 2},
    "adaptive": "adaptive",
    "linear_prediction": "linear_prediction",
}
FITTED = {"adaptive", "linear_prediction"}
# These add numbers of their own; those do not keep constants. In corners of the two the later axis decides.
ADDING = {"constant", "dirichlet", "dirichlet at a sample", "neumann", "linear_prediction"}
LOSING = {"zeros", "antisymmetric", "constant", "dirichlet", "dirichlet at a sample", "linear_prediction"}


def commute(first, second):
    return first == second != "linear_prediction" or not any(
        a in ADDING and b in LOSING for a, b in ((first, second), (second, first))
    )


PAIRS = list(itertools.product(MODES, MODES))


def along(image, dim, low, high, after):
    """By hand: what each mode alone puts before and after an axis, two samples and `after`."""
    widths = (2, 0), (0, after)
    other = (0, 0)
    pads = [(*w, *other) if dim == -1 else (*other, *w) for w in widths]
    before = pad(image, pads[0], MODES[low]).narrow(dim, 0, 2)
    padded = pad(image, pads[1], MODES[high])
    return torch.cat([before, image, padded.narrow(dim, padded.shape[dim] - after, after)], dim)


@pytest.mark.parametrize(("rows", "columns"), PAIRS)
def test_each_axis_has_its_own_mode(rows, columns):
    # A fit depends on the larger of the two widths.
    after = 2 if FITTED & {rows, columns} else 3
    result = pad(IMAGE, (2, after, 2, after), (MODES[rows], MODES[columns]))
    # A fitted mode sees the image as it is: it comes first. Of two the corners are compared with neither.
    first = [(-1, columns), (-2, rows)] if columns in FITTED else [(-2, rows), (-1, columns)]
    expected = IMAGE
    for dim, mode in first:
        expected = along(expected, dim, mode, mode, after)
    if {rows, columns} <= FITTED or (columns in FITTED and not commute(rows, columns)):
        expected = along(IMAGE, -1, columns, columns, after)
        result = result[..., 2:-after, :]
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("low", "high"), PAIRS)
@pytest.mark.parametrize("axis", [0, 1])
def test_each_end_has_its_own_mode(low, high, axis):
    pair, dim = (MODES[low], MODES[high]), axis - 2
    sides = (pair, "symmetric") if axis == 0 else ("symmetric", pair)
    after = 2 if FITTED & {low, high} else 3
    expected = along(IMAGE, dim, low, high, after)
    expected = along(expected, -3 - dim, "symmetric", "symmetric", after)
    torch.testing.assert_close(pad(IMAGE, (2, after, 2, after), sides), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("first", "second"), [pair for pair in PAIRS if commute(*pair)])
def test_the_order_of_the_axes_does_not_matter(first, second):
    """A transposed image with exchanged modes gives the transposed result, corners included."""
    expected = pad(IMAGE, (2, 3, 1, 2), (MODES[first], MODES[second]))
    transposed = pad(IMAGE.mT, (1, 2, 2, 3), (MODES[second], MODES[first])).mT
    torch.testing.assert_close(transposed, expected, rtol=1e-9, atol=1e-9)


def test_the_later_axis_decides_where_two_prescribe_other_values():
    ones = {"mode": "constant", "value": 1}
    assert torch.equal(pad(IMAGE, (1, 1, 1, 1), ("zeros", ones))[..., 0, 0], torch.ones(2, 3).double())
    assert torch.equal(pad(IMAGE, (1, 1, 1, 1), (ones, "zeros"))[..., 0, 0], torch.zeros(2, 3).double())


@pytest.mark.parametrize("sides", [("zeros", "circular"), (("diff", "zeros"), ("adaptive", "reflect"))], ids=str)
@pytest.mark.parametrize("padding", [2, (3, 1, 0, 2)], ids=str)
def test_convolutions_and_layers_convolve_what_pad_gives(sides, padding):
    options = {"degree": 2} if "diff" in sides[0] else {}
    widths = (padding,) * 4 if padding == 2 else padding
    padded = pad(IMAGE, widths, sides, **options)
    expected = torch.nn.functional.conv2d(padded, WEIGHT)
    arguments = {"padding": padding, "padding_mode": sides, **options}
    torch.testing.assert_close(conv2d(IMAGE, WEIGHT, **arguments), expected)
    layer = diff_conv2d.Conv2d(3, 4, 5, bias=False, dtype=torch.float64, **arguments)
    layer.load_state_dict({"weight": WEIGHT})
    torch.testing.assert_close(layer(IMAGE), expected)
    network = convert(torch.nn.Conv2d(3, 4, 5, padding=2, bias=False).double(), sides, verbose=False, **options)
    network.load_state_dict({"weight": WEIGHT})
    expected = torch.nn.functional.conv2d(pad(IMAGE, (2,) * 4, sides, **options), WEIGHT)
    torch.testing.assert_close(network(IMAGE), expected)


def without_a_copy():
    for first, second in PAIRS:
        modes = boundary((MODES[first], MODES[second]))
        if not modes.why_padded:
            yield first, second


@pytest.mark.parametrize(("first", "second"), list(without_a_copy()))
def test_memory_and_gradients_are_those_of_the_padded_image(first, second):
    """Outputs and gradients by strips, of images and kernels, and those that autograd finds by itself."""
    for sides in ((MODES[first], MODES[second]), ((MODES[first], MODES[second]), MODES[second])):
        found = []
        for way in ("memory", "direct", "autograd"):
            image, weight = (t.clone().requires_grad_() for t in (IMAGE.repeat(1, 1, 2, 2), WEIGHT))
            if way == "autograd":
                extension = boundary(sides)
                geometry = diff_conv2d.geometry.Geometry((5, 5), (1, 1), (1, 1), (2, 2), (2, 2))
                extended = extension.for_image(image, geometry).extend_by_axis(image, geometry)
                output = torch.nn.functional.conv2d(extended, weight)
            else:
                output = conv2d(image, weight, padding=2, padding_mode=sides, algorithm=way)
            found.append([output, *torch.autograd.grad(output.square().sum(), (image, weight))])
        for results in zip(*found, strict=True):
            scale = results[0].abs().max()
            for other in results[1:]:
                assert (other - results[0]).abs().max() <= 1e-11 * scale


@pytest.mark.parametrize(
    ("mode", "options", "numpys"),
    [
        ("constant", {"value": 1.5}, {"mode": "constant", "constant_values": 1.5}),
        ("symmetric", {}, {"mode": "symmetric"}),
        ("reflect", {}, {"mode": "reflect"}),
        ("circular", {}, {"mode": "wrap"}),
        ("antireflect", {}, {"mode": "reflect", "reflect_type": "odd"}),
        ("replicate", {}, {"mode": "edge"}),
        ("zeros", {}, {"mode": "constant"}),
    ],
)
def test_numpys_answers_for_pads_up_to_five_times_the_image(mode, options, numpys):
    if mode in ("symmetric", "reflect", "antireflect") and Version(np.__version__) < Version("2"):
        pytest.skip("numpy 1 mirrors a small image wrongly where one pad is several times as wide as the other")
    for rows, columns in itertools.product(range(1, 5), (1, 3, 6)):
        image = IMAGE[:1, :1, :rows, :columns]
        for width in (1, 2, 3, 5 * rows):
            pads = (5 * columns, width % 4, width, 2 * rows)
            expected = np.pad(image.numpy(), ((0, 0), (0, 0), pads[2:], pads[:2]), **numpys)
            np.testing.assert_allclose(pad(image, pads, mode, **options), expected, atol=1e-9)


@pytest.mark.parametrize("mode", ["reflect", "circular", "symmetric", "antireflect", "antisymmetric"])
def test_wide_pads_have_gradients(mode):
    image = IMAGE[:1, :1, :3, :4].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pad(x, (9, 5, 7, 8), mode), image)


def test_torchs_bits_where_torch_has_an_answer():
    image = torch.randn(2, 3, 6, 7)
    for mode, most in (("reflect", (6, 5)), ("circular", (7, 6))):
        widths = most[0], 1, 2, most[1]
        assert torch.equal(pad(image, widths, mode), torch.nn.functional.pad(image, widths, mode))


def test_conditions_hold_at_the_edge():
    line = IMAGE[:1, :1, 0]
    half = pad(line, (2, 2), "dirichlet", value=0.4)
    assert torch.allclose((half[..., 1] + half[..., 2]) / 2, torch.tensor(0.4).double())
    assert torch.allclose((half[..., 0] + half[..., 3]) / 2, torch.tensor(0.4).double())
    slope = pad(line, (2, 2), "neumann", value=0.4)
    # Outwards: at the low end from sample 0 to sample -1, at the high end from the last one on.
    assert torch.allclose(slope[..., 1] - slope[..., 2], torch.tensor(0.4).double())
    assert torch.allclose(slope[..., -2] - slope[..., -3], torch.tensor(0.4).double())
    at_sample = pad(line, (2, 2), "neumann", value=0.4, at="sample")
    assert torch.allclose((at_sample[..., 0] - at_sample[..., 4]) / 4, torch.tensor(0.4).double())
    assert torch.equal(pad(line, (2, 2), "neumann"), pad(line, (2, 2), "symmetric"))
    assert torch.equal(pad(line, (2, 2), "neumann", at="sample"), pad(line, (2, 2), "reflect"))
    assert torch.equal(pad(line, (2, 2), "dirichlet"), pad(line, (2, 2), "antisymmetric"))


def test_the_row_beyond_a_pole_lies_on_the_other_side():
    grid = IMAGE[:1, :1]
    turned = grid.roll(7, -1)
    result = pad(grid, (0, 0, 2, 2), ("pole", "circular"))
    assert torch.equal(result[..., :2, :], turned[..., :2, :].flip(-2))
    assert torch.equal(result[..., -2:, :], turned[..., -2:, :].flip(-2))
    vector = pad(grid, (0, 0, 2, 2), ({"mode": "pole", "sign": -1}, "circular"))
    assert torch.equal(vector[..., 0, :], -result[..., 0, :])
    at_sample = pad(grid, (3, 3, 2, 0), ({"mode": "pole", "at": "sample"}, "circular"))
    assert torch.equal(at_sample[..., 0, 3:-3], turned[..., 2, :])
    # Corners: the row beyond the pole goes on around the globe.
    assert torch.equal(at_sample[..., 0, :3], turned[..., 2, -3:])


def on_the_sphere(colatitudes, longitudes):
    """A sum of spherical harmonics up to degree 3, a polynomial of x, y, z; colatitudes go on beyond the poles."""
    x, y = colatitudes.sin() * longitudes.cos(), colatitudes.sin() * longitudes.sin()
    z = colatitudes.cos()
    return z**2 + x * y - 0.5 * x + y * z**2 + 0.3 * z


@pytest.mark.parametrize("at", ["half", "sample"])
def test_a_filter_at_the_poles_has_the_error_of_the_interior(at):
    rows, columns = 24, 48
    step = torch.pi / rows
    colatitudes = (torch.arange(rows + (at == "sample"), dtype=torch.float64) + (0.5 if at == "half" else 0.0)) * step
    longitudes = torch.arange(columns, dtype=torch.float64) * 2 * torch.pi / columns
    grid = torch.meshgrid(colatitudes.requires_grad_(), longitudes, indexing="ij")
    field = on_the_sphere(*grid)
    (slope,) = torch.autograd.grad(field.sum(), grid[0], create_graph=True)
    (exact,) = torch.autograd.grad(slope.sum(), grid[0])
    sphere = ({"mode": "pole", "at": at}, "circular")
    # The second derivative along the meridians, which go on over the poles.
    kernel = torch.tensor([1.0, -2.0, 1.0]).double().view(1, 1, 3, 1) / step**2
    found = conv2d(field.detach()[None, None], kernel, padding=(1, 0), padding_mode=sphere)[0, 0]
    errors = (found - exact).abs().amax(1)
    assert errors[[0, -1]].max() <= 1.05 * errors[1:-1].max()
    # With edge samples, as with any other mode, it is not.
    plain = conv2d(field.detach()[None, None], kernel, padding=(1, 0), padding_mode="reflect")[0, 0]
    assert (plain - exact).abs().amax(1)[[0, -1]].max() > 10 * errors.max()
    # What is outside is the function itself; the slope along the meridian changes its sign.
    beyond = torch.arange(-3, rows + (at == "sample") + 3, dtype=torch.float64) + (0.5 if at == "half" else 0.0)
    wide = torch.meshgrid((beyond * step).requires_grad_(), longitudes, indexing="ij")
    continued = on_the_sphere(*wide)
    torch.testing.assert_close(pad(field.detach()[None, None], (0, 0, 3, 3), sphere)[0, 0], continued.detach())
    (along,) = torch.autograd.grad(continued.sum(), wide[0])
    vector = ({"mode": "pole", "at": at, "sign": -1}, "circular")
    torch.testing.assert_close(pad(slope.detach()[None, None], (0, 0, 3, 3), vector)[0, 0], along)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mode": ("zeros", "circular", "zeros")}, ValueError, r"one entry for each axis, here 2, got 3"),
        ({"mode": ("zeros", ("zeros", "zeros", "zeros"))}, TypeError, r"hold for each axis a name, or two"),
        ({"mode": ("zeros", 3)}, TypeError, r"hold for each axis a name, or two"),
        ({"mode": ("zeros", "wrap")}, ValueError, r"one of zeros, .* got 'wrap'"),
        ({"mode": ("zeros", "partial")}, ValueError, r"cannot have 'partial' at one side: it does not extend"),
        ({"mode": ("zeros", "explicit")}, ValueError, r"'explicit' at one side: it trains kernels"),
        ({"mode": ("zeros", "learned")}, ValueError, r"'learned' at one side: it keeps weights of its own"),
        ({"mode": ("zeros", "circular"), "degree": 2}, TypeError, r"no mode of .* has an option 'degree'"),
        ({"mode": ("zeros", {"mode": "diff", "foo": 2})}, TypeError, r"'diff' has no option 'foo'"),
        ({"mode": ("zeros", {"degree": 2})}, TypeError, r"must name its mode"),
        ({"mode": "pole"}, ValueError, r"the last axis is that of longitudes"),
        ({"mode": ("pole", "zeros"), "input": IMAGE[..., :13]}, ValueError, r"an even number of columns .* got 13"),
        (
            {"mode": ("pole", "zeros"), "input": IMAGE[..., :1, :]},
            ValueError,
            r"at most 1 samples along",
        ),
        ({"mode": ({"mode": "pole", "sign": 2}, "zeros")}, ValueError, r"sign must be 1 .* got 2"),
        ({"mode": "constant", "value": "x"}, TypeError, r"value must be a number.* got 'x'"),
        ({"mode": "constant", "value": float("nan")}, ValueError, r"value must be finite, got nan"),
        ({"mode": "constant", "value": [1.0, 2.0]}, ValueError, r"has 2 numbers for 3 channels"),
        (
            {"mode": "constant", "value": torch.ones(3, requires_grad=True)},
            ValueError,
            r"must not require a gradient",
        ),
        ({"mode": "constant", "value": torch.ones(3, 1)}, ValueError, r"tensor of shape \(3, 1\)"),
        ({"mode": "dirichlet", "at": "edge"}, ValueError, r"at must be 'half' .* got 'edge'"),
        (
            {"mode": "neumann", "value": 1, "input": IMAGE[..., :1]},
            ValueError,
            r"at most 1 samples along",
        ),
    ],
)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        pad(**{"input": IMAGE, "pad": (2, 2, 2, 2), **arguments})


def test_a_pickle_holds_no_hash_of_its_process():
    mode = boundary(("symmetric", ("diff", "zeros")))
    stale = boundary(("symmetric", ("diff", "zeros")))
    object.__setattr__(stale, "_hash", hash(mode) + 1)
    read = pickle.loads(pickle.dumps(stale))
    assert (read, hash(read)) == (mode, hash(mode))
    # As older versions wrote it.
    older = type(mode).__new__(type(mode))
    older.__setstate__({"sides": mode.sides})
    image, weight = torch.ones(1, 1, 6, 6), torch.ones(1, 1, 3, 3)
    assert torch.equal(*(conv2d(image, weight, padding=1, padding_mode=m) for m in (mode, older)))


@pytest.mark.parametrize("value", [0.3, (0.3, 0.1)])
def test_constants_have_the_precision_of_the_image(value):
    image = torch.zeros(1, 2, 3, dtype=torch.float64)
    wanted = torch.tensor(value, dtype=torch.float64).expand(2)
    weight = torch.ones(2, 1, 2, dtype=torch.float64)
    assert torch.equal(pad(image, (1, 0), "constant", value=value)[0, :, 0], wanted)
    convolved = diff_conv2d.conv1d(
        image, weight, padding=(1, 0), groups=2, padding_mode="constant", value=value, algorithm="memory"
    )
    assert torch.equal(convolved[0, :, 0], wanted)


def test_constants_of_other_libraries_and_of_integers():
    for value in (np.int64(2), np.float32(2), torch.tensor(2), torch.tensor([2, 2, 2]), np.array([2.0, 2.0, 2.0])):
        assert torch.equal(
            pad(IMAGE, (1, 1, 1, 1), "constant", value=value)[..., 0], torch.full((2, 3, 14), 2.0).double()
        )
    integers = pad(torch.ones(1, 1, 4, dtype=torch.uint8), (2, 5000), "constant", value=7)
    assert integers.dtype == torch.uint8
    assert integers[0, 0, [0, 1, -1]].tolist() == [7, 7, 7]
    with pytest.raises(TypeError, match="computes samples that integers cannot hold"):
        pad(torch.ones(1, 1, 4, dtype=torch.uint8), (2, 2), "constant", value=0.5)
    with pytest.raises(ValueError, match=r"value must be .*float16 can hold"):
        pad(torch.ones(1, 1, 4, dtype=torch.float16), (2, 2), "constant", value=1e6)


@pytest.mark.parametrize("mode", ["constant", "dirichlet", "symmetric", ("reflect", "circular")])
def test_images_side_by_side_in_memory_under_vmap(mode):
    images = IMAGE.contiguous(memory_format=torch.channels_last)
    batched = torch.vmap(lambda image: pad(image, (1, 1, 1, 1), mode))(images)
    torch.testing.assert_close(batched, pad(IMAGE, (1, 1, 1, 1), mode))


@pytest.mark.parametrize("mode", ["reflect", "circular", "symmetric", "antireflect"])
def test_wide_pads_are_exported_and_traced(mode):
    layer, image = diff_conv2d.Pad2d(9, padding_mode=mode), torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(torch.export.export(layer, (image,)).module()(image), layer(image))
    torch.testing.assert_close(torch.jit.trace(layer, image, check_trace=False)(image), layer(image))


def test_predictors_fitted_to_other_images_at_one_side():
    kept = diff_conv2d.fit(IMAGE, padding=2)
    alone = pad(IMAGE, (2, 2, 2, 2), kept)
    sides = pad(IMAGE, (2, 2, 2, 2), ((kept, "zeros"), "circular"))
    torch.testing.assert_close(sides[..., :2, 2:-2], alone[..., :2, 2:-2])
    assert not sides[..., -2:, :].any()
    assert torch.equal(sides[..., 2:-2, :2], IMAGE[..., -2:])


def test_options_go_to_the_modes_that_have_them():
    mode = boundary(("circular", ({"mode": "diff", "degree": 1}, "diff")), degree=3)
    assert [m.degree for m in mode.sides[1]] == [1, 3]
    assert boundary({"mode": "diff", "degree": 1}) == boundary("diff", degree=1)
    with pytest.raises(TypeError, match="padding_mode has its own degree, which is given twice"):
        boundary({"mode": "diff", "degree": 1}, degree=2)
