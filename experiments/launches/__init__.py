"""The study of launches: how many operators a layer calls, by mode, forwards and backwards."""
