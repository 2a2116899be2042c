"""Models that are built and traced once for a shape, and reset for each trial that shares it."""
