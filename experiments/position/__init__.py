"""The study of position: what networks know of where a pixel is, and which of their units see the edge."""
