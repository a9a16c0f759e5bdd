"""The report of one's own runs: one HTML file of what is in a folder of results."""
