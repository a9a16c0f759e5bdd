"""The study of masks: how well outside pixels are filled, beside blobs that are masked."""
