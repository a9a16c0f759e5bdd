"""The benchmark: what a boundary costs in time and memory."""
