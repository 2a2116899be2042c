"""What the fork server imports before any worker is copied from it; for nothing else to import."""

from __future__ import annotations

import atexit
import gc
import os
import signal
from contextlib import suppress

from ...spaces.quiet import quiet_native
from ..machine.parent import killed_with_parent

# Ctrl-C reaches the whole process group, and would end the import with a traceback.
signal.signal(signal.SIGINT, signal.SIG_IGN)
# One thread, or it could not be copied: each copy says itself how many it wants.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
with killed_with_parent(), quiet_native(), suppress(Exception):
    # Whatever is wrong is met again by the worker, which says so.
    from .inside import import_keras

    import_keras()
# Copies then share these pages until they write to them.
gc.freeze()
# It ends when the main process does, and at once: TensorFlow would take a second to tear down.
atexit.register(os._exit, 0)
