"""Trials as Ray actors, on the nodes of a cluster that is already there or of one that this program starts."""
