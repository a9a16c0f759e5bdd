"""Networks, built for a task and converted to a boundary mode."""
