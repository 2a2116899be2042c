"""How uncertain test scores are, and what that means for who must choose: the statistics under confirmation and verdict."""
