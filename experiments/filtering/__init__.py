"""The filtering experiment of the paper: errors at the edge by field, kernel size and method."""
