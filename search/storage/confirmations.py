"""The confirmations of a study as they are kept: for each finalist and seed its scores and its test predictions."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DamagedStudyError
from ..trial import Confirmation
from .base import StudyFiles, StudyPlace
from .decoding import RecordError, check_schema, convert, load, load_arrays

_FOLDER = "confirm"


class ConfirmationRecords:
    """Two files for each confirmation, ``.json`` and ``.npz``.

    Args:
        study: Where the study is.
        files: Of the study.
    """

    def __init__(self, study: StudyPlace, files: StudyFiles) -> None:
        self._study = study
        self._files = files

    def record(
        self, confirmation: Confirmation, probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, claim: str = ""
    ) -> Confirmation | None:
        """See `StudyStore.confirm`."""
        stem = f"{_FOLDER}/{confirmation.recipe.technique}-{confirmation.trial:05}-{confirmation.seed}"
        stored = dataclasses.replace(confirmation, predictions=f"{stem}.npz")
        arrays = io.BytesIO()
        np.savez_compressed(arrays, probabilities=probabilities, labels=labels)
        fields = json.dumps(dataclasses.asdict(stored)).encode()
        # The scores last: without them the predictions are not looked at.
        written = self._files.write({f"{stem}.npz": arrays.getvalue(), f"{stem}.json": fields}, claim=claim)
        return stored if written else None

    def names(self) -> list[str]:
        """Of the confirmations' files, technique by technique."""
        return [name for name in self._files.names(_FOLDER) if name.endswith(".json")]

    def read(self, name: str) -> Confirmation:
        """The confirmation in a file.

        Raises:
            OSError: It cannot be read.
            StudyError: A later version of tlsearch wrote it.
            RecordError: It is damaged.
        """
        fields = load(self._files.read(name))
        check_schema(fields, name)
        return convert(fields, Confirmation)

    def predictions(self, confirmation: Confirmation) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See `StudyStore.predictions`."""
        # By its last part alone: nothing outside the study is opened, whatever its file says.
        name = f"{_FOLDER}/{Path(confirmation.predictions).name}"
        try:
            arrays = load_arrays(self._files.read(name))
            return arrays["probabilities"], arrays["labels"]
        except (OSError, RecordError, KeyError) as error:
            raise DamagedStudyError(self._study, f"{name} cannot be read") from error
