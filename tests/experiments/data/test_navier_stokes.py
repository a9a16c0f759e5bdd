import hashlib
import itertools
import math
import re
import sys

import numpy as np
import pytest
import torch

from experiments.data.navier_stokes import (
    SNAPSHOTS,
    advance,
    load_snapshots,
    random_vorticity,
    refine,
    velocity,
)
from scripts import prepare_navier_stokes


def grid(size):
    axis = 2 * math.pi * torch.arange(size, dtype=torch.float64) / size
    return torch.meshgrid(axis, axis, indexing="ij")


def derivative(field, axis):
    size = field.shape[axis]
    numbers = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)
    numbers[size // 2] = 0
    shape = (-1, 1) if axis == 0 else (1, -1)
    return torch.fft.ifft(1j * numbers.view(shape) * torch.fft.fft(field, dim=axis), dim=axis).real


def energy(vorticity):
    u, v = velocity(vorticity)
    return (u**2 + v**2).mean() / 2


# --- the solver ---


def test_taylor_green_vortex_decays_exactly():
    y, x = grid(32)
    vortex = 2 * torch.cos(3 * x) * torch.cos(3 * y)
    decayed = advance(vortex, duration=2.0, reynolds=50.0, forced=False)
    torch.testing.assert_close(decayed, math.exp(-18 * 2 / 50) * vortex, rtol=0, atol=1e-12)


def test_laminar_kolmogorov_flow_is_reached_from_rest_as_known():
    # Advection vanishes in a parallel flow: w' = -16 w / Re - 4 cos(4 y), from w = 0.
    y, _ = grid(24)
    flow = advance(torch.zeros_like(y), duration=3.0, reynolds=40.0, courant=0.2)
    expected = -4 * (40 / 16) * (1 - math.exp(-16 * 3 / 40)) * torch.cos(4 * y)
    torch.testing.assert_close(flow, expected, rtol=0, atol=1e-8)


def test_advection_is_that_of_the_transport_equation():
    # For w = sin(x) + cos(2y): u = -sin(2y) / 2, v = -cos(x), and so u . grad(w) = 1.5 cos(x) sin(2y).
    y, x = grid(16)
    flow, time = torch.sin(x) + torch.cos(2 * y), 1e-3
    slope = (advance(flow, time, math.inf, forced=False) - flow) / time
    torch.testing.assert_close(slope, -1.5 * torch.cos(x) * torch.sin(2 * y), rtol=0, atol=5e-3)


def test_velocity_has_the_vorticity_and_no_divergence():
    vorticity = random_vorticity(32, seed=0)
    u, v = velocity(vorticity)
    torch.testing.assert_close(derivative(v, 1) - derivative(u, 0), vorticity, rtol=0, atol=1e-12)
    torch.testing.assert_close(derivative(u, 1) + derivative(v, 0), torch.zeros_like(u), rtol=0, atol=1e-12)


def test_velocity_of_noise_has_no_divergence():
    # Noise fills the Nyquist wave as well, whose derivative is 0 at every sample.
    noise = torch.randn(16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, v = velocity(noise)
    torch.testing.assert_close(derivative(u, 1) + derivative(v, 0), torch.zeros_like(u), rtol=0, atol=1e-12)


def test_viscous_forced_flow_keeps_its_mean():
    start = random_vorticity(32, seed=1) + 0.25
    assert advance(start, 1.0, reynolds=10.0).mean().item() == pytest.approx(0.25, abs=1e-12)


def test_ideal_flow_keeps_energy_enstrophy_and_mean():
    start = random_vorticity(48, seed=1) + 0.25
    end = advance(start, duration=1.0, reynolds=math.inf, forced=False, courant=0.1)
    assert (end - start).abs().max() > 0.5
    assert end.mean().item() == pytest.approx(0.25, abs=1e-12)
    assert energy(end).item() == pytest.approx(energy(start).item(), rel=1e-6)
    assert (end**2).mean().item() == pytest.approx((start**2).mean().item(), rel=1e-6)


def test_viscous_energy_loss_is_enstrophy_over_reynolds():
    start, time = random_vorticity(32, seed=2), 1e-3
    loss = (energy(start) - energy(advance(start, time, reynolds=20.0, forced=False))) / time
    assert loss.item() == pytest.approx((start**2).mean().item() / 20, rel=5e-3)


def test_time_stepping_is_of_fourth_order():
    start = random_vorticity(32, seed=3)
    exact = advance(start, 0.5, reynolds=100.0, courant=0.02)
    errors = [(advance(start, 0.5, reynolds=100.0, courant=c) - exact).abs().max() for c in (0.64, 0.32, 0.16)]
    orders = [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]
    assert orders == pytest.approx([4, 4], abs=0.3)


def test_two_halves_of_a_time_make_the_whole():
    start = random_vorticity(32, seed=4)
    halves = advance(advance(start, 0.1, courant=0.1), 0.1, courant=0.1)
    torch.testing.assert_close(halves, advance(start, 0.2, courant=0.1), rtol=0, atol=1e-6)


def test_no_time_changes_nothing():
    start = random_vorticity(16, seed=5)
    torch.testing.assert_close(advance(start, 0.0), start)


def test_float32_stays_float32_and_follows_float64():
    start = random_vorticity(32, seed=6)
    single = advance(start.float(), 0.2)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), advance(start, 0.2), rtol=0, atol=1e-4)


def test_random_vorticity_has_its_energy_no_mean_and_a_seed():
    field = random_vorticity(32, seed=7, energy=2.5)
    assert energy(field).item() == pytest.approx(2.5)
    assert field.mean().abs() < 1e-12
    torch.testing.assert_close(field, random_vorticity(32, seed=7, energy=2.5), rtol=0, atol=0)
    assert not torch.allclose(field, random_vorticity(32, seed=8, energy=2.5))


def test_refined_field_passes_through_its_samples():
    field = advance(random_vorticity(32, seed=9), 0.5)
    torch.testing.assert_close(refine(field, 96)[::3, ::3], field, rtol=0, atol=1e-3)
    y, x = grid(32)
    fine_y, fine_x = grid(40)
    torch.testing.assert_close(
        refine(torch.sin(5 * x - 7 * y), 40), torch.sin(5 * fine_x - 7 * fine_y), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"duration": -1.0}, "duration must be finite and at least 0, got -1.0"),
        ({"duration": math.nan}, "duration must be finite and at least 0, got nan"),
        ({"duration": 1.0, "reynolds": 0.0}, "reynolds must be above 0, got 0.0"),
        ({"duration": 1.0, "courant": 0.0}, "courant must be finite and above 0, got 0.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        advance(torch.zeros(16, 16), **arguments)


@pytest.mark.parametrize("shape", [(16,), (16, 18), (15, 15), (2, 2), (1, 16, 16), ()])
@pytest.mark.parametrize("function", [velocity, lambda w: advance(w, 1.0), lambda w: refine(w, 32)])
def test_bad_shapes_are_refused(function, shape):
    message = re.escape(f"vorticity must be a square of even size, at least 4 x 4, got shape {shape}")
    with pytest.raises(ValueError, match=message):
        function(torch.zeros(shape))


@pytest.mark.parametrize(("value", "name"), [(torch.zeros(8, 8, dtype=torch.int64), "int64"), ([[0.0]], "list")])
def test_bad_types_are_refused(value, name):
    with pytest.raises(TypeError, match=f"vorticity must be a tensor of float32 or float64, got .*{name}"):
        velocity(value)


def test_forcing_needs_a_grid_that_resolves_it():
    with pytest.raises(ValueError, match="forcing needs a vorticity of at least 14 x 14 samples, got 12 x 12"):
        advance(torch.zeros(12, 12), 1.0)
    assert advance(torch.zeros(14, 14), 1.0).abs().max() > 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("start", [torch.full((16, 16), math.nan), torch.zeros(16, 16).fill_diagonal_(math.inf)])
def test_flow_that_is_not_finite_is_refused(start):
    with pytest.raises(ValueError, match="the flow is not finite"):
        advance(start, 1.0)


def test_flow_that_blows_up_is_refused():
    with pytest.raises(ValueError, match=r"lower courant \(now 40.0\)"):
        advance(random_vorticity(32, seed=0, energy=100.0), 200.0, courant=40.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_vorticity(9, 0), "size must be even and at least 4, got 9"),
        (lambda: random_vorticity(8, 0, energy=0.0), "energy must be finite and above 0, got 0.0"),
        (lambda: refine(torch.zeros(8, 8), 6), "size must be even and at least 8, got 6"),
        (lambda: refine(torch.zeros(8, 8), 11), "size must be even and at least 8, got 11"),
    ],
)
def test_bad_sizes_and_energies_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- the snapshots ---


def test_snapshot_file_is_the_documented_one():
    readme = (SNAPSHOTS.parents[1] / "README.md").read_text()
    assert hashlib.sha256(SNAPSHOTS.read_bytes()).hexdigest() in readme
    assert SNAPSHOTS.stat().st_size < 3_000_000


def test_snapshots_are_eleven_different_flows():
    snapshots = load_snapshots()
    assert snapshots.shape == (11, 256, 256)
    assert snapshots.dtype == torch.float64
    assert snapshots.isfinite().all()
    # Stored in float32: the mean, which the flow keeps at 0, is rounding error.
    assert snapshots.mean(dim=(1, 2)).abs().max() < 1e-5
    correlation = torch.corrcoef(snapshots.flatten(1)) - torch.eye(11, dtype=torch.float64)
    assert correlation.abs().max() < 0.95


def test_snapshots_are_developed_and_resolved():
    for snapshot in load_snapshots():
        spectrum = torch.fft.rfft2(snapshot, norm="forward").abs() ** 2
        y = torch.fft.fftfreq(256, 1 / 256)[:, None]
        x = torch.fft.rfftfreq(256, 1 / 256)[None, :]
        shell = (x**2 + y**2).sqrt().round().long()
        power = torch.zeros(shell.max() + 1, dtype=torch.float64).index_add(0, shell.flatten(), spectrum.flatten())
        # Filaments: waves far shorter than the forcing's hold a share of the enstrophy.
        assert power[16:].sum() / power.sum() > 0.003
        # Resolved: at the last wave number that the 2/3 rule keeps next to nothing is left.
        assert power[84] / power.max() < 1e-5
        # Developed: enstrophy is far from that of the laminar flow, (4 Re / 16)^2 / 4, and from rest.
        assert 4 < (snapshot**2).mean() / 2 < 25


def test_program_writes_eleven_snapshots_in_one_move(monkeypatch, tmp_path):
    output = tmp_path / "new" / "snapshots.npy"
    monkeypatch.setattr(prepare_navier_stokes, "SPIN_UP", ((14, 1.0), (16, 0.5), (20, 1.0)))
    monkeypatch.setattr(prepare_navier_stokes, "INTERVAL", 1.0)
    monkeypatch.setattr(sys, "argv", ["prepare_navier_stokes", "--output", str(output)])
    threads = torch.get_num_threads()
    try:
        prepare_navier_stokes.main()
    finally:
        torch.set_num_threads(threads)
    snapshots = np.load(output)
    assert snapshots.shape == (11, 20, 20)
    assert snapshots.dtype == np.float32
    assert list(output.parent.iterdir()) == [output]
    # The last two are one interval apart.
    following = advance(advance(torch.from_numpy(snapshots[9]).double(), 0.5), 0.5)
    torch.testing.assert_close(following, torch.from_numpy(snapshots[10]).double(), rtol=0, atol=1e-3)


def test_first_snapshot_comes_when_the_spin_up_is_over(monkeypatch):
    monkeypatch.setattr(prepare_navier_stokes, "SPIN_UP", ((14, 1.0), (16, 2.0)))
    monkeypatch.setattr(prepare_navier_stokes, "INTERVAL", 1.5)
    times = [time for time, _, is_snapshot in prepare_navier_stokes.simulate() if is_snapshot]
    assert times == [3.0 + 1.5 * number for number in range(11)]


def test_pino_file_gives_the_batches_of_the_paper(tmp_path):
    path = tmp_path / "NS_Re500_s256_T100_test.npy"
    # A sparse file: 100 batches of 2 times, of which eleven fields are written.
    fake = np.lib.format.open_memmap(path, "w+", dtype=np.float32, shape=(100, 2, 256, 256))
    for batch in (0, 9, 19, 29, 39, 49, 59, 69, 79, 89, 99):
        fake[batch, 0, 3, 5] = batch + 0.5
    fake.flush()
    snapshots = load_snapshots(path)
    assert snapshots.shape == (11, 256, 256)
    assert snapshots.dtype == torch.float64
    assert snapshots[:, 3, 5].tolist() == [0.5, 9.5, 19.5, 29.5, 39.5, 49.5, 59.5, 69.5, 79.5, 89.5, 99.5]


def test_a_copy_of_the_snapshots_can_be_named(tmp_path):
    path = tmp_path / "copy.npy"
    np.save(path, load_snapshots().numpy())
    torch.testing.assert_close(load_snapshots(str(path)), load_snapshots())


def test_missing_file_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no Navier-Stokes .*nowhere.npy.*prepare_navier_stokes"):
        load_snapshots(tmp_path / "nowhere.npy")


@pytest.mark.parametrize("shape", [(11, 64, 64), (99, 1, 256, 256), (100, 0, 256, 256), (100, 1, 2, 2), (256, 256)])
def test_wrong_shape_is_refused(tmp_path, shape):
    path = tmp_path / "wrong.npy"
    # Sparse on disk, whatever the shape.
    if 0 in shape:
        np.save(path, np.zeros(shape))
    else:
        np.lib.format.open_memmap(path, "w+", dtype=np.float32, shape=shape).flush()
    with pytest.raises(ValueError, match=r"must have shape \(11, 256, 256\), or .* 100 batches, got "):
        load_snapshots(path)


def test_file_without_numbers_is_refused(tmp_path):
    path = tmp_path / "text.npy"
    path.write_text("no array")
    with pytest.raises(ValueError, match="is not a NumPy file of numbers"):
        load_snapshots(path)


def test_values_that_are_not_finite_are_refused(tmp_path):
    path = tmp_path / "nan.npy"
    np.save(path, np.full((11, 256, 256), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="not finite"):
        load_snapshots(path)
