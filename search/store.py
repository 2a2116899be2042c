"""A study on disk: what it was made for, every trial, every confirmation, where the time went.

::

    runs/photos/
    ├── study.json      what the study was made for; written once
    ├── study.db        the trials: an Optuna storage that optuna-dashboard opens as it is
    ├── confirm/        for each finalist and seed its scores (.json) and test predictions (.npz)
    ├── models/         each finalist's best seed by the validation split: see `kept`
    ├── timing.json     seconds by phase, over all runs
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
import optuna
from numpy.typing import NDArray
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from ..spaces.errors import StudyError
from ..spaces.ranges import Values
from ..spaces.recipe import Recipe
from ..spaces.space import SearchSpace
from .distributions import distributions
from .metrics import maximized
from .paths import atomic_write
from .records import confirmation_of, record_of, result_of, settings_of
from .settings import StudySettings
from .trial import Confirmation, FailedTrial, FinishedTrial, Measurement, PrunedTrial, RunningTrial, Trial

SCHEMA = 1
"""Of the study's folder. A study of a later one is refused."""

_SETTINGS, _DATABASE = "study.json", "study.db"
_LEFT_BY_A_KILL = (_DATABASE, "study.lock", "study.lock.json")
"""What a folder may hold that is to become a study."""

_STORAGE_ERRORS = (SQLAlchemyError, optuna.exceptions.StorageInternalError, RuntimeError)
"""What a damaged database makes Optuna and SQLAlchemy raise; RuntimeError where its tables are of another version."""


class StudyStore:
    """The folder of one study. Reading it changes nothing and may be done while a search writes."""

    def __init__(self, path: Path, settings: StudySettings) -> None:
        self.path = path
        self.settings = settings
        self._storage = _open_storage(path / _DATABASE)
        try:
            self._study_id = self._storage.get_study_id_from_name(settings.name)
        except KeyError as error:
            raise _damaged(path, f"{_DATABASE} does not hold the study {settings.name!r}") from error
        self._ids: dict[int, int] = {}

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether there is a study in the folder."""
        return (path / _SETTINGS).is_file()

    @classmethod
    def check_folder(cls, path: Path, *, fresh: bool = False) -> None:
        """Checks that a study is in the folder, or may be made there; changes nothing.

        Args:
            path: The folder, or where it is to be.
            fresh: Whether a study that is there is to be deleted.

        Raises:
            StudyError: The folder holds something else, or cannot be read.
        """
        try:
            if cls.exists(path) or not path.exists():
                return
            if not path.is_dir():
                raise StudyError(f"--study must be a folder, got {path} (a file). Name another.")
            foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in _LEFT_BY_A_KILL)
        except OSError as error:
            raise _unusable(path, error) from error
        if fresh:
            raise StudyError(f"--fresh deletes a study, got {path}, which holds none. Nothing was changed.")
        if foreign:
            raise StudyError(
                f"--study must be a new folder or one that holds a study, got {path}, which holds {foreign[0]}"
                f"{' and more' if len(foreign) > 1 else ''}. Nothing was changed. Name another folder."
            )

    @classmethod
    def create(cls, path: Path, settings: StudySettings) -> StudyStore:
        """A new study in a new or empty folder.

        Raises:
            StudyError: The folder holds something else, or cannot be written.
        """
        cls.check_folder(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            # A database without settings is what a kill leaves between the two.
            (path / _DATABASE).unlink(missing_ok=True)
            storage = _open_storage(path / _DATABASE)
            direction = "MAXIMIZE" if maximized(settings.metric) else "MINIMIZE"
            storage.create_new_study([optuna.study.StudyDirection[direction]], settings.name)
            with atomic_write(path / _SETTINGS) as file:
                fields = {"schema": SCHEMA, **dataclasses.asdict(settings)}
                file.write(json.dumps(fields, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        except OSError as error:
            raise _unusable(path, error) from error
        return cls(path, settings)

    @classmethod
    def open(cls, path: Path | str) -> StudyStore:
        """The study in a folder.

        Raises:
            StudyError: There is none, it is damaged, or a later version of tlsearch made it.
        """
        path = Path(path)
        if not cls.exists(path):
            what = "no such folder" if not path.exists() else "no study in it"
            raise StudyError(f"STUDY must be a folder that `tlsearch run` made, got {path} ({what}).")
        try:
            fields = json.loads((path / _SETTINGS).read_bytes().decode("utf-8", "surrogatepass"))
            schema = fields.pop("schema")
            if schema > SCHEMA:
                raise StudyError(f"{path} was made by a later version of tlsearch (schema {schema}). Update tlsearch.")
            settings = settings_of(fields)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path, f"{_SETTINGS} cannot be read") from error
        if not (path / _DATABASE).is_file():
            raise _damaged(path, f"{_DATABASE} is missing")
        return cls(path, settings)

    def start(self, values: Values, recipe: Recipe, *, seed: int, worker: str = "") -> RunningTrial:
        """Records that a trial begins."""
        trial_id = self._storage.create_new_trial(
            self._study_id,
            create_trial(
                state=TrialState.RUNNING,
                params={name: value for name, value in values.items() if name != "epochs"},
                distributions=distributions(SearchSpace.from_dict(self.settings.space), values),
                user_attrs={
                    "technique": str(recipe.technique),
                    "recipe": recipe.as_dict(),
                    "values": values,
                    "seed": seed,
                    "worker": worker,
                    "owner": {"host": socket.gethostname(), "pid": os.getpid()},
                },
            ),
        )
        number = self._storage.get_trial_number_from_id(trial_id)
        self._ids[number] = trial_id
        return RunningTrial(number=number, recipe=recipe, seed=seed, started=datetime.now(UTC), worker=worker)

    def measure(self, number: int, measurement: Measurement) -> None:
        """Records one epoch of a running trial, for those who watch the storage."""
        if math.isfinite(measurement.score):
            self._storage.set_trial_intermediate_value(self._id(number), measurement.epoch, measurement.score)

    def finish(self, trial: FinishedTrial) -> None:
        """Records a trial's end."""
        trial_id = self._id(trial.number)
        for name, value in result_of(trial).items():
            self._storage.set_trial_user_attr(trial_id, name, value)
        if isinstance(trial, FailedTrial):
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        else:
            state = TrialState.PRUNED if isinstance(trial, PrunedTrial) else TrialState.COMPLETE
            self._storage.set_trial_state_values(trial_id, state, [trial.score])  # type: ignore[attr-defined]

    def trials(self) -> tuple[Trial, ...]:
        """Every trial, in the order of the numbers."""
        return tuple(record_of(frozen) for frozen in self._frozen())

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
        folder.mkdir(exist_ok=True)
        stem = f"{confirmation.recipe.technique}-{confirmation.trial:05}-{confirmation.seed}"
        stored = dataclasses.replace(confirmation, predictions=f"confirm/{stem}.npz")
        with atomic_write(folder / f"{stem}.npz") as file:
            np.savez_compressed(file, probabilities=probabilities, labels=labels)
        with atomic_write(folder / f"{stem}.json") as file:
            fields = {**dataclasses.asdict(stored), "recipe": stored.recipe.as_dict()}
            file.write(json.dumps(fields).encode())
        return stored

    def confirmations(self) -> tuple[Confirmation, ...]:
        """Every confirmation, technique by technique."""
        paths = sorted((self.path / "confirm").glob("*.json"))
        try:
            return tuple(confirmation_of(json.loads(path.read_bytes())) for path in paths)
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(self.path, "a file in confirm/ cannot be read") from error

    def predictions(self, confirmation: Confirmation) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The stored test predictions of a confirmation, and the labels."""
        with np.load(self.path / confirmation.predictions, allow_pickle=False) as file:
            return file["probabilities"], file["labels"]

    def add_timing(self, phase: str, seconds: float) -> None:
        """Adds to the seconds that a phase has taken."""
        timing = self.timing()
        timing[phase] = timing.get(phase, 0.0) + seconds
        with atomic_write(self.path / "timing.json") as file:
            file.write(json.dumps(timing).encode())

    def timing(self) -> dict[str, float]:
        """Seconds by phase, over all runs."""
        try:
            return dict(json.loads((self.path / "timing.json").read_bytes()))
        except (OSError, ValueError):
            return {}

    def _frozen(self) -> list[FrozenTrial]:
        try:
            return self._storage.get_all_trials(self._study_id, deepcopy=False)
        except _STORAGE_ERRORS as error:
            raise _damaged(self.path, f"{_DATABASE} cannot be read") from error

    def _id(self, number: int) -> int:
        if number not in self._ids:
            self._ids[number] = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._ids[number]


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Holds the study against other processes that would search in it.

    Raises:
        StudyError: One does already; the message names it.
    """
    from filelock import FileLock, Timeout

    holder = path / "study.lock.json"
    lock = FileLock(path / "study.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        who = "another process"
        with contextlib.suppress(OSError, ValueError, KeyError):
            by = json.loads(holder.read_bytes())
            who = f"process {by['pid']} on {by['host']}"
        raise StudyError(f"{path} is being searched by {who}. Wait for it, or end it, then try again.") from error
    except OSError as error:
        raise StudyError(f"the study's folder must be writable, got {path} ({error.strerror}).") from error
    try:
        with atomic_write(holder) as file:
            file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def interrupted(trial: RunningTrial, error: str) -> FailedTrial:
    """A running trial as one that was cut off through no fault of its own."""
    now = datetime.now(UTC)
    fields = {field.name: getattr(trial, field.name) for field in dataclasses.fields(Trial)}
    seconds = max(0.0, (now - trial.started).total_seconds())
    return FailedTrial(**fields, ended=now, seconds=seconds, error=error, interrupted=True)


def list_studies(runs: Path) -> list[Path]:
    """The studies directly in a folder, the newest first."""
    found = [path.parent for path in runs.glob(f"*/{_SETTINGS}")] if runs.is_dir() else []
    return sorted(found, key=lambda path: max(entry.stat().st_mtime for entry in path.glob("study.[dj]*")), reverse=True)


def _open_storage(path: Path) -> RDBStorage:
    optuna.logging.disable_default_handler()
    try:
        return RDBStorage(f"sqlite:///{path.resolve()}", engine_kwargs={"connect_args": {"timeout": 60}})
    except _STORAGE_ERRORS as error:
        raise _damaged(path.parent, f"{path.name} cannot be opened") from error


def _unusable(path: Path, error: OSError) -> StudyError:
    return StudyError(
        f"the study's folder must be writable, got {path} ({error.strerror or error}). Name another with --study."
    )


def _damaged(path: Path, what: str) -> StudyError:
    return StudyError(
        f"the study in {path} is damaged: {what}. Nothing was changed. Restore it, or name another folder with --study."
    )
