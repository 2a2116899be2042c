"""One recipe, trained."""
