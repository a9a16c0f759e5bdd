"""The study of seams: trained networks that run tile by tile."""
