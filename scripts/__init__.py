"""Programs that prepare data, collect results and draw figures."""
