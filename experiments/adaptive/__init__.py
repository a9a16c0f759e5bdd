"""The study of adaptive boundaries: the modes against the best polynomial of each field."""
