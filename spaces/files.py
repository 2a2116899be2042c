"""Files that the user names."""

from __future__ import annotations

from pathlib import Path


def find_file(name: str) -> tuple[Path | None, str]:
    """The file of a name that the user gave, and, where there is none, why: in a few words, fit for an error."""
    try:
        path = Path(name).expanduser()
        if path.is_file():
            return path, ""
        return None, "a folder" if path.is_dir() else "no such file" if not path.exists() else "not a regular file"
    except OSError as error:
        return None, error.strerror or str(error)
    except (RuntimeError, ValueError) as error:
        # "~nobody/there" where there is no such user; a NUL in the name.
        return None, str(error)
