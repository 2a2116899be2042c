"""A study on disk: what it was made for, every trial, every confirmation, where the time went.

::

    runs/photos/
    ├── study.json      what the study was made for; written once
    ├── study.db        the trials: an Optuna storage that optuna-dashboard opens as it is
    ├── confirm/        for each finalist and seed its scores (.json) and test predictions (.npz)
    ├── models/         each finalist's best seed by the validation split: see `kept`
    ├── timing.json     seconds by phase, over all runs
    ├── runs.json       what each run of the search trained on
    ├── similarity.json the depth profile of the training images
    ├── test_files.json which files the test predictions are of
    └── study.lock      held while a search runs
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState, create_trial

from ..spaces.errors import DamagedStudyError, StudyError
from ..spaces.ranges import Values
from ..spaces.recipe import Recipe
from ..spaces.space import SearchSpace
from .database import Database
from .distributions import distributions
from .lock import hold
from .metrics import maximized
from .notes import StudyNotes
from .paths import atomic_write
from .records import confirmation_of, record_of, result_of
from .salvage import Salvage
from .settings import StudySettings
from .study_folder import DATABASE, MALFORMED, check_folder, holds_study, read_settings, unusable, write_settings
from .trial import Confirmation, FailedTrial, FinishedTrial, Measurement, PrunedTrial, RunningTrial, Trial


class StudyStore:
    """The folder of one study. Reading it changes nothing and may be done while a search writes.

    Made by `create` and `open`.

    Attributes:
        path: Of the folder.
        settings: What the study was made for.
        notes: What it has learned once.
    """

    def __init__(self, path: Path, settings: StudySettings, source: Database | Salvage, *, lenient: bool = False) -> None:
        self.path = path
        self.settings = settings
        self.notes = StudyNotes(path)
        self._source = source
        self._lenient = lenient
        self._unread: dict[str, str] = {}
        self._finished: dict[int, FinishedTrial] = {}
        self._space = SearchSpace.from_dict(settings.space)

    @property
    def damage(self) -> str:
        """What could not be read so far, of a study that was opened to salvage it; empty where everything could."""
        parts = [self._source.damage] if isinstance(self._source, Salvage) else []
        return "; ".join([*parts, *(f"{what} cannot be read ({why})" for what, why in self._unread.items())])

    @classmethod
    def create(cls, path: Path, settings: StudySettings) -> StudyStore:
        """A new study in a new or empty folder; the one that is there where another process has just made it.

        Raises:
            StudyError: The folder holds something else, or cannot be written.
        """
        check_folder(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            with hold(path):
                if holds_study(path):
                    return cls.open(path)
                database = Database.create(path / DATABASE, settings.name, maximize=maximized(settings.metric))
                # Last: a database without settings is what a kill leaves between the two.
                write_settings(path, settings)
        except OSError as error:
            raise unusable(path, error) from error
        return cls(path, settings, database)

    @classmethod
    def open(cls, path: Path | str, *, salvage: bool = False) -> StudyStore:
        """The study in a folder.

        Args:
            path: The folder.
            salvage: Whether a damaged study is to be read as far as it is sound; what is not is in `damage`.

        Raises:
            StudyError: There is none, or another version of tlsearch made it.
            DamagedStudyError: It is damaged; with ``salvage``, beyond what can be read.
        """
        path = Path(path)
        settings = read_settings(path)
        database = path / DATABASE
        try:
            if not database.is_file():
                raise DamagedStudyError(path, f"{DATABASE} is missing")
            return cls(path, settings, Database.open(database, settings.name), lenient=salvage)
        except DamagedStudyError as error:
            if not salvage:
                raise
            return cls(path, settings, _salvaged(database, error), lenient=True)

    def start(self, values: Values, recipe: Recipe, *, seed: int, worker: str = "") -> RunningTrial:
        """Records that a trial begins."""
        number = self._database.start(
            create_trial(
                state=TrialState.RUNNING,
                params={name: value for name, value in values.items() if name != "epochs"},
                distributions=distributions(self._space, values),
                user_attrs={
                    "technique": str(recipe.technique),
                    "recipe": recipe.as_dict(),
                    "values": values,
                    "seed": seed,
                    "worker": worker,
                    "owner": {"host": socket.gethostname(), "pid": os.getpid()},
                },
            )
        )
        return RunningTrial(number=number, recipe=recipe, seed=seed, started=datetime.now(UTC), worker=worker)

    def measure(self, number: int, measurement: Measurement) -> None:
        """Records one epoch of a running trial, for those who watch the storage."""
        if math.isfinite(measurement.score):
            self._database.measure(number, measurement.epoch, measurement.score)

    def finish(self, trial: FinishedTrial) -> None:
        """Records a trial's end."""
        if isinstance(trial, FailedTrial):
            self._database.finish(trial.number, result_of(trial), TrialState.FAIL, None)
        else:
            state = TrialState.PRUNED if isinstance(trial, PrunedTrial) else TrialState.COMPLETE
            self._database.finish(trial.number, result_of(trial), state, [trial.score])  # type: ignore[attr-defined]

    def trials(self) -> tuple[Trial, ...]:
        """Every trial, in the order of the numbers; those that other programs put into the storage are left out.

        Raises:
            DamagedStudyError: One of them cannot be read.
        """
        found: list[Trial] = []
        for frozen in self._frozen():
            trial: Trial | None = self._finished.get(frozen.number)
            if trial is None:
                try:
                    trial = record_of(frozen)
                except MALFORMED as error:
                    self._cannot_read(f"trial {frozen.number}", error)
                    continue
                if isinstance(trial, FinishedTrial):
                    self._finished[frozen.number] = trial
            found.append(trial)
        return tuple(found)

    def values(self) -> dict[int, Values]:
        """What was proposed, by trial."""
        return {frozen.number: frozen.user_attrs["values"] for frozen in self._frozen()}

    def sweep(self) -> tuple[FailedTrial, ...]:
        """Records trials that a kill has cut off as interrupted. To be called by the one who `hold`s the study."""
        swept = []
        for trial in self.trials():
            if isinstance(trial, RunningTrial):
                failed = interrupted(trial, "cut off: the search was killed")
                self.finish(failed)
                swept.append(failed)
        return tuple(swept)

    def confirm(
        self, confirmation: Confirmation, probabilities: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> Confirmation:
        """Records a confirmation and its test predictions, ``(n_test, classes)`` and ``(n_test,)``."""
        folder = self.path / "confirm"
        stem = f"{confirmation.recipe.technique}-{confirmation.trial:05}-{confirmation.seed}"
        stored = dataclasses.replace(confirmation, predictions=f"confirm/{stem}.npz")
        with self._writing():
            folder.mkdir(exist_ok=True)
            with atomic_write(folder / f"{stem}.npz") as file:
                np.savez_compressed(file, probabilities=probabilities, labels=labels)
            with atomic_write(folder / f"{stem}.json") as file:
                fields = {**dataclasses.asdict(stored), "recipe": stored.recipe.as_dict()}
                file.write(json.dumps(fields).encode())
        return stored

    def confirmations(self) -> tuple[Confirmation, ...]:
        """Every confirmation, technique by technique."""
        found = []
        for path in sorted((self.path / "confirm").glob("*.json")):
            try:
                confirmation = confirmation_of(json.loads(path.read_bytes()))
                if self._lenient:
                    self.predictions(confirmation)
            except DamagedStudyError as error:
                self._unread[f"confirm/{path.name}"] = error.what
            except (OSError, *MALFORMED) as error:
                self._cannot_read(f"confirm/{path.name}", error)
            else:
                found.append(confirmation)
        return tuple(found)

    def predictions(self, confirmation: Confirmation) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The stored test predictions of a confirmation, and the labels.

        Raises:
            DamagedStudyError: They are missing, cut short or altered.
        """
        # By its last part alone: nothing outside the study is opened, whatever its file says.
        path = self.path / "confirm" / Path(confirmation.predictions).name
        try:
            # Opened here: NumPy leaves a damaged file open.
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                return file["probabilities"], file["labels"]
        except Exception as error:
            # From the parsers of a file that may hold anything: zipfile and NumPy promise no closed set.
            raise DamagedStudyError(self.path, f"confirm/{path.name} cannot be read") from error

    def add_timing(self, phase: str, seconds: float) -> None:
        """Adds to the seconds that a phase has taken."""
        timing = self.timing()
        timing[phase] = timing.get(phase, 0.0) + seconds
        with self._writing(), atomic_write(self.path / "timing.json") as file:
            file.write(json.dumps(timing).encode())

    def timing(self) -> dict[str, float]:
        """Seconds by phase, over all runs."""
        try:
            return {
                str(phase): float(seconds) for phase, seconds in json.loads((self.path / "timing.json").read_bytes()).items()
            }
        except (OSError, *MALFORMED):
            return {}

    @property
    def _database(self) -> Database:
        if isinstance(self._source, Salvage):
            raise DamagedStudyError(self.path, self._source.damage)
        return self._source

    def _frozen(self) -> list[FrozenTrial]:
        try:
            found = self._source.trials()
        except DamagedStudyError as error:
            if not self._lenient:
                raise
            self._source = _salvaged(self.path / DATABASE, error)
            found = self._source.trials()
        return [frozen for frozen in found if "recipe" in frozen.user_attrs]

    def _cannot_read(self, what: str, error: Exception) -> None:
        if not self._lenient:
            raise DamagedStudyError(self.path, f"{what} cannot be read") from error
        self._unread[what] = f"{type(error).__name__}: {error}"[:100]

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"{error.strerror or error}" if self.path.exists() else "deleted or moved"
            raise StudyError(
                f"the study's folder must stay and be writable while it is searched, got {self.path} ({what}). "
                "What was finished is kept, and the same command goes on."
            ) from error


def _salvaged(database: Path, error: DamagedStudyError) -> Salvage:
    salvage = Salvage(database, error.what)
    if not salvage.trials():
        raise DamagedStudyError(database.parent, salvage.damage) from error
    return salvage


def interrupted(trial: RunningTrial, error: str) -> FailedTrial:
    """A running trial as one that was cut off through no fault of its own."""
    now = datetime.now(UTC)
    fields = {field.name: getattr(trial, field.name) for field in dataclasses.fields(Trial)}
    seconds = max(0.0, (now - trial.started).total_seconds())
    return FailedTrial(**fields, ended=now, seconds=seconds, error=error, interrupted=True)
