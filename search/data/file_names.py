"""Classes that the names of files tell, such as ``cat.12.jpg``: `--label-from-name`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from ...spaces.errors import OptionError
from .listing import files_below, is_picture
from .spellings import composed

ReadName = Callable[[str], str | None]
"""From the name of a file to its class; None where it tells none."""

EXPRESSION_ERRORS = (re.error, RecursionError, OverflowError)
"""What is raised for what a user takes for a regular expression."""

BEFORE_DIGITS = r"^(\D+?)[ ._(-]*\d"
"""What is proposed: all before the first digit, and before what separates it."""

_SAYING_NOTHING = frozenset(
    {"img", "image", "dsc", "dscn", "dscf", "pxl", "mvimg", "vid", "photo", "picture", "pic", "scan", "screenshot", "frame"}
)
"""Words that cameras and programs put before a number."""

_EVIDENT = 0.9
"""Share of files that must begin with a word that others begin with too. Of random ids not so many begin with a letter."""


def name_reader(expression: str) -> ReadName:
    """Reads the class off a file's name: the group ``label`` of a regular expression, or else its first group.

    Raises:
        OptionError: It is no regular expression, or has no group.
    """
    try:
        pattern = re.compile(expression)
    except EXPRESSION_ERRORS as error:
        raise OptionError(
            f"--label-from-name must be a regular expression, got {expression} ({error}). Such as '{BEFORE_DIGITS}'."
        ) from error
    if not pattern.groups:
        raise OptionError(
            f"--label-from-name must have a group in parentheses that holds the class, got {expression}. "
            f"Such as '{BEFORE_DIGITS}'."
        )
    group = "label" if "label" in pattern.groupindex else 1

    def read(name: str) -> str | None:
        match = pattern.search(composed(name))
        return (match[group] or "").strip() or None if match else None

    return read


def tells_classes(folder: Path, read: ReadName) -> bool:
    """Whether any picture's name in a folder tells a class."""
    return any(is_picture(file) and read(file.name) is not None for file in files_below(folder))


def evident_classes(names: Iterable[str]) -> list[str]:
    """The words that names of pictures begin with, where they evidently are classes; else none."""
    read = name_reader(BEFORE_DIGITS)
    found = [read(name) for name in names]
    words = Counter(word for word in found if word is not None and len(word) > 1)
    often = [word for word, count in words.items() if count > 1 and word.lower() not in _SAYING_NOTHING]
    enough = len(often) > 1 and sum(words[word] for word in often) >= _EVIDENT * len(found)
    return sorted(often) if enough else []
