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

_PASSED_ON = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
"""Variables of the driver's that its workers take over wherever they are; folders differ from node to node."""


class RayWorker(Worker):
    """One actor.

    Args:
        name: Until it has a place.
        options: Of the actor, in Ray's words.
        threads: Cores that it may keep busy.

    Attributes:
        node: Where it is; None while it has no place.
        answer: Ray's reference to what it will say next; None where it was asked nothing.
    """

    node: Node | None
    answer: Any

    def __init__(self, name: str, options: Mapping[str, Any], threads: int) -> None:
        super().__init__(name)
        environment = {variable: os.environ[variable] for variable in _PASSED_ON if variable in os.environ}
        self._make = ray.remote(TrainingActor).options(max_restarts=0, max_task_retries=0, **options)
        self._arguments = (threads, environment)
        self._start()

    @property
    def process_id(self) -> tuple[Node, int] | None:
        # A process that waits for its node's data or for the driver hangs from nothing of its own.
        return None if self.node is None or self.answer is None else (self.node, self._pid)

    @property
    def at_cache(self) -> bool:
        return self.node is not None and self.node.shares_cache

    @property
    def waits_for_data(self) -> bool:
        """Whether it has a place and was not told to begin."""
        return self.node is not None and not self.ready and self.answer is None

    def arrive(self, node: Node, pid: int, name: str) -> None:
        """Takes note of where the actor came up."""
        self.node, self._pid, self.name = node, pid, name

    def begin(self, begin: Begin) -> None:
        """See `Worker`. Its pool sends the message once its node is prepared."""

    def send(self, message: ToWorker) -> None:
        self.answer = self._actor.answer.remote(message)

    def kill(self) -> None:
        ray.kill(self._actor)

    def restart(self) -> None:
        self.kill()
        self.ready, self.kill_reason = False, ""
        self._start()

    def _start(self) -> None:
        self.node = None
        self._pid = 0
        self._actor = self._make.remote(*self._arguments)
        self.answer = self._actor.home.remote()
        self._actor.warm_up.remote()


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
