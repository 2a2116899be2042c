"""Keeps TensorFlow's start-up notices off the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_native() -> Iterator[None]:
    """What native code writes to standard error meanwhile is dropped.

    TensorFlow writes notices there while it is imported, before any of its settings for logging has an effect.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def import_keras() -> None:
    """Imports Keras without TensorFlow's notices, and keeps its later ones off too where nobody has asked for them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A process that searches may be on the same GPU.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with quiet_native():
        import keras  # noqa: F401
