"""How weights are applied to an image: axis by axis (the plain way), in place, or by a table; and the adjoints."""
