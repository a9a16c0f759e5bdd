"""The cost of the frontier: multiply-adds and time of a useful pixel, by boundary mode and true context."""
