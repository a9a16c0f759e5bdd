"""The extensions that are fitted to the image, in numpy: from docs/adaptive.md and the classes' docstrings alone.

They are asked about images of noise, of float64, with enough samples: there, the fits are well conditioned, and the
numbers of taps and of samples are those that were given.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from tests.fuzz.oracle import lagrange


def _windows(line, count, step):
    """All runs of `count` samples, `step` apart."""
    span = (count - 1) * step
    return [line[i : i + span + 1 : step] for i in range(len(line) - span)]


def _bands(image, axis, rows):
    """The lines of the samples near both ends of an axis, outermost first: those of the low end, then the others."""
    lines = np.moveaxis(image, axis, -1).reshape(-1, image.shape[axis])
    return [line[:rows] for line in lines], [line[::-1][:rows] for line in lines]


def adaptive_weights(images, axis, width, step, taps, band, ridge, select):
    """The weights v[s, j] of the differences d(j) = x(j) - x(j - 1), fitted to some images (spatial axes alone).

    `images` is a list of lists: the images whose lines are taken together.
    """
    p = -(-width // step)
    reach = 2 * taps if band is None else band - p
    m = max(taps, min(2 * p + 1, reach - 1)) if select else taps
    rows = (reach + p) * step
    lows, highs = zip(*[_bands(image, axis, rows) for image in images], strict=True)
    one_way = [w for ends in (lows, highs) for lines in ends for line in lines for w in _windows(line, p + m, step)]
    both_ways = np.array(one_way + [w[::-1] for w in one_way])
    distances = range(1, p + 1)

    def fit(n):
        near = both_ways[:, p : p + n]
        differences = np.diff(near, axis=1)
        targets = np.stack([both_ways[:, p - s] - both_ways[:, p] for s in distances], 1)
        gram = differences.T @ differences
        gram = gram + (ridge or 1e-13) * np.trace(gram) / len(gram) * np.eye(len(gram))
        v = np.zeros((p, m - 1))
        v[:, : n - 1] = np.linalg.solve(gram, differences.T @ targets).T
        return v

    counts = [n for n in ((taps // 2, taps) if taps > 6 else (taps,)) if n > 1]
    if not select:
        return fit(counts[-1])

    def polynomial(degree):
        v = np.zeros((p, m - 1))
        for s in distances:
            w = lagrange(-s, tuple(range(degree + 1)))
            v[s - 1, :degree] = [sum(w[j:]) for j in range(1, degree + 1)]
        return v

    degrees = sorted({*range(min(2 * p, m - 1) + 1), taps - 1})
    candidates = [(polynomial(degree), 0) for degree in degrees] + [(fit(n), n - 1) for n in counts]
    errors = np.array([_score(lows, highs, v, f, p, m, step, images[0].ndim < 3) for v, f in candidates])
    usable = errors + np.finfo(float).tiny
    shares = (usable.min(0) / usable) ** 16
    return np.einsum("cs,csj->sj", shares / shares.sum(0), np.stack([v for v, _ in candidates]))


def _score(lows, highs, v, freedom, p, m, step, in_a_row):
    """e = (1 + f / (q l)) mean |r| + max |r| |w|_1 / N for each distance."""
    # The residuals of each image: (distances, positions, lines).
    residuals = []
    for low, high in zip(lows, highs, strict=True):
        of_lines = []
        # Differences are taken along the axis, so that residuals at its high end have the other sign; it matters
        # only where the last line of one end is the neighbour of the first of the other.
        for sign, line in [*((1, line) for line in low), *((-1, line) for line in high)]:
            z = np.array(_windows(line, p + m, step))
            predicted = z[:, p, None] + np.diff(z[:, p:], axis=1) @ v.T
            of_lines.append(sign * (predicted - np.stack([z[:, p - s] for s in range(1, p + 1)], 1)))
        residuals.append(np.array(of_lines).transpose(2, 1, 0))
    r = np.array(residuals)
    positions, lines = r.shape[2:]
    q, count = positions / step, positions * lines * len(r)
    independent = np.ones(p)
    if in_a_row:
        products, squares = (r * np.roll(r, 1, -1)).sum((0, 2, 3)), (r * r).sum((0, 2, 3))
        correlation = np.clip(products / (squares + np.finfo(float).tiny), 0, 1)
        independent = np.maximum(lines * len(r) * (1 - correlation) / (1 + correlation), 1)
    # w(0) = 1 - v(1), w(j) = v(j) - v(j + 1).
    w = np.hstack([np.ones((p, 1)), v]) - np.hstack([v, np.zeros((p, 1))])
    # The largest residual is that of any distance.
    mean, largest = np.abs(r).mean((0, 2, 3)), np.abs(r).max()
    return (1 + freedom / q / independent) * mean + largest * np.abs(w).sum(1) / count


def adaptive(image, before, after, dilation, taps, band=None, ridge=None, select=True, pool="none"):
    """Images (N, C, ...) extended."""
    groups = {
        "none": lambda n, c: [(n, c)],
        "channels": lambda n, c: [(n, j) for j in range(image.shape[1])],
        "batch": lambda n, c: [(i, c) for i in range(len(image))],
    }[pool]
    result = []
    for n, c in product(*map(range, image.shape[:2])):
        grown = image[n, c]
        for axis, step in enumerate(dilation):
            width = max(before[axis], after[axis])
            if not width:
                continue
            v = adaptive_weights([image[i] for i in groups(n, c)], axis, width, step, taps, band, ridge, select)
            lines = np.moveaxis(grown, axis, 0)
            low = [_predicted(lines, q, step, v) for q in range(before[axis], 0, -1)]
            high = [_predicted(lines[::-1], q, step, v) for q in range(1, after[axis] + 1)]
            grown = np.moveaxis(np.stack([*low, *lines, *high]), 0, axis)
        result.append(grown)
    return np.stack(result).reshape(*image.shape[:2], *result[0].shape)


def _predicted(lines, distance, step, v):
    """The sample at a distance before the first: from its own lattice."""
    first, s = -distance % step, -(-distance // step)
    samples = lines[first::step][: v.shape[1] + 1]
    return samples[0] + np.tensordot(v[s - 1], np.diff(samples, axis=0), 1)


def linear_prediction(image, before, after, dilation, neighbourhood):
    """Images (N, C, ...) extended."""
    result = []
    for n, c in product(*map(range, image.shape[:2])):
        grown = image[n, c]
        for axis, step in enumerate(dilation):
            # The other axis lies along the edge; what it is only matters with columns, in two dimensions.
            along = dilation[-1 - axis]
            known = np.moveaxis(image[n, c], axis, 0)
            for at_end, width in ((False, before[axis]), (True, after[axis])):
                turn = slice(None, None, -1 if at_end else 1)
                lines = np.moveaxis(grown, axis, 0)[turn]
                lines = _grown(known[turn], lines, width, step, along, neighbourhood)
                grown = np.moveaxis(lines[turn], 0, axis)
        result.append(grown)
    return np.stack(result).reshape(*image.shape[:2], *result[0].shape)


def _grown(known, lines, width, down, along, neighbourhood):
    """`width` rows before those of `lines`, by the models of `known`; rows come first."""
    rows, half = neighbourhood[0], neighbourhood[1] // 2
    known2, shape = known.reshape(len(known), -1), lines.shape[1:]
    lines = lines.reshape(len(lines), -1)
    models = {o: _model(known2, rows, half, o, down, along) for o in range(-half, half + 1)}
    middle = known2.mean()
    largest = 2 * np.abs(known2 - middle).max()
    size = lines.shape[1]
    fresh = []
    for _ in range(width):
        row = np.empty(size)
        grown = np.stack([*fresh, *lines])
        for column in range(size):
            # Beside the ends the neighbourhood is shifted to stay on the image.
            centre = min(max(column, half * along), size - 1 - half * along)
            # The ends are `half` columns of each lattice wide, and share the model of their distance from them.
            offset = 0
            if column < half * along:
                offset, centre = column // along - half, column % along + half * along
            elif column >= size - half * along:
                k = (column - (size - half * along)) // along
                offset, centre = k + 1, column - (k + 1) * along
            a, means, mean = models[offset]
            seen = [
                grown[r * down - 1, centre + l * along] for r in range(1, rows + 1) for l in range(-half, half + 1)
            ]
            row[column] = mean + a @ (np.array(seen) - means)
        fresh.insert(0, row)
    outside = np.array(fresh).reshape(width, size)
    if half:
        # What builds on a prediction builds on it unlimited.
        outside = np.clip(outside, middle - largest, middle + largest)
    return np.concatenate([outside, lines]).reshape(-1, *shape)


def _model(known, rows, half, offset, down, along):
    """Least squares for the sample `offset` columns from the middle of its neighbourhood."""
    height, size = known.shape
    seen, targets = [], []
    for i in range(height - rows * down):
        for j in range(half * along, size - half * along):
            seen.append(
                [known[i + r * down, j + l * along] for r in range(1, rows + 1) for l in range(-half, half + 1)]
            )
            targets.append(known[i, j + offset * along])
    seen, targets = np.array(seen), np.array(targets)
    means, mean = seen.mean(0), targets.mean()
    a = np.linalg.lstsq(seen - means, targets - mean, rcond=None)[0]
    if not half:
        # z^R = a_1 z^(R - 1) + ...: a pole outside the unit circle goes to 1 / conj(z), which keeps its angle.
        poles = np.roots([1, *-a])
        poles = np.where(np.abs(poles) > 1 + 1e-6, 1 / np.conj(np.where(poles == 0, 1, poles)), poles)
        a = -np.real(np.poly(poles))[1:]
    return a, means, mean
