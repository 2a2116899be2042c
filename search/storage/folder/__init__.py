"""A study in a folder of its own, with one driver at a time."""
