"""What a study learns once and keeps beside its trials, each as a JSON file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from .paths import atomic_write

Note = Literal["similarity", "test_files", "weights"]


def write_note(study: Path, name: Note, value: Any) -> None:
    """Keeps ``value``, which must be fit for JSON, in the study's folder."""
    with atomic_write(study / f"{name}.json") as file:
        file.write(json.dumps(value, indent=1).encode())


def read_note(study: Path, name: Note) -> Any:
    """What was kept under the name; None where nothing was, or where it is damaged: it can be learned again."""
    try:
        return json.loads((study / f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return None
