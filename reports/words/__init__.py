"""Sentences that every report shares."""
