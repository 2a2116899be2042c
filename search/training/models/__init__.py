"""What a worker trains: models that are built and traced once for a shape, and reset for each trial that shares it."""
