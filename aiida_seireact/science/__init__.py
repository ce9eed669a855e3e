"""Pure functions on arrays: no files, no globals, random state as an argument."""
