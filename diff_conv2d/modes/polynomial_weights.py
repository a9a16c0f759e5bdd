"""Exact weights that extend a line by the polynomial through its nearest samples."""

from math import comb
from typing import NamedTuple

from diff_conv2d.extension.axis import readable

__all__ = ["Polynomial", "extrapolation_weights", "weights_are_at_most"]


def extrapolation_weights(num_samples: int, distance: int) -> tuple[int, ...]:
    r"""Weights of the value at ``-distance`` from the samples at 0, 1, ..., ``num_samples - 1``.

    The value there of the one polynomial of degree ``n - 1`` through ``n`` samples is
    ``sum_j weights[j] * sample[j]``. Lagrange's basis polynomial ``l_j(x) = prod_{i != j} (x - i) / (j - i)``
    at ``x = -s`` is a quotient of factorials, which is an integer:

    .. math:: w_j = (-1)^j \binom{s + j - 1}{j} \binom{s + n - 1}{n - 1 - j}.

    Nothing is rounded, however many samples there are: the integers are Python's.

    Args:
        num_samples: number of samples n, at least 1. n = 1 repeats the edge sample.
        distance: distance s of the value from the first sample, in samples, at least 1.

    Returns:
        The n integers w_0 (of the sample nearest the edge) to w_{n-1}; they add up to 1.

    Raises:
        ValueError: if `num_samples` or `distance` is below 1.

    Example:
        >>> extrapolation_weights(3, 1), extrapolation_weights(3, 2)
        ((3, -3, 1), (6, -8, 3))
    """
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    if distance < 1:
        raise ValueError(f"distance must be at least 1, got {distance}")
    n, s = num_samples, distance
    return tuple((-1) ** j * comb(s + j - 1, j) * comb(s + n - 1, n - 1 - j) for j in range(n))


def weights_are_at_most(largest: int, num_samples: int, distance: int) -> bool:
    """Whether no weight of `extrapolation_weights` is larger than this, in absolute value.

    Example:
        >>> weights_are_at_most(2**24, 13, 6), weights_are_at_most(2**24, 15, 7)
        (True, False)
    """
    # One of the weights is at least as large as at distance 1, where it is the binomial coefficient of n over n // 2,
    # at least 2^n / (n + 1). So it takes no huge integers to know that many samples are too many.
    if num_samples > 2 * largest.bit_length() + 8:
        return False
    return max(map(abs, extrapolation_weights(num_samples, distance))) <= largest


@readable("polynomial")
class Polynomial(NamedTuple):
    """The rows of the polynomial through the samples nearest an end (see `extension.axis.IntegerMatrix`).

    With dilation d the axis consists of d interleaved lattices. Each is extended from its own samples, as a kernel of
    that dilation reads them. A line with too few samples lowers the degree.

    Attributes:
        degree: of the polynomial, at least 0; 0 repeats the edge sample.
        dilation: distance between the samples that belong together.

    Example:
        >>> Polynomial(degree=1, dilation=2).sources(8, distance=1)  # 2 x(1) - x(3)
        (range(1, 5, 2), (2, -1))
    """

    degree: int
    dilation: int = 1

    @property
    def text(self) -> str:
        """See `extension.axis.IntegerMatrix`."""
        return f"polynomial:{self.degree}:{self.dilation}"

    def sources(self, length: int, distance: int) -> tuple[range, tuple[int, ...]]:
        """See `extension.axis.IntegerMatrix`."""
        # Sample -s and sample i are of one lattice if i + s is a multiple of d; the lattice's first sample inside is
        # therefore i0 = (-s) mod d, and in steps of the lattice it is (s + i0) / d away.
        first = -distance % self.dilation
        steps = (distance + first) // self.dilation
        if first >= length:
            # No sample of this lattice lies in the image: the farthest sample of the image stands in for it.
            first = length - 1
        available = (length - first - 1) // self.dilation + 1
        # Comparing fixes a size that is a symbol to a compiler; min() would keep it symbolic.
        count = self.degree + 1
        while count > available:
            count -= 1
        return range(first, first + count * self.dilation, self.dilation), extrapolation_weights(count, steps)
