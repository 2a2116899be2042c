"""What a test needs of the platform: it is skipped where that is missing, and its module can be imported all the same."""

from __future__ import annotations

import pkgutil
import shutil
from pathlib import Path

import pytest


def needs(*what: str) -> pytest.MarkDecorator:
    """Marks a test that needs names (``"signal.SIGKILL"``), paths (``"/proc"``) or programs (``"mount"``)."""
    missing = _missing(what)
    return pytest.mark.skipif(bool(missing), reason=f"this platform has no {', '.join(missing)}")


def require(*what: str) -> None:
    """The same for a fixture: skips the test that it is for."""
    if missing := _missing(what):
        pytest.skip(f"this platform has no {', '.join(missing)}")


def _missing(what: tuple[str, ...]) -> list[str]:
    return [thing for thing in what if not _is_here(thing)]


def _is_here(thing: str) -> bool:
    if thing.startswith("/"):
        return Path(thing).exists()
    if "." not in thing:
        return shutil.which(thing) is not None
    try:
        pkgutil.resolve_name(thing)
    except (AttributeError, ImportError):
        return False
    return True
