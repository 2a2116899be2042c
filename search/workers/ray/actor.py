"""A worker as a Ray actor: a process on some node that answers the same messages as a worker process of this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from ..inside import Inside, prepare
from ..messages import FromWorker, ToWorker


@dataclass(frozen=True, slots=True)
class Home:
    """Where an actor came up.

    Attributes:
        node: Ray's id of the node.
        pid: Of its process there.
    """

    node: str
    pid: int


class TrainingActor:
    """Ends with the driver, with its node, or when it is killed; Ray restarts nothing.

    Args:
        environment: Variables of the driver's that training depends on.
    """

    def __init__(self, threads: int, environment: Mapping[str, str]) -> None:
        # Ctrl-C reaches the processes that a driver has started; what becomes of a running trial is for the driver to say.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.environ.update(environment)
        self._threads = threads
        self._inside = Inside(threads)

    def home(self) -> Home:
        """Where this is: Ray chose the node."""
        import ray

        return Home(ray.get_runtime_context().get_node_id(), os.getpid())

    def warm_up(self) -> None:
        """Imports what takes long, while the node is being given its data."""
        prepare(self._threads)

    def answer(self, message: ToWorker) -> FromWorker:
        """See `Inside`."""
        return self._inside.answer(message)
