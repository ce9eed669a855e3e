"""WHAT happens in which order: one WorkChain a file, its protocols as YAML beside it."""
