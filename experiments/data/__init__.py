"""Fields and images that the experiments work on."""
