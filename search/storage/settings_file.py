"""`study.json`: what a study was made for, written once."""

from __future__ import annotations

import dataclasses
import json

from ...spaces.errors import DamagedStudyError, SpaceError
from ...spaces.space import SearchSpace
from ..settings import StudySettings
from .base import StudyFiles, StudyPlace
from .decoding import SCHEMA, RecordError, decode

SETTINGS, DATABASE = "study.json", "study.db"


def write_settings(files: StudyFiles, settings: StudySettings) -> None:
    """Makes a study of the place that the files are in."""
    fields = {"schema": SCHEMA, **dataclasses.asdict(settings)}
    files.write({SETTINGS: json.dumps(fields, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")})


def parse_settings(content: bytes, path: StudyPlace) -> StudySettings:
    """What a study was made for, from what `write_settings` wrote.

    Raises:
        StudyError: A later version of tlsearch made it.
        DamagedStudyError: It cannot be read.
    """
    try:
        settings = decode(content, StudySettings, path)
        SearchSpace.from_dict(settings.space)
    except (RecordError, SpaceError) as error:
        raise DamagedStudyError(path, f"{SETTINGS} cannot be read ({error})") from error
    return settings
