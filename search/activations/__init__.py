"""Activations of the frozen layers, computed once and kept on disk."""
