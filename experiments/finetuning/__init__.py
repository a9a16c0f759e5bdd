"""The study of fine-tuning: trained networks, converted to another mode and trained further."""
