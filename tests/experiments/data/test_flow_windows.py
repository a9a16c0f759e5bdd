import pytest
import torch

from experiments.data import flow_windows as module
from experiments.data.flow_windows import HISTORY, FlowWindows, flow_windows
from experiments.data.flows import FLOWS, FRAMES, SIZE
from experiments.data.regions import SPLITS

SPEED = {"size": 32, "train_windows": 300, "root": "unused"}


def numbered(shift=0.0, factor=1.0):
    """Flows whose every value is the number of the flow, from 0 to 43 over all parts."""
    flows, first = {}, 0
    for part in SPLITS:
        numbers = torch.arange(first, first + FLOWS[part], dtype=torch.float32)
        flows[part] = numbers[:, None, None, None].expand(-1, FRAMES[part], SIZE, SIZE)
        first += FLOWS[part]
    return flows | {"test": flows["test"] * factor + shift}


@pytest.fixture
def of_numbers(monkeypatch):
    monkeypatch.setattr(module, "load_flows", lambda *_: numbered())
    return flow_windows(**SPEED)


@pytest.fixture(scope="module")
def moving():
    return flow_windows("advection_diffusion", size=48, steps=4, train_windows=50, root="unused")


def test_no_window_of_one_flow_is_in_two_parts(of_numbers):
    """Flows are held out, not windows: a value tells which flow it comes from."""
    train = numbered()["train"].double()
    mean, scale = train.mean(), train.std()
    seen = {}
    for part in SPLITS:
        items = [torch.cat([piece.flatten() for piece in item]) for item in getattr(of_numbers, part)]
        seen[part] = {round(value) for item in items for value in (item.double() * scale + mean).unique().tolist()}
    assert seen["train"] == set(range(16))
    assert seen["validation"] == set(range(16, 20))
    assert seen["test"] == set(range(20, 44))


def test_the_normalisation_comes_from_the_training_flows_alone(of_numbers, monkeypatch):
    monkeypatch.setattr(module, "load_flows", lambda *_: numbered(shift=3.0, factor=100.0))
    other = flow_windows(**SPEED)
    for part in ("train", "validation"):
        for before, after in zip(getattr(of_numbers, part), getattr(other, part), strict=True):
            assert torch.equal(before[0], after[0])
    scale = numbered()["train"].double().std().item()
    (before, _), (after, _) = of_numbers.test[0], other.test[0]
    torch.testing.assert_close(after - before, torch.full_like(before, (20 * 99 + 3) / scale))


def test_normalised_training_flows_have_mean_0_and_deviation_1(moving):
    flows = moving.train.flows.double()
    assert flows.mean().abs() < 1e-6
    assert abs(flows.std() - 1) < 1e-6


def test_a_flow_is_a_block_of_the_test_set(of_numbers):
    assert of_numbers.test_blocks.unique().tolist() == list(range(FLOWS["test"]))
    assert torch.equal(of_numbers.test_blocks, of_numbers.test.corners[:, 0])


def test_windows_of_one_time_share_no_pixel(moving):
    for part in ("validation", "test"):
        windows = getattr(moving, part)
        covered = torch.zeros(FLOWS[part], FRAMES[part], SIZE, SIZE, dtype=torch.int64)
        for flow, first, top, left in windows.corners.tolist():
            covered[flow, first, top : top + 48, left : left + 48] += 1
        assert covered.max() == 1


def test_an_image_is_two_frames_and_its_target_the_next_ones(moving):
    flow, first, top, left = moving.test.corners[-1].tolist()
    image, target = moving.test[len(moving.test) - 1]
    frames = moving.test.flows[flow, first : first + HISTORY + 4].roll((-top, -left), (1, 2))[:, :48, :48]
    assert torch.equal(image, frames[:HISTORY])
    assert torch.equal(target, frames[HISTORY:])


def test_windows_go_on_across_the_border_of_the_domain():
    flows = torch.arange(256.0).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    image, target = FlowWindows(flows, torch.tensor([[0, 0, 14, 15]]), size=4, halo=3)[0]
    assert torch.equal(target[0], flows[0, 0].roll((2, 1), (0, 1))[:4, :4])
    assert torch.equal(image[0], flows[0, 0].roll((5, 4), (0, 1))[:10, :10])


def test_a_halo_changes_no_target_and_no_centre(moving):
    wide = flow_windows("advection_diffusion", size=48, steps=4, train_windows=50, halo=8, root="unused")
    assert (wide.image_size, wide.halo, wide.in_channels) == ((64, 64), 8, HISTORY)
    for part in SPLITS:
        (image, target), (seen, same) = getattr(moving, part)[3], getattr(wide, part)[3]
        assert torch.equal(seen[:, 8:-8, 8:-8], image)
        assert torch.equal(same, target)


def test_fewer_training_windows_are_a_part_of_more(of_numbers):
    fewer = flow_windows(**SPEED | {"train_windows": 20})
    assert torch.equal(fewer.train.corners, of_numbers.train.corners[:20])
    assert len(of_numbers.train.corners.unique(dim=0)) == 300


@pytest.mark.parametrize("steps", [1, 12])
def test_every_window_has_all_its_frames(of_numbers, steps):
    splits = flow_windows(**SPEED | {"steps": steps})
    assert splits.steps == steps
    for part in SPLITS:
        windows = getattr(splits, part)
        assert windows.corners[:, 1].min() >= 0
        assert windows.corners[:, 1].max() + HISTORY + steps <= FRAMES[part]
        assert windows[len(windows) - 1][1].shape == (steps, 32, 32)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"size": 15}, "size must be within 16 and 64, got 15"),
        ({"size": 65}, "size must be within 16 and 64, got 65"),
        ({"steps": 0}, "steps must be within 1 and 12, got 0"),
        ({"steps": 13}, "steps must be within 1 and 12, got 13"),
        ({"halo": 33}, "halo must be within 0 and 32, got 33"),
        ({"train_windows": 0}, "train_windows must be at least 1, got 0"),
        ({"equation": "heat"}, "equation must be one of navier_stokes, advection_diffusion, got 'heat'"),
    ],
)
def test_options_out_of_range(option, message):
    with pytest.raises(ValueError, match=message):
        flow_windows(**option)


@pytest.mark.parametrize("name", ["size", "steps", "halo", "train_windows"])
def test_options_of_the_wrong_type(name):
    for value in (1.5, True):
        with pytest.raises(TypeError, match=f"{name} must be an integer, got {value}"):
            flow_windows(**{name: value})
