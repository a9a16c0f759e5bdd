"""How a network is trained: run folders, order of data, checkpoints, history, loggers."""
