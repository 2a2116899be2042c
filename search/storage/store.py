"""A study as it is kept: what it was made for, every trial, every confirmation, where the time went.

Either in a folder, or in a database (see `shared`) that holds the same trials and files::

    runs/photos/
    ├── study.json      what the study was made for; written once
    ├── study.db        the trials: an Optuna storage that optuna-dashboard opens as it is
    ├── confirm/        for each finalist and seed its scores (.json) and test predictions (.npz)
    ├── models/         each finalist's best seed by the validation split: see `models`
    ├── errors/         tracebacks of failed trials and confirmation runs
    ├── timing.json     seconds by phase, over all runs
    ├── runs.json       what each run of the search trained on
    ├── similarity.json the depth profile of the training images
    ├── test_files.json which files the test predictions are of
    ├── tied_images.json which of these belong together, where any do
    ├── closed.json     techniques that get no more trials; the last four of the first fold where there are folds
    ├── folds/          and of the others
    └── study.lock      held while a search runs; a database has leases instead
"""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import math
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from ...spaces.errors import DamagedStudyError
from ...spaces.ranges import Values
from ...spaces.recipe import Technique
from ...spaces.space import SearchSpace
from ..events import Listener, Warned, ignore
from ..seeds import derive
from ..selection import finalists
from ..settings import StudySettings
from ..trial import CompleteTrial, Confirmation, FailedTrial, FinishedTrial, Measurement, RunningTrial, Trial
from .base import OpenedStudy, StudyPlace, StudyTrials
from .decoding import RecordError, decode, load_arrays
from .notes import StudyNotes
from .places import as_place
from .records import Proposal, begun_trial, end_of, record_of
from .salvage import Salvage


class StudyStore:
    """What is kept of one study. Reading it changes nothing and may be done while a search writes.

    Made by `create` and `open`.

    Attributes:
        place: Where it is.
        settings: What the study was made for.
        files: Beside its trials.
        notes: What it has learned once.
    """

    def __init__(self, place: StudyPlace, parts: OpenedStudy, *, lenient: bool = False) -> None:
        self.place = place
        self.settings = parts.settings
        self.files = parts.files
        self.notes = StudyNotes(parts.files, parts.driver)
        self._source = parts.trials
        self._lenient = lenient
        self._unread: dict[str, str] = {}
        self._finished: dict[int, FinishedTrial] = {}
        self._space = SearchSpace.from_dict(parts.settings.space)
        self._fold: int | None = None

    @property
    def damage(self) -> str:
        """What could not be read so far, of a study that was opened to salvage it; empty where everything could."""
        parts = [self._source.damage] if isinstance(self._source, Salvage) else []
        return "; ".join([*parts, *(f"{what} cannot be read ({why})" for what, why in self._unread.items())])

    @classmethod
    def create(cls, place: StudyPlace | Path | str, settings: StudySettings) -> StudyStore:
        """A new study, or the one that another process has just made: see `StudyPlace.create`."""
        place = as_place(place)
        return cls(place, place.create(settings))

    @classmethod
    def open(cls, place: StudyPlace | Path | str, *, salvage: bool = False) -> StudyStore:
        """The study that is there: see `StudyPlace.open`. With ``salvage``, `damage` says what cannot be read."""
        place = as_place(place)
        return cls(place, place.open(salvage=salvage), lenient=salvage)

    @property
    def recorder(self) -> StudyTrials:
        """What records its trials, and says whose they are.

        Raises:
            DamagedStudyError: The study was opened to salvage what is sound of its trials.
        """
        if isinstance(self._source, Salvage):
            raise DamagedStudyError(self.place, self._source.damage)
        return self._source

    @property
    def folds(self) -> tuple[StudyStore, ...]:
        """The study as each fold's search sees it: its own trials, confirmations and notes, and a seed of its own.

        Where the images are not divided into folds, that is the study itself.
        """
        count = self.settings.data.folds
        return (self,) if count == 1 or self._fold is not None else tuple(map(self._of_fold, range(count)))

    @property
    def fold(self) -> int:
        """Which fold this is, from 0; 0 too where there are none."""
        return self._fold or 0

    def hold(self, listener: Listener = ignore) -> AbstractContextManager[None]:
        """Holds the study for the time of a search: see `StudyTrials.hold`. Its warnings become events."""
        return self.recorder.hold(lambda sentence: listener(Warned(sentence)))

    def begin(self, propose: Callable[[], Proposal | None]) -> RunningTrial | None:
        """Records that a trial begins; returns None where nothing is proposed. See `StudyTrials.begin`."""
        begun = self.recorder.begin(propose, lambda proposal: begun_trial(proposal, self._space))
        if begun is None:
            return None
        number, proposal = begun
        return RunningTrial(
            number=number,
            recipe=proposal.recipe,
            seed=proposal.seed,
            started=datetime.now(UTC),
            worker=proposal.worker,
            fold=proposal.fold,
        )

    def measure(self, number: int, measurement: Measurement) -> None:
        """Records one epoch of a running trial, for those who watch the storage."""
        if math.isfinite(measurement.score):
            self.recorder.measure(number, measurement.epoch, measurement.score)

    def finish(self, trial: FinishedTrial) -> bool:
        """Records a trial's end; returns False and records nothing where another driver has taken it over."""
        return self.recorder.finish(trial.number, *end_of(trial))

    def keep_traceback(self, number: int, text: str, *, seed: int | None = None) -> str:
        """Keeps the traceback of a failed trial, or of its confirmation with ``seed``, and says where, for messages."""
        name = f"errors/trial-{number:05}.txt" if seed is None else f"errors/confirm-{number:05}-{seed}.txt"
        self.files.write({name: text.encode("utf-8", "backslashreplace")})
        return self.files.where(name)

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
                except RecordError as error:
                    self._cannot_read(f"trial {frozen.number}", error)
                    continue
                if isinstance(trial, FinishedTrial):
                    self._finished[frozen.number] = trial
            found.append(trial)
        return tuple(trial for trial in found if self._fold in (None, trial.fold))

    def values(self) -> dict[int, Values]:
        """What was proposed, by trial."""
        return {frozen.number: frozen.user_attrs["values"] for frozen in self._frozen()}

    def sweep(self, own: Container[int] = (), trials: Sequence[Trial] | None = None) -> tuple[FailedTrial, ...]:
        """Records trials that no driver trains any more as interrupted. To be called by one who `hold`s the study.

        Args:
            own: Numbers of those that this driver trains.
            trials: All of them, where they have just been read.
        """
        trials = self.trials() if trials is None else trials
        running = {trial.number: trial for trial in trials if isinstance(trial, RunningTrial) and trial.number not in own}
        taken_over = self.recorder.take_over([*running])
        swept = [running[number].as_interrupted("cut off: the search was killed") for number in taken_over]
        return tuple(trial for trial in swept if self.finish(trial))

    def confirm(
        self, confirmation: Confirmation, probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, claim: str = ""
    ) -> Confirmation | None:
        """Records a confirmation and its test predictions, ``(n_test, classes)`` and ``(n_test,)``.

        Args:
            confirmation: Without the path of its predictions.
            probabilities: Of the test images.
            labels: True classes of the same images.
            claim: Of the task that this completes. Where another driver has it by now, nothing is recorded and None returned.
        """
        stem = f"confirm/{confirmation.recipe.technique}-{confirmation.trial:05}-{confirmation.seed}"
        stored = dataclasses.replace(confirmation, predictions=f"{stem}.npz", fold=self.fold)
        arrays = io.BytesIO()
        np.savez_compressed(arrays, probabilities=probabilities, labels=labels)
        fields = json.dumps(dataclasses.asdict(stored)).encode()
        # The scores last: without them the predictions are not looked at.
        written = self.files.write({f"{stem}.npz": arrays.getvalue(), f"{stem}.json": fields}, claim=claim)
        return stored if written else None

    def confirmations(self) -> tuple[Confirmation, ...]:
        """Every confirmation, technique by technique."""
        found = []
        for name in self.files.names("confirm"):
            if not name.endswith(".json"):
                continue
            try:
                confirmation = decode(self.files.read(name), Confirmation, name)
                if self._lenient:
                    self.predictions(confirmation)
            except DamagedStudyError as error:
                self._unread[name] = error.what
            except (OSError, RecordError) as error:
                self._cannot_read(name, error)
            else:
                found.append(confirmation)
        return tuple(one for one in found if self._fold in (None, one.fold))

    def finalists(self) -> dict[Technique, CompleteTrial]:
        """The trial of each technique that meets the test split: see `selection.finalists`.

        Of a study in folds, each of which has finalists of its own, these are the recipes that would be trained on all images.
        """
        return finalists(self.trials(), self.settings.metric)

    def predictions(self, confirmation: Confirmation) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The stored test predictions of a confirmation, and the labels.

        Raises:
            DamagedStudyError: They are missing, cut short or altered.
        """
        # By its last part alone: nothing outside the study is opened, whatever its file says.
        name = f"confirm/{Path(confirmation.predictions).name}"
        try:
            arrays = load_arrays(self.files.read(name))
            return arrays["probabilities"], arrays["labels"]
        except (OSError, RecordError, KeyError) as error:
            raise DamagedStudyError(self.place, f"{name} cannot be read") from error

    def stacked(self, confirmations: Sequence[Confirmation]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The predictions of confirmations of one technique, ``(seeds, n, classes)``, and the labels, ``(n,)``.

        Of several folds the images come one fold after the other, with as many seeds as each fold has.
        """
        by_fold: dict[int, list[tuple[NDArray[np.float32], NDArray[np.int64]]]] = {}
        for one in confirmations:
            by_fold.setdefault(one.fold, []).append(self.predictions(one))
        seeds = min(map(len, by_fold.values()))
        stacks = [np.stack([probabilities for probabilities, _ in by_fold[fold][:seeds]]) for fold in sorted(by_fold)]
        return np.concatenate(stacks, axis=1), np.concatenate([by_fold[fold][0][1] for fold in sorted(by_fold)])

    def _of_fold(self, number: int) -> StudyStore:
        own = copy.copy(self)
        own._fold = number
        own.settings = dataclasses.replace(self.settings, seed=derive(self.settings.seed, 9, number))
        own.notes = self.notes.of_fold(number)
        return own

    def _frozen(self) -> list[FrozenTrial]:
        try:
            found = self._source.trials()
        except DamagedStudyError as error:
            if not self._lenient:
                raise
            self._source = self.place.salvage(error)
            found = self._source.trials()
        return [frozen for frozen in found if "recipe" in frozen.user_attrs]

    def _cannot_read(self, what: str, error: Exception) -> None:
        if not self._lenient:
            raise DamagedStudyError(self.place, f"{what} cannot be read ({error})") from error
        self._unread[what] = str(error)[:100]
