"""How worker processes start: as copies of one process that has imported Keras, or each by itself.

The fork server imports Keras once, from Enter on, while the main process reads images and opens the study; workers are then
there at once and share what it has read. Copies are safe where it has a single thread and TensorFlow has computed nothing yet,
so that nothing is half done in a copy: on Linux, without a GPU, with TensorFlow, whose import starts no thread. Elsewhere each
worker is a new process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from multiprocessing import current_process, forkserver, get_context
from multiprocessing.context import BaseContext
from typing import Any

from ..machine.devices import backend_name

_PRELOADED = f"{__package__}.preload"

_READ_BY_IMPORTS = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_XLA_FLAGS": "", "XLA_FLAGS": ""}
"""Variables that are read while Keras is imported, beside its backend's, and what they are where they are not set."""

_NAMELESS: int = getattr(os, "O_PATH", 0)
"""How a socket's file is opened, which is to be reached without its name: Linux' own."""

_imported_with: tuple[str, ...] | None = None


def start() -> None:
    """Begins to import Keras in the background, where workers can be copies; does nothing where it has begun."""
    global _imported_with
    if _imported_with is None and is_possible():
        get_context("forkserver").set_forkserver_preload([_PRELOADED])
        _start_without_a_trace()
        _imported_with = _settings()


def is_possible() -> bool:
    """Whether workers can be copies."""
    if not _NAMELESS or backend_name() != "tensorflow" or shutil.which("nvidia-smi"):
        return False
    try:
        # Not in every container.
        os.close(os.open("/proc/self/fd", _NAMELESS))
    except OSError:
        return False
    return True


def worker_context() -> BaseContext:
    """What a worker without a GPU of its own is made by."""
    start()
    # A copy would not see what has been set since.
    return get_context("forkserver" if _imported_with == _settings() else "spawn")


def _start_without_a_trace() -> None:
    """Starts it so that a kill leaves nothing behind: its socket loses its name at once, and is reached by an open file."""
    server: Any = forkserver._forkserver
    config: dict[str, str] = current_process()._config  # type: ignore[attr-defined]
    kept = config.copy()
    with tempfile.TemporaryDirectory(prefix="tlsearch-") as folder:
        # By its number, since a socket's path may have 107 bytes.
        number = os.open(folder, _NAMELESS)
        config["tempdir"] = f"/proc/self/fd/{number}"
        try:
            forkserver.ensure_running()
        finally:
            config.clear()
            config.update(kept)
        server._forkserver_address = f"/proc/self/fd/{os.open(server._forkserver_address, _NAMELESS)}"
        os.close(number)


def _settings() -> tuple[str, ...]:
    return backend_name(), *(os.environ.get(name, unset) for name, unset in _READ_BY_IMPORTS.items())
