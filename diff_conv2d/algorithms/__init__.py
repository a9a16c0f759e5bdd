"""How the sums of a convolution are done: directly, in blocks, or without a padded copy of the image."""
