"""The contract of what records a study's trials: a file that one driver holds, or a database that several drivers share.

A driver is a process that runs a search. What it has begun, a trial or a confirmation run, is its own until it has recorded the
end, or until it has been silent for so long that another driver may take it over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

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
        Every method raises `StudyError`, and nothing else of the user's, where the study cannot be read or written.
    """

    shared = False
    """Whether several drivers may be working on the study."""

    @abstractmethod
    def hold(self, notify: Notify) -> AbstractContextManager[None]:
        """For the time of a search: what is begun within the block belongs to this driver.

        Args:
            notify: Told of trouble that the search goes on in spite of.

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
    def begin(self, propose: Callable[[], FrozenTrial | None]) -> int | None:
        """Records a trial that begins, and gives its number.

        Args:
            propose: Gives the trial, or None for none at the moment. It is called again where the database has gone away
                before the trial was recorded.
        """

    @abstractmethod
    def measure(self, number: int, step: int, value: float) -> None:
        """Records an intermediate value of a running trial."""

    @abstractmethod
    def finish(self, number: int, attributes: dict[str, Any], state: TrialState, values: Sequence[float] | None) -> bool:
        """Records a trial's end; gives False and records nothing where the trial belongs to another driver by now."""

    @abstractmethod
    def take_over(self, running: Sequence[int]) -> list[int]:
        """Makes those of the running trials this driver's that no driver is training any more, and gives their numbers.

        Args:
            running: Trials that have not ended, without those that this driver trains itself.
        """

    def owns(self, number: int) -> bool:
        """Whether a trial that this driver has begun still belongs to it, as far as it knows."""
        return True

    def claim(self, task: str) -> bool:
        """Takes something that only one driver should do, whatever it is called; False where another is at it.

        A claim ends with `StudyFiles.write`, with `release`, or with its driver.
        """
        return True

    def release(self, task: str) -> None:  # noqa: B027
        """Gives a claim back undone."""
