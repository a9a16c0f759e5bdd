"""The Triton kernels of the fused extension, and nothing else: importing this module needs Triton.

Along one axis an extension is a sparse matrix, and so is its adjoint. The rows at the two ends are sums, which a
table lists term by term. Each row between them copies one sample. An image is extended by the tensor product of the
matrices of its axes. So one kernel does both, `multiplied`, by different tables; `gradients` also computes the
gradients of weights. There are always three axes. Those that an image does not have come first, with one row that
copies.

The rows of each axis are either copied or summed, which makes eight kinds of samples: bit 0 of the kind says that
axis 0 is summed, and so on. Each program works on samples of one kind. Kind 0 is the copy of the inside; its programs
come first, each with a tile of lines. The programs of the other kinds take `BLOCK` samples each. A sample is the sum
of its terms in the order of the table, and no two programs write to one sample: results are the same from run to run.

The table begins with five numbers for each axis: rows summed at the low end, rows summed at both ends, most terms of
a sum, place of the first term among those of all axes, and what is added to a copied row to get its source. Then come
three numbers for each axis: place of its triples (see `_collected`), how many there are for each weight, and number
of weights. Then comes the number of terms of all axes. From place 32 on it lists for each term the source, counted
from the low end if it is not negative, otherwise from the end (-1 is the last sample); then for each term the place
of a weight to be added, and then that of a weight to be subtracted, -1 for none. To these the constant of the term is
added. Weights are those of predictors, for each image and channel, or shared.

In the kernels an axis is a tuple: rows summed at the low end, rows copied, rows summed, most terms, place of the
first term, from a copied row to its source, samples of the source. The arguments of the kernels are

- `source` or `grad`, and `target`: what is read and written, with strides `read` and `write`, (N, C, axes 0 to 2),
- `table`, int32, and `constants`, in the precision that computes,
- `weights` of each axis or None, contiguous for each image and channel, and their strides between images and between
  channels, 0 where these share them,
- `images`, `channels`, and for each axis how many rows are `copied` and the `length` of the source,
- LAST: channels are adjacent in the memory of the target; DENSE: the innermost samples of source and target are,
- LINES and SAMPLES of each of the tile that is copied, BLOCK.
"""

# Triton reads the annotations of kernels, which must not be turned into text, and mypy does not know its language.
# mypy: ignore-errors

import triton
import triton.language as tl

__all__ = ["gradients", "multiplied"]

# No such term.
_NONE = tl.constexpr(-(2**31))
_HEADER = tl.constexpr(32)


@triton.jit
def _axis(table, number: tl.constexpr, copied, length):
    at = table + 5 * number
    return tl.load(at), copied, tl.load(at + 1), tl.load(at + 2), tl.load(at + 3), tl.load(at + 4), length


@triton.jit
def _divided(number, size):
    quotient = number // size
    return quotient, number - quotient * size


@triton.jit
def _count(axis, is_summed):
    """Rows of an axis that are summed, or copied."""
    return tl.where(is_summed, axis[2], axis[1])


@triton.jit
def _row(axis, number, is_summed):
    """The row with this number among those that are summed, or copied."""
    low, plain = axis[0], axis[1]
    return tl.where(is_summed, tl.where(number < low, number, number + plain), number + low)


@triton.jit
def _terms(axis, is_summed):
    return tl.where(is_summed, axis[3], 1)


@triton.jit
def _term(table, constants, weights, axis, number, term, is_summed, is_known, dtype: tl.constexpr):
    """Source and weight of one term of each row with a `number`, and whether there is such a term."""
    entry = axis[4] + number * axis[3] + term
    found = is_known & is_summed
    listed = table + _HEADER + entry
    source = tl.load(listed, mask=found, other=0)
    exists = source != _NONE
    source = tl.where(source < 0, source + axis[6], source)
    source = tl.where(is_summed, source, _row(axis, number, False) + axis[5])
    weight = tl.load(constants + entry, mask=found, other=1)
    if weights is not None:
        entries = tl.load(table + 24)
        plus = tl.load(listed + entries, mask=found, other=-1)
        minus = tl.load(listed + 2 * entries, mask=found, other=-1)
        # Weights in half precision are subtracted in single precision.
        difference: tl.constexpr = tl.float64 if weights.dtype.element_ty == tl.float64 else tl.float32
        added = tl.load(weights + plus, mask=found & (plus >= 0), other=0).to(difference)
        taken = tl.load(weights + minus, mask=found & (minus >= 0), other=0).to(difference)
        weight = (weight.to(difference) + added - taken).to(dtype)
    return source, weight, is_known & exists


@triton.jit
def _of_image(weights, strides, image, channel):
    """Where the weights of each image and channel begin."""
    if weights is None:
        return None
    else:  # noqa: RET505  # Triton compiles both ways without it
        return weights + image * strides[0] + channel * strides[1]


@triton.jit
def _copied(
    source, target, images, channels, axis0, axis1, axis2, read, write, program, LAST: tl.constexpr,
    DENSE: tl.constexpr, LINES: tl.constexpr, SAMPLES: tl.constexpr,
):  # fmt: skip
    """Copy a tile of the inside: some lines along which the target's memory runs, and some samples of each."""
    if DENSE:
        # Then the compiler knows which addresses are adjacent.
        inner_read, inner_write = 1, 1
    elif LAST:
        inner_read, inner_write = read[1], write[1]
    else:
        inner_read, inner_write = read[4], write[4]
    inner = channels if LAST else axis2[1]
    block, part = _divided(program, tl.cdiv(inner, SAMPLES))
    line = (block * LINES + tl.arange(0, LINES))[:, None]
    sample = (part * SAMPLES + tl.arange(0, SAMPLES))[None, :]
    # The numbers of the line, from the innermost axis outwards.
    if LAST:
        rest, n2 = _divided(line, axis2[1])
        rest, n1 = _divided(rest, axis1[1])
        image, n0 = _divided(rest, axis0[1])
    else:
        rest, n1 = _divided(line, axis1[1])
        rest, n0 = _divided(rest, axis0[1])
        image, channel = _divided(rest, channels)
    p0, p1 = _row(axis0, n0, False), _row(axis1, n1, False)
    to = image * write[0] + p0 * write[2] + p1 * write[3] + sample * inner_write
    place = image * read[0] + (p0 + axis0[5]) * read[2] + (p1 + axis1[5]) * read[3] + sample * inner_read
    if LAST:
        p2 = _row(axis2, n2, False)
        to += p2 * write[4]
        place += (p2 + axis2[5]) * read[4]
    else:
        to += channel * write[1] + axis2[0] * inner_write
        place += channel * read[1] + (axis2[0] + axis2[5]) * inner_read
    known = (image < images) & (sample < inner)
    tl.store(target + to, tl.load(source + place, mask=known), mask=known)


@triton.jit
def _summed(
    source, target, table, constants, weights0, weights1, weights2, strides0, strides1, strides2,
    images, channels, axis0, axis1, axis2, read, write, kind, block, LAST: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Compute samples of one kind, `BLOCK` of them."""
    dtype: tl.constexpr = tl.float64 if source.dtype.element_ty == tl.float64 else tl.float32
    sums0, sums1, sums2 = (kind & 1) != 0, (kind & 2) != 0, (kind & 4) != 0
    rest = block * BLOCK + tl.arange(0, BLOCK)
    # In the order of the target's memory.
    if LAST:
        rest, channel = _divided(rest, channels)
        rest, n2 = _divided(rest, _count(axis2, sums2))
        rest, n1 = _divided(rest, _count(axis1, sums1))
        image, n0 = _divided(rest, _count(axis0, sums0))
    else:
        rest, n2 = _divided(rest, _count(axis2, sums2))
        rest, n1 = _divided(rest, _count(axis1, sums1))
        rest, n0 = _divided(rest, _count(axis0, sums0))
        image, channel = _divided(rest, channels)
    known = image < images
    of0 = _of_image(weights0, strides0, image, channel)
    of1 = _of_image(weights1, strides1, image, channel)
    of2 = _of_image(weights2, strides2, image, channel)
    start = source + image * read[0] + channel * read[1]
    total = tl.zeros((BLOCK,), dtype)
    for term0 in range(_terms(axis0, sums0)):
        p0, w0, k0 = _term(table, constants, of0, axis0, n0, term0, sums0, known, dtype)
        total0 = tl.zeros((BLOCK,), dtype)
        for term1 in range(_terms(axis1, sums1)):
            p1, w1, k1 = _term(table, constants, of1, axis1, n1, term1, sums1, k0, dtype)
            total1 = tl.zeros((BLOCK,), dtype)
            for term2 in range(_terms(axis2, sums2)):
                p2, w2, k2 = _term(table, constants, of2, axis2, n2, term2, sums2, k1, dtype)
                place = p0 * read[2] + p1 * read[3] + p2 * read[4]
                total1 += w2 * tl.load(start + place, mask=k2, other=0).to(dtype)
            total0 += w1 * total1
        total += w0 * total0
    p0, p1, p2 = _row(axis0, n0, sums0), _row(axis1, n1, sums1), _row(axis2, n2, sums2)
    place = image * write[0] + channel * write[1] + p0 * write[2] + p1 * write[3] + p2 * write[4]
    tl.store(target + place, total.to(target.dtype.element_ty), mask=known)


@triton.jit
def _programs(
    kind: tl.constexpr, images, channels, axis0, axis1, axis2, LAST: tl.constexpr, LINES: tl.constexpr,
    SAMPLES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Return how many programs one kind of samples takes."""
    rows0 = _count(axis0, (kind & 1) != 0)
    rows1 = _count(axis1, (kind & 2) != 0)
    rows2 = _count(axis2, (kind & 4) != 0)
    if kind > 0:
        count = tl.cdiv(images * channels * rows0 * rows1 * rows2, BLOCK)
    elif LAST:
        count = tl.cdiv(images * rows0 * rows1 * rows2, LINES) * tl.cdiv(channels, SAMPLES)
    else:
        count = tl.cdiv(images * channels * rows0 * rows1, LINES) * tl.cdiv(rows2, SAMPLES)
    return count


@triton.jit
def _multiplied(
    source, target, table, constants, weights0, weights1, weights2, strides0, strides1, strides2,
    images, channels, axis0, axis1, axis2, read, write, program,
    LAST: tl.constexpr, DENSE: tl.constexpr, LINES: tl.constexpr, SAMPLES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    end = _programs(0, images, channels, axis0, axis1, axis2, LAST, LINES, SAMPLES, BLOCK)
    if program < end:
        _copied(
            source, target, images, channels, axis0, axis1, axis2, read, write, program, LAST, DENSE, LINES, SAMPLES
        )
    else:
        kind, first = 1, end
        for other in tl.static_range(2, 8):
            end += _programs(other - 1, images, channels, axis0, axis1, axis2, LAST, LINES, SAMPLES, BLOCK)
            kind = tl.where(program >= end, other, kind)
            first = tl.where(program >= end, end, first)
        _summed(
            source, target, table, constants, weights0, weights1, weights2, strides0, strides1, strides2,
            images, channels, axis0, axis1, axis2, read, write, kind, program - first, LAST, BLOCK,
        )  # fmt: skip


# Of these there would be a kernel for each that is 1, or a multiple of 16: hundreds.
_INTEGERS = [
    *("images", "channels", "copied0", "copied1", "copied2", "length0", "length1", "length2"),
    *("read_n", "read_c", "read0", "read1", "read2", "write_n", "write_c", "write0", "write1", "write2"),
    *("weights0_n", "weights0_c", "weights1_n", "weights1_c", "weights2_n", "weights2_c"),
]


@triton.jit(do_not_specialize=_INTEGERS)
def multiplied(
    source, target, table, constants, weights0, weights1, weights2,
    weights0_n, weights0_c, weights1_n, weights1_c, weights2_n, weights2_c, images, channels,
    copied0, copied1, copied2, length0, length1, length2,
    read_n, read_c, read0, read1, read2, write_n, write_c, write0, write1, write2,
    LAST: tl.constexpr, DENSE: tl.constexpr, LINES: tl.constexpr, SAMPLES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write `target`: the tensor product of the matrices of its axes, times `source`."""
    axis0, axis1, axis2 = (
        _axis(table, 0, copied0, length0),
        _axis(table, 1, copied1, length1),
        _axis(table, 2, copied2, length2),
    )
    _multiplied(
        source, target, table, constants, weights0, weights1, weights2,
        (weights0_n, weights0_c), (weights1_n, weights1_c), (weights2_n, weights2_c), images, channels,
        axis0, axis1, axis2, (read_n, read_c, read0, read1, read2), (write_n, write_c, write0, write1, write2),
        tl.program_id(0), LAST, DENSE, LINES, SAMPLES, BLOCK,
    )  # fmt: skip


@triton.jit
def _collected(
    grad, image, target, table, constants, weights1, weights2, strides1, strides2, images, channels,
    of_images, of_channels, pairs, axis1, axis2, along, across1, across2, grad_strides, image_strides, program,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Compute the gradient of one weight: axis 0 is its own one here, and axes 1 and 2 are the others.

    A weight times the difference of two samples of its axis is added to samples outside. Its gradient is the sum of
    these differences times the gradients there, over both ends, all lines, and the images and channels that share it.
    The lines are those of the image extended along the other axes. The triples of the table are a sample outside and
    the two samples of a difference. `along` is the axis: samples of the extended image, samples of the image, and the
    strides of the image and of the gradient; so are `across1` and `across2`.
    """
    dtype: tl.constexpr = tl.float64 if image.dtype.element_ty == tl.float64 else tl.float32
    group, slot = _divided(program, pairs[2])
    first_image, first_channel = _divided(group, of_channels)
    images = tl.where(of_images == 1, images, 1)
    channels = tl.where(of_channels == 1, channels, 1)
    total = tl.zeros((BLOCK,), dtype)
    for pair in range(pairs[1]):
        entry = table + pairs[0] + (slot * pairs[1] + pair) * 3
        row, plus, minus = tl.load(entry), tl.load(entry + 1), tl.load(entry + 2)
        exists = row != _NONE
        row = tl.where(row < 0, row + along[0], row)
        plus = tl.where(plus < 0, plus + along[1], plus)
        minus = tl.where(minus < 0, minus + along[1], minus)
        for kind in range(4):
            sums1, sums2 = (kind & 1) != 0, (kind & 2) != 0
            count = tl.where(exists, images * channels * _count(axis1, sums1) * _count(axis2, sums2), 0)
            for begin in range(0, count, BLOCK):
                rest = begin + tl.arange(0, BLOCK)
                known = rest < count
                rest, n2 = _divided(rest, _count(axis2, sums2))
                rest, n1 = _divided(rest, _count(axis1, sums1))
                number, channel = _divided(rest, channels)
                number += first_image
                channel += first_channel
                of1 = _of_image(weights1, strides1, number, channel)
                of2 = _of_image(weights2, strides2, number, channel)
                start = image + number * image_strides[0] + channel * image_strides[1]
                difference = tl.zeros((BLOCK,), dtype)
                for term1 in range(_terms(axis1, sums1)):
                    p1, w1, k1 = _term(table, constants, of1, axis1, n1, term1, sums1, known, dtype)
                    for term2 in range(_terms(axis2, sums2)):
                        p2, w2, k2 = _term(table, constants, of2, axis2, n2, term2, sums2, k1, dtype)
                        place = start + p1 * across1[2] + p2 * across2[2]
                        high = tl.load(place + plus * along[2], mask=k2, other=0).to(dtype)
                        low = tl.load(place + minus * along[2], mask=k2, other=0).to(dtype)
                        difference += w1 * w2 * (high - low)
                place = number * grad_strides[0] + channel * grad_strides[1] + row * along[3]
                place += _row(axis1, n1, sums1) * across1[3] + _row(axis2, n2, sums2) * across2[3]
                total += difference * tl.load(grad + place, mask=known, other=0).to(dtype)
    tl.store(target + program, tl.sum(total, 0).to(target.dtype.element_ty))


_MORE_INTEGERS = [
    *("adjoint_copied0", "adjoint_copied1", "adjoint_copied2", "adjoint_length0", "adjoint_length1"),
    *("adjoint_length2", "image_n", "image_c", "image0", "image1", "image2"),
    *("several0_n", "several0_c", "several1_n", "several1_c", "several2_n", "several2_c"),
]


@triton.jit(do_not_specialize=[*_INTEGERS, *_MORE_INTEGERS])
def gradients(
    grad, image, of_image, of_weights0, of_weights1, of_weights2, table, constants, adjoint_table, adjoint_constants,
    weights0, weights1, weights2, weights0_n, weights0_c, weights1_n, weights1_c, weights2_n, weights2_c,
    several0_n, several0_c, several1_n, several1_c, several2_n, several2_c, images, channels,
    copied0, copied1, copied2, length0, length1, length2,
    adjoint_copied0, adjoint_copied1, adjoint_copied2, adjoint_length0, adjoint_length1, adjoint_length2,
    image_n, image_c, image0, image1, image2,
    read_n, read_c, read0, read1, read2, write_n, write_c, write0, write1, write2,
    LAST: tl.constexpr, DENSE: tl.constexpr, LINES: tl.constexpr, SAMPLES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write the gradients of an image and of the weights by which it was extended, or some of them (others are None).

    The table and the sizes are those of the extension; those of the adjoint are given apart. The strides `read` are
    those of `grad`, and `write` those of `of_image`. Gradients of weights are contiguous: of `several` images and
    channels, or of 1.
    """
    axis0, axis1, axis2 = (
        _axis(table, 0, copied0, length0),
        _axis(table, 1, copied1, length1),
        _axis(table, 2, copied2, length2),
    )
    strides0, strides1, strides2 = (weights0_n, weights0_c), (weights1_n, weights1_c), (weights2_n, weights2_c)
    read = read_n, read_c, read0, read1, read2
    image_strides = image_n, image_c, image0, image1, image2
    along0 = adjoint_length0, length0, image0, read0
    along1 = adjoint_length1, length1, image1, read1
    along2 = adjoint_length2, length2, image2, read2
    program = tl.program_id(0)
    end = 0
    if of_image is not None:
        adjoint0 = _axis(adjoint_table, 0, adjoint_copied0, adjoint_length0)
        adjoint1 = _axis(adjoint_table, 1, adjoint_copied1, adjoint_length1)
        adjoint2 = _axis(adjoint_table, 2, adjoint_copied2, adjoint_length2)
        for kind in tl.static_range(0, 8):
            end += _programs(kind, images, channels, adjoint0, adjoint1, adjoint2, LAST, LINES, SAMPLES, BLOCK)
        if program < end:
            _multiplied(
                grad, of_image, adjoint_table, adjoint_constants, weights0, weights1, weights2,
                strides0, strides1, strides2, images, channels, adjoint0, adjoint1, adjoint2, read,
                (write_n, write_c, write0, write1, write2), program, LAST, DENSE, LINES, SAMPLES, BLOCK,
            )  # fmt: skip
    if of_weights0 is not None:
        pairs = tl.load(table + 15), tl.load(table + 16), tl.load(table + 17)
        begin, end = end, end + several0_n * several0_c * pairs[2]
        if (program >= begin) & (program < end):
            _collected(
                grad, image, of_weights0, table, constants, weights1, weights2, strides1, strides2, images, channels,
                several0_n, several0_c, pairs, axis1, axis2, along0, along1, along2, read, image_strides,
                program - begin, BLOCK,
            )  # fmt: skip
    if of_weights1 is not None:
        pairs = tl.load(table + 18), tl.load(table + 19), tl.load(table + 20)
        begin, end = end, end + several1_n * several1_c * pairs[2]
        if (program >= begin) & (program < end):
            _collected(
                grad, image, of_weights1, table, constants, weights0, weights2, strides0, strides2, images, channels,
                several1_n, several1_c, pairs, axis0, axis2, along1, along0, along2, read, image_strides,
                program - begin, BLOCK,
            )  # fmt: skip
    if of_weights2 is not None:
        pairs = tl.load(table + 21), tl.load(table + 22), tl.load(table + 23)
        begin, end = end, end + several2_n * several2_c * pairs[2]
        if (program >= begin) & (program < end):
            _collected(
                grad, image, of_weights2, table, constants, weights0, weights1, strides0, strides1, images, channels,
                several2_n, several2_c, pairs, axis0, axis1, along2, along0, along1, read, image_strides,
                program - begin, BLOCK,
            )  # fmt: skip
