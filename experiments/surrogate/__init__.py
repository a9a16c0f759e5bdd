"""The study of the surrogate: trained networks that step a flow on, in windows whose surroundings are unknown."""
