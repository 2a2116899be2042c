"""The cache of backbones: building one with Keras, only to read its weights, takes a worker seconds; its file milliseconds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ...spaces.backbone.network import Network, Step
from ...spaces.backbone.spec import load_network
from ..context import Context
from ..machine.paths import atomic_write

FOLDER = "networks"
"""Beside the activations."""

_VERSION = 1
"""Incremented whenever the same weights would come to give another network."""


def cached_network(context: Context) -> Network:
    """The backbone as `load_network` gives it, from the cache where it is there and whole.

    Raises:
        WeightsError: As `load_network` says.
    """
    path = _path(context)
    try:
        return _read(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        # Missing, cut short or damaged.
        network = load_network(context.backbone, context.weights)
    with suppress(OSError):
        # The next worker builds it again if the disk is full.
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, network)
    return network


def _path(context: Context) -> Path:
    import keras

    backbone = context.backbone
    depends_on: list[Any] = [context.weights_fingerprint, backbone.alpha, backbone.size, keras.backend.backend()]
    depends_on += [keras.__version__, keras.config.dtype_policy().name, _VERSION]
    name = hashlib.blake2b(json.dumps(depends_on).encode(), digest_size=16).hexdigest()
    return context.cache.parent / FOLDER / f"{name}.npz"


def _write(path: Path, network: Network) -> None:
    """Arrays by step and place, and beside them everything else as JSON."""
    arrays: dict[str, Any] = {
        f"{step.index}-{place}": array for step in network.steps for place, array in enumerate(step.weights)
    }
    steps = [{**dataclasses.asdict(step), "weights": len(step.weights)} for step in network.steps]
    structure = np.frombuffer(json.dumps([network.size, steps]).encode(), np.uint8)
    with atomic_write(path) as file:
        np.savez(file, structure=structure, **arrays)


def _read(path: Path) -> Network:
    # Opened here: NumPy leaves a damaged file open.
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        size, steps = json.loads(file["structure"].tobytes())
        return Network(
            size,
            tuple(
                Step(
                    index=step["index"],
                    kind=step["kind"],
                    config=step["config"],
                    inputs=tuple(step["inputs"]),
                    shape=tuple(step["shape"]),
                    weights=tuple(file[f"{step['index']}-{place}"] for place in range(step["weights"])),
                )
                for step in steps
            ),
        )
