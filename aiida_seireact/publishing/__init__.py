"""Bundles: what stands behind a publication, in one folder that a stranger can check."""
