"""Programs of the experiments and their parts."""
