"""A model file at work; needs no study."""
