from types import SimpleNamespace

import pytest
import torch

from experiments.data.flow_windows import FlowSplits, FlowWindows
from experiments.models.build import build_model
from experiments.models.halo import crop
from experiments.models.stepper import Stepper
from tests.networks import model

SMALL = {"depth": 3, "width": 4}


@pytest.fixture
def frames():
    return torch.randn(2, 2, 20, 16, generator=torch.Generator().manual_seed(0))


def test_what_it_predicts_is_a_change(frames):
    network = Stepper(2, **SMALL)
    torch.nn.init.zeros_(network.change[-1].weight)
    torch.nn.init.constant_(network.change[-1].bias, 0.25)
    torch.testing.assert_close(network(frames), frames[:, 1:] + 0.25)


def test_several_steps_are_one_step_again_and_again(frames):
    torch.manual_seed(0)
    network = Stepper(2, steps=3, **SMALL)
    once = Stepper(2, steps=1, **SMALL)
    once.load_state_dict(network.state_dict())
    first = once(frames)
    second = once(torch.cat([frames[:, 1:], first], 1))
    third = once(torch.cat([first, second], 1))
    torch.testing.assert_close(network(frames), torch.cat([first, second, third], 1))


def test_an_output_sees_as_many_pixels_far_as_there_are_convolutions(frames):
    torch.manual_seed(0)
    network = Stepper(2, depth=5, width=8)
    image = frames[:1].clone().requires_grad_()
    network(image)[0, 0, 10, 8].backward()
    seen = image.grad[0].abs().sum(0) > 0
    assert seen.nonzero().amin(0).tolist() == [5, 3]
    assert seen.nonzero().amax(0).tolist() == [15, 13]


@pytest.mark.parametrize("steps", [1, 2])
def test_with_true_context_as_far_as_it_sees_no_mode_matters(steps):
    wide = torch.randn(1, 2, 30, 30, generator=torch.Generator().manual_seed(0))
    reach = steps * SMALL["depth"]
    results = []
    for mode in ("zeros", "diff"):
        torch.manual_seed(0)
        data = SimpleNamespace(task="super_resolution", in_channels=2, image_size=(30, 30), halo=0, steps=steps)
        network = build_model(model("stepper", SMALL), {"mode": mode}, data)
        results.append(network(wide))
    assert torch.equal(*(crop(result, reach) for result in results))
    assert not torch.equal(*(crop(result, reach - 1) for result in results))


def test_the_steps_are_those_of_the_data():
    part = FlowWindows(torch.zeros(1, 6, 16, 16), torch.zeros(1, 4, dtype=torch.int64), 8, steps=3)
    data = FlowSplits("super_resolution", part, part, part, 2, (8, 8), steps=3)
    assert Stepper.for_data("stepper", data, SMALL).steps == 3
    with pytest.raises(ValueError, match=r"model.options.steps is no setting: it follows from data.steps"):
        Stepper.for_data("stepper", data, {"steps": 2})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_channels": 0}, "in_channels and steps must be at least 1, got 0 and 1"),
        ({"in_channels": 2, "steps": 0}, "in_channels and steps must be at least 1, got 2 and 0"),
        ({"in_channels": 2, "depth": 1}, "depth must be at least 2 and width at least 1, got 1 and 24"),
        ({"in_channels": 2, "width": 0}, "depth must be at least 2 and width at least 1, got 6 and 0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Stepper(**options)
