import itertools
import math

import pytest
import torch

from experiments.data import flows as module
from experiments.data.flows import ADVECTION, FLOWS, FRAMES, SIZE, flow_seeds, load_flows
from experiments.data.navier_stokes import advance


@pytest.fixture(scope="module")
def moving():
    return load_flows("advection_diffusion", "unused")


@pytest.fixture
def small(monkeypatch):
    """One short flow for each part, on few samples."""
    monkeypatch.setattr(module, "SIZE", 32)
    for part in FLOWS:
        monkeypatch.setitem(FLOWS, part, 1)
        monkeypatch.setitem(FRAMES, part, 3)
    for name, value in {"coarse": 16, "coarse_time": 0.2, "fine_time": 0.1}.items():
        monkeypatch.setitem(module.NAVIER_STOKES, name, value)


def test_no_flow_of_a_part_is_in_another():
    for one, other in itertools.combinations(FLOWS, 2):
        assert set(flow_seeds(one)).isdisjoint(flow_seeds(other))


def test_flows_of_different_seeds_have_nothing_in_common(moving):
    """Independent fields correlate by chance alone; a flow and its own later frames by far more."""
    starts = torch.cat([moving[part][:, 0].flatten(1) for part in FLOWS])
    starts = torch.nn.functional.normalize(starts, dim=1)
    correlations = (starts @ starts.T).fill_diagonal_(0)
    # Blurred by 2 samples, a field has some 128^2 / (16 pi) independent values.
    assert correlations.abs().max() < 5 / math.sqrt(SIZE**2 / (16 * math.pi))


def test_the_numbers_of_flows_and_frames(moving):
    assert {part: tuple(flows.shape) for part, flows in moving.items()} == {
        part: (FLOWS[part], FRAMES[part], SIZE, SIZE) for part in FLOWS
    }
    assert all(flows.dtype == torch.float32 for flows in moving.values())


def test_each_wave_is_carried_along_and_decays(moving):
    """From one frame to the next a wave turns by its scalar product with the velocity, and shrinks by its square."""
    flow = moving["test"][5].double()
    ratios = torch.fft.fft2(flow[1:]) / torch.fft.fft2(flow[:-1])
    ratio = ratios.mean(0)
    unit = 2 * math.pi / SIZE
    velocity = -ratio[1, 0].angle() / unit, -ratio[0, 1].angle() / unit
    assert ADVECTION["slowest"] <= math.hypot(*velocity) <= ADVECTION["fastest"]
    for rows, columns in ((3, 0), (0, 7), (5, 4), (12, 9)):
        turn = -unit * (rows * velocity[0] + columns * velocity[1])
        expected = torch.exp(1j * turn - ADVECTION["diffusion"] * unit**2 * (rows**2 + columns**2))
        assert abs(ratio[rows, columns] - expected) < 1e-3


def test_frames_of_navier_stokes_follow_each_other_by_the_solver(small, tmp_path):
    flow = load_flows("navier_stokes", tmp_path)["test"][0]
    assert flow.shape == (3, 32, 32)
    expected = advance(flow[0].double(), module.NAVIER_STOKES["frame_time"])
    torch.testing.assert_close(flow[1].double(), expected, atol=1e-4, rtol=0)
    assert (flow[1] - flow[0]).std() > 0.01 * flow.std()


def test_flows_are_made_once(small, tmp_path, monkeypatch):
    first = load_flows("navier_stokes", tmp_path / "flows")
    assert [path.suffix for path in sorted((tmp_path / "flows").iterdir())] == [".lock", ".npz"]
    monkeypatch.setattr(module, "advance", None)
    again = load_flows("navier_stokes", tmp_path / "flows")
    assert all(torch.equal(again[part], first[part]) for part in FLOWS)


def test_other_constants_have_another_file(small, tmp_path, monkeypatch):
    first = load_flows("navier_stokes", tmp_path)
    monkeypatch.setitem(module.NAVIER_STOKES, "frame_time", 0.05)
    second = load_flows("navier_stokes", tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert torch.equal(first["test"][:, 0], second["test"][:, 0])
    assert not torch.equal(first["test"][:, 1], second["test"][:, 1])


@pytest.mark.parametrize("damage", [lambda raw: raw[:2000], lambda raw: raw[:5000] + b"?" + raw[5001:]])
def test_a_damaged_file_is_refused(small, tmp_path, damage):
    load_flows("navier_stokes", tmp_path)
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"is damaged: .*; remove it, and it is made again"):
        load_flows("navier_stokes", tmp_path)


def test_an_unknown_equation():
    with pytest.raises(ValueError, match="equation must be one of navier_stokes, advection_diffusion, got 'heat'"):
        load_flows("heat", "unused")
