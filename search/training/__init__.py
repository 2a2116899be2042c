"""Trains one recipe."""
