import gzip
import hashlib
import pickle
import struct

import numpy as np
import pytest
import torch
from torchvision import datasets

from experiments.data.torchvision_sets import cifar10, fashion_mnist

COUNTS = {"train": 60, "test": 20}


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """The folder of CIFAR-10 with few pictures, and their checksums in place of the real ones."""
    random = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    def batch(count):
        return {
            "data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
            "labels": random.integers(0, 10, count).tolist(),
        }

    train = [write(f"data_batch_{number}", batch(12)) for number in range(1, 6)]
    test = [write("test_batch", batch(20))]
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    name, digest = write("batches.meta", {"label_names": names})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", train)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", test)
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": digest})
    return tmp_path


@pytest.fixture
def fashion(tmp_path):
    """The folder of Fashion-MNIST with few pictures."""
    random = np.random.default_rng(0)
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", 60), ("t10k", 20)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = random.integers(0, 10, count, dtype=np.uint8)
        contents = {
            f"{part}-images-idx3-ubyte": struct.pack(">4i", 2051, count, 28, 28) + images.tobytes(),
            f"{part}-labels-idx1-ubyte": struct.pack(">2i", 2049, count) + labels.tobytes(),
        }
        for name, content in contents.items():
            (folder / name).write_bytes(content)
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return tmp_path


@pytest.mark.parametrize(("function", "channels", "size"), [(cifar10, 3, 32), (fashion_mnist, 1, 28)])
def test_parts_are_disjoint_complete_and_fixed(request, function, channels, size):
    root = request.getfixturevalue("cifar" if function is cifar10 else "fashion")
    splits = function(root, validation_images=15, augment=False)
    assert (splits.task, splits.in_channels, splits.image_size) == ("classification", channels, (size, size))
    assert len(splits.classes) == 10
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [45, 15, 20]

    kind = datasets.CIFAR10 if function is cifar10 else datasets.FashionMNIST
    for train, parts in ((True, (splits.train, splits.validation)), (False, (splits.test,))):
        original = kind(str(root), train=train)
        pixels = np.asarray(original.data).reshape(len(original), size, size, channels).transpose(0, 3, 1, 2)
        expected = {image.tobytes(): int(target) for image, target in zip(pixels, original.targets, strict=True)}
        images = [image.numpy().tobytes() for part in parts for image in part.images]
        targets = [target.item() for part in parts for target in part.targets]
        assert dict(zip(images, targets, strict=True)) == expected
        assert len(set(images)) == len(original)

    again = function(root, validation_images=15, augment=False)
    assert torch.equal(again.validation.images, splits.validation.images)
    everything = torch.stack([splits.train[index][0] for index in range(45)])
    assert everything.dtype == torch.float32
    torch.testing.assert_close(everything.mean(dim=(0, 2, 3)), torch.zeros(channels), atol=1e-4, rtol=0)
    assert pickle.loads(pickle.dumps(splits.train))[3][1] == splits.train[3][1]


def test_images_are_swapped_left_and_right_only(cifar):
    plain = cifar10(cifar, validation_images=15, augment=False).train[0][0]
    train = cifar10(cifar, validation_images=15).train
    torch.manual_seed(0)
    seen = [train[0][0] for _ in range(20)]
    assert all(torch.equal(image, plain) or torch.equal(image, plain.flip(-1)) for image in seen)
    assert 0 < sum(torch.equal(image, plain) for image in seen) < 20


@pytest.mark.parametrize("function", [cifar10, fashion_mnist])
def test_missing_data_says_what_to_do(tmp_path, function):
    with pytest.raises(FileNotFoundError, match=r"no .* in .*nowhere: files are missing; set data.download=true, or"):
        function(tmp_path / "nowhere")


def test_damaged_data_is_noticed(cifar, fashion):
    batch = cifar / "cifar-10-batches-py" / "data_batch_3"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(FileNotFoundError, match=r"no CIFAR-10 in .*: files are missing or damaged"):
        cifar10(cifar, validation_images=15)
    images = fashion / "FashionMNIST" / "raw" / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:1000])
    with pytest.raises(FileNotFoundError, match=r"no Fashion-MNIST in .*: files are missing or damaged"):
        fashion_mnist(fashion, validation_images=15)


def test_validation_must_leave_something(fashion):
    for count in (0, 60):
        with pytest.raises(ValueError, match=f"validation_images must be within 1 and 59, got {count}"):
            fashion_mnist(fashion, validation_images=count)
