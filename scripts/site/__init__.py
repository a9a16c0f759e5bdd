"""The documentation site: what its pages are made from, beside docs/."""
