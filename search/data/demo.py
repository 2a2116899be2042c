"""The built-in data sets: drawn once into a folder of the cache, then read like any other folder of images.

Four of them, so that the blog post's rule of thumb can be tried where no photographs are at hand: few or many pictures, drawn
like those that the ``starter`` weights come from (other outlines, same world) or differently (fields of strokes).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

from ...spaces.errors import OptionError
from ..events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted, ignore
from .drawing import FIELDS, FILLS, TARGET_SHAPES, draw_field, draw_object

TEST_PER_CLASS = 50


@dataclass(frozen=True, slots=True)
class Variant:
    """One built-in set.

    Attributes:
        classes: Their names, in order.
        draw: Draws a picture of a class.
        train_per_class: Pictures in ``train/``, from which validation is cut.
        version: Raised whenever the pictures change.
    """

    classes: tuple[str, ...]
    draw: Callable[[str, np.random.Generator], Image.Image]
    train_per_class: int
    version: int = 1


def _object(name: str, rng: np.random.Generator) -> Image.Image:
    return draw_object(TARGET_SHAPES[name], FILLS[rng.integers(len(FILLS))], rng)


VARIANTS = MappingProxyType(
    {
        "small-similar": Variant(tuple(TARGET_SHAPES), _object, 50),
        "small-different": Variant(tuple(FIELDS), draw_field, 50),
        "large-similar": Variant(tuple(TARGET_SHAPES), _object, 1300, version=2),
        "large-different": Variant(tuple(FIELDS), draw_field, 1300, version=2),
    }
)


def write_demo(variant: str, cache: Path, listener: Listener = ignore) -> Path:
    """The folder of a built-in set, drawn where it is not there yet. Two processes may ask for it at once.

    Args:
        variant: A key of `VARIANTS`.
        cache: Folder of all caches.
        listener: Receives progress events.

    Raises:
        OptionError: There is no such variant.
    """
    if variant not in VARIANTS:
        raise OptionError(f"--demo must be one of {', '.join(VARIANTS)}, got {variant}.")
    folder = cache / "demo" / f"{variant}-v{VARIANTS[variant].version}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _draw_all(VARIANTS[variant], temporary, listener)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _draw_all(variant: Variant, folder: Path, listener: Listener) -> None:
    began = time.monotonic()
    listener(PhaseStarted("draw", len(variant.classes) * (TEST_PER_CLASS + variant.train_per_class)))
    done = 0
    for label, name in enumerate(variant.classes):
        for split, first, count in (("test", 0, TEST_PER_CLASS), ("train", TEST_PER_CLASS, variant.train_per_class)):
            target = folder / split / name
            target.mkdir(parents=True)
            for number in range(first, first + count):
                picture = variant.draw(name, np.random.default_rng([1, label, number]))
                picture.save(target / f"{name}-{number:04}.png", compress_level=1)
            done += count
            listener(PhaseAdvanced("draw", done))
    listener(PhaseEnded("draw", time.monotonic() - began))
