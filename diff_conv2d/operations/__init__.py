"""What else of a network has a boundary: transposed convolution, pooling, unfolding, resampling and padding.

Each function takes torch's arguments and a mode. The image is extended as far as the operation reads, and torch's own
operation does the rest without padding of its own. 'zeros' stands for what torch does itself, to the bit: zeros in
transposed and unfolded convolutions and in averages, nothing at all in the maximum, edge samples in resampling.
"""
