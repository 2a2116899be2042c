"""What is not public of Ray, all in one place: a test of this module fails where a new version of Ray has changed it."""

from __future__ import annotations


def silence_nodes() -> None:
    """Keeps Ray from printing what it has to say of its nodes; ``ray.init(log_to_driver=False)`` lets that through.

    Ray's own debugger (`ray.util.rpdb`) does it in the same way.
    """
    from ray._private import worker

    worker._worker_logs_enabled = False
