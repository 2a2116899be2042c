"""From a study to a model file that needs no tlsearch, and predictions with it."""
