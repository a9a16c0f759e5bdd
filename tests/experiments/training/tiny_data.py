"""Data sets of a few small images, for tests of the machinery."""

import torch
from torch.utils.data import Dataset, TensorDataset

from experiments.data.splits import Splits


class Noisy(Dataset):
    """Images that get new noise whenever they are loaded, as flips do to those of the experiments."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image, target = self.data[index]
        return image + 0.3 * torch.randn(image.shape), target


def tiny(task, images=24, size=16, noisy=False):
    """Images with a bright half, which is what every task asks about; with noise of its own for each epoch."""
    generator = torch.Generator().manual_seed(0)
    side = torch.randint(0, 2, (images,), generator=generator)
    labels = torch.zeros(images, size, size, dtype=torch.int64)
    for index, right in enumerate(side):
        half = slice(size // 2, None) if right else slice(None, size // 2)
        labels[index, :, half] = 1
    clear = labels[:, None].float()
    noise = 0.3 * torch.randn(images, 1, size, size, generator=generator)
    targets = {"classification": side, "segmentation": labels, "super_resolution": clear}[task]
    data = TensorDataset(clear + noise, targets)
    classes = () if task == "super_resolution" else ("left", "right")
    train = Noisy(data) if noisy else data
    return Splits(task, train, data, data, in_channels=1, image_size=(size, size), classes=classes)
