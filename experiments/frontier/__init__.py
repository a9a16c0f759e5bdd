"""The frontier: error and seam of tiled images against the true context that each tile is given, by boundary mode."""
