"""`study.json`: what a study was made for, written once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from ...spaces.errors import DamagedStudyError, StudyError
from ...spaces.recipe import Technique
from ...spaces.space import SearchSpace
from ..settings import DataSettings, SkippedFile, StudySettings, WarmRecipe, WarmStart
from .address import StudyPlace
from .base import MALFORMED, StudyFiles


def settings_of(fields: Mapping[str, Any]) -> StudySettings:
    """The settings of a mapping that ``dataclasses.asdict`` made and JSON has carried."""
    data = dict(fields["data"])
    data["skipped"] = tuple(SkippedFile(**file) for file in data["skipped"])
    for name in ("classes", "train_per_class", "test_per_class"):
        data[name] = tuple(data[name])
    warm = fields.get("warm_start")
    return StudySettings(**{**fields, "data": DataSettings(**data), "warm_start": None if warm is None else _warm_start(warm)})


def _warm_start(fields: Mapping[str, Any]) -> WarmStart:
    recipes = (
        WarmRecipe(**{**one, "technique": Technique(one["technique"]), "changes": tuple(one["changes"])})
        for one in fields["recipes"]
    )
    return WarmStart(tuple(fields["studies"]), tuple(recipes))


SCHEMA = 1
"""Of the study's folder. A study of a later one is refused."""


SETTINGS, DATABASE = "study.json", "study.db"


def write_settings(files: StudyFiles, settings: StudySettings) -> None:
    """Makes a study of the place that the files are in.

    Raises:
        OSError: It cannot be written.
    """
    fields = {"schema": SCHEMA, **dataclasses.asdict(settings)}
    files.write({SETTINGS: json.dumps(fields, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")})


def parse_settings(content: bytes, path: StudyPlace) -> StudySettings:
    """What a study was made for, from what `write_settings` wrote.

    Raises:
        StudyError: A later version of tlsearch made it.
        DamagedStudyError: It cannot be read.
    """
    try:
        fields = json.loads(content.decode("utf-8", "surrogatepass"))
    except MALFORMED as error:
        raise DamagedStudyError(path, f"{SETTINGS} cannot be read") from error
    try:
        schema = fields.pop("schema")
        if type(schema) is not int or schema < 1:
            raise ValueError(f"schema {schema!r}")
        if schema > SCHEMA:
            raise StudyError(
                f"{path} was made by a later version of tlsearch (schema {schema}, this one writes {SCHEMA}). Nothing was "
                "changed. Update tlsearch, or name another folder."
            )
        settings = settings_of(fields)
        SearchSpace.from_dict(settings.space)
        return settings
    except MALFORMED as error:
        # A SpaceError is a ValueError.
        raise DamagedStudyError(path, f"{SETTINGS} cannot be read: it is not what this version of tlsearch writes") from error
