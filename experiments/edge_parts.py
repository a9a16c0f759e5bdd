"""The error of a method by distance to the edge, edges and corners apart."""

from torch import Tensor

from experiments.metrics.regions import atoms, sum_by_atom

__all__ = ["PARTS", "part_errors", "shell_errors"]

PARTS = ("edges", "corners")


def shell_errors(output: Tensor, truth: Tensor, width: int) -> dict[tuple[str, int], float]:
    """Average the absolute difference of two stacks of images, (..., H, W), over parts of the frame.

    Args:
        output: What a method gives.
        truth: What it should give.
        width: Width of the frame; a corner is where two edges are nearer than that.

    Returns:
        The mean by part, ``edges`` or ``corners``, and shell, the distance to the edge in pixels, from 0.

    Example:
        >>> image = torch.zeros(6, 6)
        >>> image[0, 0] = 1
        >>> shell_errors(image, torch.zeros(6, 6), 1)
        {('edges', 0): 0.0, ('corners', 0): 0.25}

    """
    means = _sums(output, truth, width)
    return {(part, shell): float(means[0][i] / means[1][i]) for (part, shell), i in _places(width).items()}


def part_errors(output: Tensor, truth: Tensor, width: int) -> dict[str, float]:
    """Average as :func:`shell_errors` does, over all shells of a part together.

    Example:
        >>> part_errors(torch.ones(6, 6), torch.zeros(6, 6), 2)
        {'edges': 1.0, 'corners': 1.0}

    """
    sums, counts = _sums(output, truth, width)
    chosen = {part: [i for (name, _), i in _places(width).items() if name == part] for part in PARTS}
    return {part: float(sums[i].sum() / counts[i].sum()) for part, i in chosen.items()}


def _places(width: int) -> dict[tuple[str, int], int]:
    """Return the atom of each part and shell, as `experiments.metrics.regions` numbers them."""
    return {(part, shell): 2 * shell + place for shell in range(width) for place, part in enumerate(PARTS)}


def _sums(output: Tensor, truth: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return for each atom the sum of the absolute differences, and how many they are."""
    difference = (output - truth).abs()
    error = difference.reshape(-1, *difference.shape[-2:])
    index = atoms(*error.shape[-2:], frame=width)
    count = sum_by_atom(error.new_ones(index.shape), index, width)
    # Images are added first: sums by index are slow.
    return sum_by_atom(error.sum(0), index, width), count * len(error)
