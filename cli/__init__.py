"""The command line: reads arguments, wires the parts, prints, exits."""

from .app import app, main

__all__ = ["app", "main"]
