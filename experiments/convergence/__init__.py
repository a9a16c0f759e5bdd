"""The study of convergence: how fast the error at the edge falls as the grid is refined."""
