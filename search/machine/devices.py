"""What trains: the GPUs of this machine, which worker gets which, and how a worker sets Keras up for its own.

A worker is pinned to its GPU before its backend is imported, so that each sees one device and needs no placing of its own. More
workers than GPUs share them in turn: memory is then taken as it is needed, never a whole GPU's at once.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ...spaces.errors import OptionError
from ...spaces.quiet import quiet_native

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable that CUDA itself reads: which GPUs a process sees, by number or identifier."""

BACKENDS = ("tensorflow", "jax", "torch")
"""Keras' backends that train; each is the name of its package too."""

HALF_PRECISION = "mixed_float16"
"""Keras' policy on a GPU: tensor cores have half precision from compute capability 7.0 on (Keras' guide to mixed precision).
bfloat16 would need no scaling of the loss, but 8.0, and keeps 3 bits fewer of features that are cached in float16."""

TENSOR_CORES = (7, 0)
"""Compute capability from which half precision is faster."""

MOST_WORKERS = 16
"""That are started unasked."""

_PATIENCE = 120.0
"""Seconds that a backend may take to say which GPUs it sees; the first time it compiles for a new one."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a worker trains on.

    Attributes:
        backend: Of Keras: ``tensorflow``, ``jax`` or ``torch``.
        name: The GPU's, as its driver gives it; ``CPU`` without one.
        dtype_policy: What layers compute in, by Keras' names: ``float32`` or ``mixed_float16``.
    """

    backend: str
    name: str = "CPU"
    dtype_policy: str = "float32"


def backend_name() -> str:
    """Keras' backend as the environment has it, by its default where it says nothing."""
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def check_backend() -> None:
    """Finds a backend that is none or not installed before any work is done for it.

    Raises:
        OptionError: It is; the message says which are.
    """
    name = backend_name()
    if name not in BACKENDS:
        raise OptionError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}, got {name}. Unset it for tensorflow.")
    if importlib.util.find_spec(name) is None:
        raise OptionError(
            f"KERAS_BACKEND must be installed, got {name}. Install it (pip install {name}), or unset KERAS_BACKEND."
        )


@cache
def find_gpus() -> tuple[str, ...]:
    """The GPUs that the installed backend can train on, by the identifiers that `VISIBLE` takes; empty without one.

    A machine may have GPUs and a backend that was built without them: where the driver lists some, a process of its own asks
    the backend, which takes seconds, once.
    """
    listed = visible_gpus(os.environ, _driver_list)
    if not listed:
        return ()
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    asked = spawn.Process(target=_tell_gpus, args=(theirs,), daemon=True)
    asked.start()
    theirs.close()
    try:
        return listed[: ours.recv()] if ours.poll(_PATIENCE) else ()
    except EOFError:
        # A backend that dies at the sight of the GPUs cannot train on them.
        return ()
    finally:
        asked.kill()
        asked.join()


def visible_gpus(environment: Mapping[str, str], driver_list: Callable[[], str]) -> tuple[str, ...]:
    """GPUs by their identifiers.

    Args:
        environment: Where `VISIBLE` may say which; as CUDA reads it, the first that is no device ends the list.
        driver_list: Gives what ``nvidia-smi -L`` writes; asked where `VISIBLE` is not set.
    """
    if VISIBLE in environment:
        names = [name.strip() for name in environment[VISIBLE].split(",")]
        end = next((place for place, name in enumerate(names) if name in ("", "-1")), len(names))
        return tuple(names[:end])
    found: list[str] = []
    for line in driver_list().splitlines():
        if match := re.search(r"UUID: ((?:GPU|MIG)-[\w/-]+)", line):
            # The instances that a GPU is divided into stand below it, and are used in its place.
            if match[1].startswith("MIG") and found and found[-1].startswith("GPU"):
                found.pop()
            found.append(match[1])
    return tuple(found)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def plan_workers(asked: int | None, *, cores: int, affordable: int, gpus: Sequence[str]) -> tuple[int, int, tuple[str, ...]]:
    """How many workers, threads for each, and the GPU of each.

    Args:
        asked: Workers; None for one a GPU, or one a core where there is none.
        cores: Of the processor.
        affordable: Workers that the memory has room for.
        gpus: As `find_gpus` gives them.
    """
    count = asked or max(1, min(len(gpus) or cores, affordable, MOST_WORKERS))
    own = tuple(gpus[place % len(gpus)] for place in range(count)) if gpus else ()
    return count, max(1, cores // count), own


def pin(gpu: str | None, environment: MutableMapping[str, str]) -> None:
    """Lets a process see its GPU alone, and take its memory as it needs it. To be called before a backend is imported.

    Args:
        gpu: None leaves the choice to the backend.
        environment: Of the process.
    """
    if gpu is not None:
        environment[VISIBLE] = gpu
    environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def set_up_keras() -> None:
    """Chooses what layers compute in, for this process; to be called before any is made."""
    import keras

    keras.config.set_dtype_policy(choose_policy([capability for _, capability in _gpus()]))


def current_device() -> Device:
    """What this process trains on."""
    import keras

    found = _gpus()
    return Device(keras.backend.backend(), found[0][0] if found else "CPU", keras.config.dtype_policy().name)


def choose_policy(capabilities: Sequence[tuple[int, int] | None]) -> str:
    """Keras' dtype policy for GPUs of these compute capabilities; one that is not known is taken for a recent one."""
    able = capabilities and all(one is None or one >= TENSOR_CORES for one in capabilities)
    return HALF_PRECISION if able else "float32"


def is_out_of_memory(error: Exception) -> bool:
    """Whether a backend, or Python, has run out of memory: told by names, so that no backend is imported for it."""
    named = type(error).__name__ in ("ResourceExhaustedError", "OutOfMemoryError")
    return named or isinstance(error, MemoryError) or str(error).startswith("RESOURCE_EXHAUSTED")


def _gpus() -> list[tuple[str, tuple[int, int] | None]]:
    """Name and compute capability of each GPU that Keras' backend sees."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        return [(found.get("device_name", "GPU"), found.get("compute_capability")) for found in details]
    if keras.backend.backend() == "torch":
        import torch

        places = range(torch.cuda.device_count())
        return [(torch.cuda.get_device_name(place), torch.cuda.get_device_capability(place)) for place in places]
    import jax

    return [(gpu.device_kind, _capability(gpu)) for gpu in jax.devices() if gpu.platform != "cpu"]


def _capability(gpu: Any) -> tuple[int, int] | None:
    """Of one of jax' devices: ``8.0``, and nothing on other makers' GPUs."""
    match = re.fullmatch(r"(\d+)\.(\d+)", str(getattr(gpu, "compute_capability", "")))
    return (int(match[1]), int(match[2])) if match else None


def _tell_gpus(connection: Connection) -> None:
    pin(None, os.environ)
    with quiet_native():
        count = len(_gpus())
    connection.send(count)


def _driver_list() -> str:
    command = shutil.which("nvidia-smi")
    if command is None:
        return ""
    try:
        done = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


_MEMORY_LIMITS = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says what a container may have: in version 2 of its control groups, and in version 1."""


def machine_memory(root: Path = Path("/")) -> int:
    """Bytes of memory that this process could have: the machine's, or the limit of its container.

    Args:
        root: Of the file system.
    """
    import psutil

    memory = int(psutil.virtual_memory().total)
    for file in _MEMORY_LIMITS:
        # "max", or a number beyond all memory, where there is no limit.
        with suppress(OSError, ValueError):
            memory = min(memory, int((root / file).read_text(encoding="ascii")))
    return memory
