"""The study of sizes: trained networks on test patches of several sizes."""
