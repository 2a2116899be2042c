"""The contract of what records a study's trials: a file that one driver holds, or a database that several drivers share.

A driver is a process that runs a search. What it has begun, a trial or a confirmation run, is its own until it has recorded the
end, or until it has been silent for so long that another driver may take it over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...spaces.errors import DamagedStudyError
from ..settings import StudySettings
from .records import Proposal
from .salvage import Salvage

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, TrialState

POLL_SECONDS = 2.0
"""Between two looks at what other drivers do, for a driver that has nothing else to do."""

Notify = Callable[[str], None]
"""Takes one sentence for the user."""


class StudyTrials(ABC):
    """The trials of one study, and whose they are.

    What a caller may assume
        A trial that has ended never changes. What `begin` is given is called alone: of all drivers one at a time decides what
        to begin next, and sees everything that was begun before. An end is recorded by the driver that the trial belongs to,
        and by no other. The study must be held for everything but `trials`.

    What an implementer must keep
        A study that cannot be read or written is a `StudyError` of every method.
    """

    shared = False
    """Whether several drivers may be working on the study."""

    @abstractmethod
    def hold(self, notify: Notify) -> AbstractContextManager[None]:
        """For the time of a search: what is begun within the block belongs to this driver.

        Args:
            notify: Receives warnings that do not end the search.

        Raises:
            StudyError: Another driver searches in the study, and it is not shared.
        """

    @abstractmethod
    def trials(self) -> list[FrozenTrial]:
        """Every trial, by number. Those that were finished at the last call are not read again."""

    @abstractmethod
    def storage(self, kind: type[RDBStorage]) -> RDBStorage:
        """Optuna's storage that holds the study, for Optuna's own tools.

        Args:
            kind: Of Optuna's, or one that does more.
        """

    @abstractmethod
    def begin(
        self, propose: Callable[[], Proposal | None], as_stored: Callable[[Proposal], FrozenTrial]
    ) -> tuple[int, Proposal] | None:
        """Records a trial that begins, and returns its number and what was proposed for it.

        Args:
            propose: Returns the proposal, or None for none at the moment. It is called again if the connection is lost before
                the trial is committed.
            as_stored: Makes the trial that is stored from a proposal.
        """

    @abstractmethod
    def measure(self, number: int, step: int, value: float) -> None:
        """Records an intermediate value of a running trial."""

    @abstractmethod
    def finish(self, number: int, attributes: dict[str, Any], state: TrialState, values: Sequence[float] | None) -> bool:
        """Records a trial's end; returns False and records nothing where another driver has taken the trial over."""

    @abstractmethod
    def take_over(self, running: Sequence[int]) -> list[int]:
        """Takes over those running trials that no driver trains any more, and returns their numbers.

        Args:
            running: Trials that have not ended, without those that this driver trains itself.
        """

    def owns(self, number: int) -> bool:
        """Whether a trial that this driver has begun still belongs to it, as far as it knows."""
        return True

    def claim(self, task: str) -> bool:
        """Claims a task, under any name, that only one driver should do; False where another driver has it.

        A claim ends with `StudyFiles.write`, with `release`, or with its driver.
        """
        return True

    def release(self, task: str) -> None:  # noqa: B027
        """Releases a claim whose task is not done."""


class StudyFiles(ABC):
    """Files by name, at most one folder deep: ``timing.json``, ``confirm/full-00007-42.npz``.

    What a caller may assume
        Writes are atomic: no reader sees half of a file. A file that is written again is replaced.

    What an implementer must keep
        The errors of the underlying storage become the two that each method names.
    """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """What a file holds.

        Raises:
            OSError: It is not there, or cannot be read.
            StudyError: The place where the study is kept does not answer.
        """

    @abstractmethod
    def write(self, files: Mapping[str, bytes], *, claim: str = "") -> bool:
        """Writes files, in this order.

        Args:
            files: Name → content.
            claim: Of the task that these complete (see `StudyTrials.claim`); it ends with the write.

        Returns:
            Whether they are written; False where another driver has taken the claim over.

        Raises:
            StudyError: They cannot be written.
        """

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, with the folder's, sorted."""

    @abstractmethod
    def where(self, name: str) -> str:
        """Where a file is, for messages."""

    @abstractmethod
    def total_bytes(self, folder: str) -> int:
        """Bytes of all files in a folder; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class OpenedStudy:
    """A study's parts.

    Attributes:
        settings: What it was made for.
        trials: What records its trials, or what is left of that.
        files: Beside the trials.
        driver: This driver's name; empty where there can be no other.
    """

    settings: StudySettings
    trials: StudyTrials | Salvage
    files: StudyFiles
    driver: str = ""


class StudyPlace(ABC):
    """Where a study is, or is to be: a folder, or a name in a shared database. Its text is fit for messages.

    What a caller may assume
        Places that are equal are of one study. What opens, checks or reads a study changes nothing.

    What an implementer must keep
        A place that cannot be read or written is a `StudyError` of every method.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Of the study."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Its text, the same from every working directory."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is a study."""

    @abstractmethod
    def check(self, *, fresh: bool = False) -> None:
        """Checks that a study is there, or may be made.

        Args:
            fresh: Whether a study that is there is to be deleted.

        Raises:
            StudyError: The place holds something else.
        """

    @abstractmethod
    def settings(self) -> StudySettings:
        """What the study was made for.

        Raises:
            StudyError: There is none, or a later version of tlsearch made it.
            DamagedStudyError: It cannot be read.
        """

    @abstractmethod
    def create(self, settings: StudySettings) -> OpenedStudy:
        """Makes a study; opens the one that is there where another process has just made it.

        Raises:
            StudyError: The place holds something else.
        """

    @abstractmethod
    def open(self, *, salvage: bool = False) -> OpenedStudy:
        """Opens the study that is there.

        Args:
            salvage: Whether what is sound of a damaged study will do.

        Raises:
            StudyError: There is none, or another version of tlsearch made it.
            DamagedStudyError: It is damaged; with ``salvage``, beyond what can be read.
        """

    @abstractmethod
    def delete(self) -> None:
        """Deletes the study; does nothing where there is none.

        Raises:
            StudyError: The place holds something else, or a driver is searching in the study.
        """

    def salvage(self, error: DamagedStudyError) -> Salvage:
        """What is sound of the damaged trials; where none are, raises the error."""
        raise error
