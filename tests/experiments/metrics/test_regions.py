import pytest
import torch
from torch import nn
from torchmetrics import functional

from experiments.metrics.consistency import shift_consistency
from experiments.metrics.dense import RegionConfusion, RegionError
from experiments.metrics.regions import ATOMS, CROPS, FRAME, REGIONS, atoms, sum_by_atom


def mask(region, height, width):
    return torch.isin(atoms(height, width), torch.tensor(REGIONS[region]))


def test_regions_are_what_their_names_say():
    height, width = 20, 24
    h, w = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    to_h, to_w = torch.minimum(h, height - 1 - h), torch.minimum(w, width - 1 - w)
    distance = torch.minimum(to_h, to_w)
    assert mask("whole", height, width).all()
    assert torch.equal(mask("frame", height, width), distance < FRAME)
    assert torch.equal(mask("interior", height, width), distance >= FRAME)
    assert torch.equal(mask("corners", height, width), (to_h < FRAME) & (to_w < FRAME))
    assert torch.equal(mask("edges", height, width), (to_h < FRAME) ^ (to_w < FRAME))
    for shell in range(FRAME):
        assert torch.equal(mask(f"shell_{shell}", height, width), distance == shell)


def test_sums_by_atom_add_up():
    values = torch.rand(2, 3, 20, 24)
    sums = sum_by_atom(values, atoms(20, 24))
    assert sums.shape == (2, 3, ATOMS)
    torch.testing.assert_close(sums.sum(-1).float(), values.sum((-1, -2)))


def test_region_error_is_the_mean_square_over_the_regions_pixels():
    predictions, targets = torch.rand(2, 3, 1, 20, 20), torch.rand(2, 3, 1, 20, 20)
    metric = RegionError()
    for prediction, target in zip(predictions, targets, strict=True):
        metric.update(prediction, target)
    values = metric.compute()
    assert set(values["mse"]) == set(REGIONS)
    for region, value in values["mse"].items():
        expected = (predictions - targets)[..., mask(region, 20, 20)].square().mean().item()
        assert value == pytest.approx(expected, rel=1e-6)
        spread = (targets.max() - targets.min()).item()
        assert values["psnr"][region] == pytest.approx(10 * torch.log10(torch.tensor(spread**2 / value)).item())


def test_a_region_without_a_pixel_has_no_value():
    metric = RegionError()
    metric.update(torch.rand(1, 1, 10, 10), torch.rand(1, 1, 10, 10))
    assert "interior" not in metric.compute()["mse"]


def test_region_confusion_by_hand():
    """Two classes, one half each; the prediction is wrong in the outermost shell alone."""
    target = torch.zeros(1, 20, 20, dtype=torch.int64)
    target[:, :, 10:] = 1
    prediction = target.clone()
    shell = mask("shell_0", 20, 20)
    prediction[:, shell] = 1 - target[:, shell]
    metric = RegionConfusion(num_classes=3)
    metric.update(prediction, target)
    values = metric.compute()
    assert values["accuracy"]["shell_0"] == values["mean_iou"]["shell_0"] == 0
    assert values["accuracy"]["interior"] == values["mean_iou"]["interior"] == 1
    # 76 of 400 pixels are wrong, half in each class: TP = 162, FP = FN = 38. The third class never occurs.
    assert values["accuracy"]["whole"] == pytest.approx(324 / 400)
    assert values["mean_iou"]["whole"] == pytest.approx(162 / (162 + 76))


def test_ignored_pixels_count_nowhere():
    target = torch.full((1, 20, 20), 255)
    target[:, 9:11, 9:11] = 1
    metric = RegionConfusion(num_classes=2, ignore_index=255)
    metric.update(torch.ones(1, 20, 20, dtype=torch.int64), target)
    values = metric.compute()
    assert metric.confusion.sum() == 4
    assert values["accuracy"]["whole"] == 1
    assert "frame" not in values["accuracy"]


def test_shift_consistency():
    images = torch.zeros(2, 1, 12, 12)
    # The second image has a dot that the crops shifted along one axis lose.
    images[1, 0, 3, 5] = 1.0

    class Brightness(nn.Module):
        def forward(self, crops):
            return torch.stack([torch.full((len(crops),), 0.5), crops.amax((1, 2, 3))], 1)

    # The dot lies in the rows 2 to 9 and 0 to 7, but not in 4 to 11; every crop has its column.
    assert shift_consistency(Brightness(), images).tolist() == [1.0, 0.75]


def test_crops_leave_the_pixels_that_far_from_the_edge():
    for width in CROPS:
        left = torch.zeros(20, 24, dtype=torch.bool)
        left[width:-width, width:-width] = True
        assert torch.equal(mask(f"crop{width}", 20, 24), left)
    # Their mean IoU is that of the cropped prediction.
    prediction, target = torch.randint(0, 3, (2, 2, 20, 24))
    whole, cropped = RegionConfusion(num_classes=3), RegionConfusion(num_classes=3)
    whole.update(prediction, target)
    cropped.update(prediction[:, 4:-4, 4:-4].contiguous(), target[:, 4:-4, 4:-4].contiguous())
    assert whole.compute()["mean_iou"]["crop4"] == pytest.approx(cropped.compute()["mean_iou"]["whole"], rel=1e-12)


def test_the_values_without_each_block_are_those_of_the_other_images():
    predictions, targets = torch.rand(6, 1, 20, 20), torch.rand(6, 1, 20, 20)
    blocks = torch.tensor([0, 2, 1, 0, 2, 2])
    metric = RegionError(blocks=3)
    for part in (slice(0, 4), slice(4, 6)):
        metric.update(predictions[part], targets[part], blocks[part])
    left = metric.without_each_block()
    for block in range(3):
        alone = RegionError()
        alone.update(predictions[blocks != block], targets[blocks != block])
        for region, values in left["mse"].items():
            assert values[block] == pytest.approx(alone.compute()["mse"][region])
    whole = RegionError()
    whole.update(predictions, targets)
    assert metric.compute()["mse"] == pytest.approx(whole.compute()["mse"])
    assert whole.without_each_block() == {}


def test_the_measures_of_the_paper_are_those_of_torchmetrics():
    """On three classes, one of them ignored in places and one never predicted."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 3, (4, 20, 20), generator=generator)
    prediction = torch.where(torch.rand(4, 20, 20, generator=generator) < 0.6, target, 1).clamp(max=1)
    target[1, :7] = 255
    metric = RegionConfusion(3, ignore_index=255, blocks=2)
    metric.update(prediction, target, torch.tensor([0, 0, 1, 1]))
    found = {name: regions["whole"] for name, regions in metric.compute().items()}
    options = {"num_classes": 3, "ignore_index": 255}
    expected = {
        "iou_micro": functional.jaccard_index(prediction, target, "multiclass", average="micro", **options),
        "f1_micro": functional.f1_score(prediction, target, "multiclass", average="micro", **options),
        "f2_macro": functional.fbeta_score(prediction, target, "multiclass", beta=2.0, average="macro", **options),
        "accuracy_macro": functional.accuracy(prediction, target, "multiclass", average="macro", **options),
        "recall_per_image": functional.recall(
            prediction, target, "multiclass", average="micro", multidim_average="samplewise", **options
        ).mean(),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value.item(), abs=1e-6), name
    assert found["f1_micro"] == pytest.approx(found["accuracy"])
    without = metric.without_each_block()["mean_iou"]["whole"]
    alone = RegionConfusion(3, ignore_index=255)
    alone.update(prediction[2:], target[2:])
    assert without[0] == pytest.approx(alone.compute()["mean_iou"]["whole"])
