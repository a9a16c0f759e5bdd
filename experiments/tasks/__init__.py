"""What a network is trained for: loss, metrics and pictures of each task."""
