"""What was found out: the summary of a study and its verdict."""
