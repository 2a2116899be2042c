"""What is kept of a study, in a folder or in a shared database."""
