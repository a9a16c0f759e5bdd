import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.caltech101 import caltech101
from experiments.data.pictures import normalise
from experiments.data.regions import SPLITS
from scripts.small_trees import caltech101_tree


@pytest.fixture
def root(tmp_path):
    """A tree as the archive has it: photographs of any shape, some grey, and a folder that is no class."""
    return caltech101_tree(tmp_path)


def test_the_split_is_the_papers_with_a_tenth_to_validate(root):
    splits = caltech101(root, image_size=16)
    assert splits.task == "classification"
    assert splits.classes == ("Faces", "airplanes", "yin_yang")
    assert (splits.in_channels, splits.image_size) == (3, (16, 16))
    assert [len(getattr(splits, split)) for split in SPLITS] == [35, 5, 10]
    paths = [path for split in SPLITS for path in getattr(splits, split).paths]
    assert len(set(paths)) == 50
    assert not any("BACKGROUND" in path for path in paths)

    paper = caltech101(root, image_size=16, paper_split=True)
    assert paper.test.paths == paper.validation.paths == splits.test.paths
    assert sorted(paper.train.paths) == sorted(splits.train.paths + splits.validation.paths)
    # Drawn as the paper's authors do: torch's random_split over the photographs in torchvision's order.
    order = torch.randperm(50, generator=torch.Generator().manual_seed(42)).tolist()
    everything = sorted(paths, key=lambda path: (splits.classes.index(path.split("/")[-2]), path))
    assert paper.train.paths == [everything[index] for index in order[:40]]
    assert paper.test.paths == [everything[index] for index in order[40:]]


def test_items_are_photographs_with_their_class(root):
    splits = caltech101(root, image_size=16)
    part = pickle.loads(pickle.dumps(splits.train))
    for index in range(len(part)):
        image, target = part[index]
        assert (image.shape, image.dtype, target.dtype) == ((3, 16, 16), torch.float32, torch.int64)
        assert f"/{splits.classes[target]}/" in part.paths[index]
    with Image.open(part.paths[0]) as photograph:
        resized = photograph.convert("RGB").resize((16, 16), Image.Resampling.BILINEAR)
    torch.testing.assert_close(part[0][0], normalise(np.array(resized)))
    grey = next(index for index, path in enumerate(part.paths) if "_0005" in path or "_0010" in path)
    red, green, _ = part[grey][0] * torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    torch.testing.assert_close(red + 0.485, green + 0.456)


def test_only_training_photographs_are_swapped(root):
    splits = caltech101(root, image_size=16, augment=True)
    plain = caltech101(root, image_size=16)
    torch.manual_seed(0)
    seen = [splits.train[0][0] for _ in range(20)]
    expected = plain.train[0][0]
    assert all(torch.equal(image, expected) or torch.equal(image, expected.flip(-1)) for image in seen)
    assert 0 < sum(torch.equal(image, expected) for image in seen) < 20
    assert all(torch.equal(splits.test[0][0], plain.test[0][0]) for _ in range(10))


def test_missing_data_says_what_to_do_and_leaves_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no Caltech 101 in .*nowhere: .*caltech-101.zip from https://data"):
        caltech101(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_incomplete_and_damaged_data_is_named(root):
    splits = caltech101(root, image_size=16)
    torn = splits.train.paths[0]
    os.truncate(torn, 300)
    with pytest.raises(ValueError, match=r"image_\d{4}\.jpg cannot be read"):
        splits.train[0]
    folder = root / "caltech101" / "101_ObjectCategories"
    (folder / "BACKGROUND_Google").rename(root / "elsewhere")
    with pytest.raises(ValueError, match="must hold the 102 folders of the archive, BACKGROUND_Google too"):
        caltech101(root)
    with pytest.raises(ValueError, match="image_size must be at least 1, got 0"):
        caltech101(root, image_size=0)
