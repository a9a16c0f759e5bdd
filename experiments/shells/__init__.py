"""The study of shells: the error by distance to the edge."""
