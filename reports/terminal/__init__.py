"""Reports as a terminal shows them, rendered by rich."""
