"""The cache of depth profiles: another study of the same images with the same weights need not compute its profile again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..activations.cache import digest_of_rows
from ..context import Context
from ..depth_profile import DepthProfile
from ..machine.paths import atomic_write, read_json

FOLDER = "profiles"
"""Beside the activations."""

_VERSION = 1
"""Incremented whenever the same images would come to have another profile."""


class ProfileCache:
    """The cache's entry for the profile of some rows ``(n,)``: a JSON file named by a hash of what the profile depends on."""

    def __init__(self, context: Context, rows: NDArray[np.int64]) -> None:
        dataset = context.dataset
        depends_on = [
            dataset.images_digest,
            digest_of_rows(rows),
            digest_of_rows(dataset.labels[rows]),
            context.weights_fingerprint,
            context.backbone.alpha,
            _VERSION,
        ]
        name = hashlib.blake2b(json.dumps(depends_on).encode(), digest_size=16).hexdigest()
        self.path: Path = context.cache.parent / FOLDER / f"{name}.json"

    def get(self) -> DepthProfile | None:
        """The profile, or None if it is missing or damaged."""
        try:
            return read_json(self.path, DepthProfile)
        except (OSError, ValueError):
            return None

    def keep(self, profile: DepthProfile) -> None:
        """Writes the profile for the next study, which computes it again if the disk is full."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.path) as file:
                file.write(json.dumps(dataclasses.asdict(profile)).encode())
