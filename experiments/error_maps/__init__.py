"""Error maps: where networks of super-resolution err."""
