"""One worker on a cluster: an actor, where it is, and what it died of."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from ..messages import Begin, ToWorker
from ..pool import Worker
from .actor import TrainingActor
from .node import Node

_PASSED_ON = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS")
"""Variables of the driver's that its workers take over wherever they are; folders differ from node to node."""


class RayWorker(Worker):
    """One actor.

    Args:
        name: Until it has a place.
        options: Of the actor, in Ray's words.
        threads: Cores that it may keep busy.

    Attributes:
        answer: Ray's reference to what it will say next; None where it was asked nothing.
    """

    def __init__(self, name: str, options: Mapping[str, Any], threads: int) -> None:
        super().__init__(name)
        environment = {variable: os.environ[variable] for variable in _PASSED_ON if variable in os.environ}
        self._make = ray.remote(TrainingActor).options(max_restarts=0, max_task_retries=0, **options)
        self._arguments = (threads, environment)
        self._place: tuple[Node, int] | None = None
        self._actor, self.answer = self._start()

    @property
    def node(self) -> Node | None:
        """Where it is; None while it has no place."""
        return None if self._place is None else self._place[0]

    @property
    def process_id(self) -> tuple[Node, int] | None:
        # While it waits for its node's data or for the driver, it cannot hang.
        return None if self.answer is None else self._place

    @property
    def at_cache(self) -> bool:
        return self.node is not None and self.node.shares_cache

    @property
    def waits_for_data(self) -> bool:
        """Whether it has a place and was not told to begin."""
        return self.node is not None and not self.ready and self.answer is None

    def arrive(self, node: Node, pid: int, name: str) -> None:
        """Notes where the actor came up."""
        self._place, self.name = (node, pid), name

    def begin(self, begin: Begin) -> None:
        """Does nothing: its pool sends the message once its node is prepared."""

    def send(self, message: ToWorker) -> None:
        self.answer = self._actor.answer.remote(message)

    def kill(self) -> None:
        ray.kill(self._actor)

    def _start_again(self) -> None:
        self.kill()
        self._place = None
        self._actor, self.answer = self._start()

    def _start(self) -> tuple[Any, Any]:
        """A new actor, and the reference to where it will come up."""
        actor = self._make.remote(*self._arguments)
        home = actor.home.remote()
        actor.warm_up.remote()
        return actor, home


def reason_of(error: RayError) -> str:
    """Why an actor gave no answer, in one line."""
    if isinstance(error, OutOfMemoryError):
        return "out of memory"
    if isinstance(error, RayTaskError):
        return f"{type(error.cause).__name__}: {error.cause}"[:200]
    words = " ".join(str(error).split())
    # What follows lists what may have been the cause.
    detail = re.split(r"(?:There are s|S)ome (?:potential|common) ", words.split("Worker exit detail:")[-1])[0]
    return f"killed, crashed or out of memory; Ray says: {detail.strip()[:200]}"
