"""Studies in a database that a team shares: several drivers on several machines may work on one."""
