import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from experiments.data.cityscapes import CATEGORIES, IGNORED, Streets, cityscapes
from experiments.data.pictures import normalise
from scripts.small_trees import CITIES, cityscapes_tree

SHAPE = (16, 34)


@pytest.fixture
def root(tmp_path):
    """A tree as both archives have it, of small pictures; each has every label."""
    return cityscapes_tree(tmp_path, SHAPE)


def cities(part):
    return {image.split("/")[-2] for image, _ in part.pairs}


def test_the_benchmarks_validation_is_the_test_and_whole_cities_validate(root):
    splits = cityscapes(root)
    assert (splits.task, splits.in_channels, splits.image_size) == ("segmentation", 3, (512, 1024))
    assert (splits.classes, splits.ignore_index) == (CATEGORIES[1:], IGNORED)
    assert cities(splits.train) == {"aachen", "bochum"}
    assert cities(splits.validation) == {"ulm", "weimar", "zurich"}
    assert cities(splits.test) == {"frankfurt"}
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (6, 9, 3)
    assert splits.train.pairs == sorted(splits.train.pairs)
    for image, labels in splits.train.pairs:
        assert image.split("/")[-1].split("_left")[0] == labels.split("/")[-1].split("_gtFine")[0]

    paper = cityscapes(root, count_void=True, paper_split=True)
    assert (paper.classes, paper.ignore_index) == (CATEGORIES, None)
    assert cities(paper.train) == set(CITIES["train"])
    assert paper.validation.pairs == paper.test.pairs == splits.test.pairs


def nearest_colour_category(label):
    """The paper's way: the category of the label colour nearest to a pixel's."""
    known = datasets.Cityscapes.classes
    distance = [sum((a - b) ** 2 for a, b in zip(label.color, other.color, strict=True)) for other in known]
    return known[int(np.argmin(distance))].category


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_label_has_the_category_of_its_colour(root, stride):
    counted = cityscapes(root, count_void=True, stride=stride).train
    ignoring = cityscapes(root, stride=stride).train
    by_number = {label.id: label for label in datasets.Cityscapes.classes}
    for index, shift in ((0, 0), (1, 1)):
        numbers = np.roll(np.arange(34), shift)[::stride]
        expected = torch.tensor([CATEGORIES.index(nearest_colour_category(by_number[n])) for n in numbers.tolist()])
        image, target = counted[index]
        rows = -(-SHAPE[0] // stride)
        assert (target.shape, target.dtype) == ((rows, len(numbers)), torch.int64)
        assert image.shape == (3, rows, len(numbers))
        assert torch.equal(target, expected.expand(rows, -1))
        void = expected == 0
        assert torch.equal(ignoring[index][1][0], torch.where(void, IGNORED, expected - 1))
        assert torch.equal(ignoring[index][0], image)


def test_number_plates_are_vehicles(root):
    splits = cityscapes(root, count_void=True, stride=1)
    _, labels = splits.test.pairs[0]
    Image.fromarray(np.full(SHAPE, 255, np.uint8)).save(labels)
    assert (splits.test[0][1] == CATEGORIES.index("vehicle")).all()


def test_images_are_subsampled_and_normalised(root):
    splits = cityscapes(root)
    part = pickle.loads(pickle.dumps(splits.test))
    with Image.open(part.pairs[0][0]) as picture:
        torch.testing.assert_close(part[0][0], normalise(np.array(picture)[::2, ::2]))


def test_image_and_labels_are_swapped_together(root):
    splits = cityscapes(root, augment=True)
    plain, target = cityscapes(root).train[1]
    torch.manual_seed(0)
    swapped = 0
    for _ in range(20):
        image, labels = splits.train[1]
        if torch.equal(labels, target):
            assert torch.equal(image, plain)
        else:
            swapped += 1
            assert torch.equal(image, plain.flip(-1))
            assert torch.equal(labels, target.flip(-1))
    assert 0 < swapped < 20
    assert all(torch.equal(splits.test[0][0], splits.test[0][0]) for _ in range(10))


def test_missing_data_says_what_to_do(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no Cityscapes in .*nowhere: download leftImg8bit_trainvaltest.zip"):
        cityscapes(tmp_path / "nowhere")
    (root / "gtFine" / "val").rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"gtFine_trainvaltest.zip from https://.*gtFine.val are there"):
        cityscapes(root)


def test_damaged_files_are_named(root):
    splits = cityscapes(root)
    image, labels = splits.train.pairs[0]
    Image.fromarray(np.full(SHAPE, 77, np.uint8)).save(labels)
    with pytest.raises(ValueError, match=r"gtFine_labelIds\.png holds label 77, which does not exist"):
        splits.train[0]
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(labels)
    with pytest.raises(ValueError, match=r"gtFine_labelIds\.png must hold a byte for each of \(16, 34\) pixels"):
        splits.train[0]
    os.truncate(image, 100)
    with pytest.raises(ValueError, match=r"leftImg8bit\.png cannot be read"):
        splits.train[0]
    (root / "gtFine" / "train" / "bochum").rename(root / "elsewhere")
    with pytest.raises(ValueError, match=r"bochum.*_gtFine_labelIds\.png cannot be read: no such file"):
        splits.train[3]


def test_bad_options_are_refused(root):
    with pytest.raises(
        ValueError, match=r"validation_cities must be training cities, got berlin; there are \['aachen'"
    ):
        cityscapes(root, validation_cities=["ulm", "berlin"])
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        cityscapes(root, stride=0)
    with pytest.raises(ValueError, match="the train part of the data set has no items"):
        cityscapes(root, validation_cities=CITIES["train"])


def test_every_label_of_the_benchmark_is_known():
    table = Streets([], count_void=True).table
    for label in datasets.Cityscapes.classes:
        assert CATEGORIES[table[label.id % 256]] == label.category
