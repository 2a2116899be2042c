"""The phases of a run, one file each: extract, profile, search, confirm."""
