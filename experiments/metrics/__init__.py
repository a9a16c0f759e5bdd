"""What is measured of a trained network, and where in the image."""
