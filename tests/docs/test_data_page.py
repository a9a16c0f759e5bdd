"""What data/README.md says of the data in numbers is so."""

import re

import pytest
import torch

from experiments.data.globe import globe
from experiments.data.landcover import CLASSES, SCENES, landcover, landcover_scenes
from experiments.data.navier_stokes import load_snapshots
from experiments.data.regions import SPLITS
from experiments.data.terrain import load_terrain
from experiments.paths import REPOSITORY

# All of them together take many seconds.
pytestmark = pytest.mark.slow

TEXT = (REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")


def says(text):
    assert " ".join(text.split()) in " ".join(TEXT.split()), text


def targets(splits, split):
    """All targets of a split."""
    part = getattr(splits, split)
    return torch.stack([torch.as_tensor(part[index][1]) for index in range(len(part))])


def counts(splits, split, classes):
    return torch.bincount(targets(splits, split).flatten(), minlength=len(classes))


def test_sizes_of_the_files():
    sizes = {name: int(size.replace(",", "")) for name, size in re.findall(r"\| `(\S+)` \|.*\| ([\d,]+) \|", TEXT)}
    assert sizes == {name: (REPOSITORY / "data" / name).stat().st_size for name in sizes}
    assert len(sizes) == 4
    says(f"Four files, {sum(sizes.values()) / 1e6:.0f} MB together")
    trained_on = sum(size for name, size in sizes.items() if not name.startswith("navier_stokes"))
    says(f"`landcover/` and `globe/`, {trained_on / 1e6:.0f} MB")


def test_shares_of_the_classes_of_segmentation():
    splits = landcover(augment=False)
    for split in SPLITS:
        number = counts(splits, split, CLASSES).double()
        says(f"| {split} | " + " | ".join(f"{share:.1f}" for share in 100 * number / number.sum()) + " |")
    says("2000, 400 and 600 tiles of 64 pixels")
    assert [len(getattr(splits, split)) for split in SPLITS] == [2000, 400, 600]


def test_numbers_of_the_scenes():
    splits = landcover_scenes(augment=False)
    shares = []
    for split in SPLITS:
        number = counts(splits, split, SCENES)
        says(f"| {split} | " + " | ".join(map(str, number.tolist())) + " |")
        shares.append(f"{100 * number.max() / number.sum():.3g}".removesuffix(".0"))
    shares = [
        f"{float(share):.0f}" if split != "test" else share for split, share in zip(SPLITS, shares, strict=True)
    ]
    says(
        f"has a share of {shares[0]} % of training tiles, {shares[1]} % of validation and {shares[2]} % of test tiles"
    )


def test_numbers_of_patches():
    every = globe(train_patches=None, augment=False)
    numbers = [len(getattr(every, split)) for split in SPLITS]
    says(f"There are {numbers[0]} training patches")
    says(f"{numbers[1]} disjoint ones to validate and {numbers[2]} to test on")


def test_terrain():
    terrain = load_terrain()
    says(f"Values run from {terrain.min():.0f} to {terrain.max():.0f} and are metres")
    says(f"{(terrain == 0).sum()} pixels of {terrain.numel() / 1e6:.1f} million are 0")


def test_snapshots_differ_in_what_is_small():
    snapshots = load_snapshots()
    spectrum = torch.fft.rfft2(snapshots)
    rows, columns = torch.fft.fftfreq(256, 1 / 256)[:, None], torch.fft.rfftfreq(256, 1 / 256)
    small = torch.fft.irfft2(spectrum * (torch.hypot(rows, columns) >= 4))
    largest = []
    for fields in (snapshots, small):
        correlations = torch.corrcoef(fields.flatten(1))
        largest.append((correlations - 2 * torch.eye(len(fields))).max().item())
    says(
        f"correlate by up to {largest[0]:.2f}, the part with wave numbers of 4 and more by up to {largest[1]:.2f}",
    )
