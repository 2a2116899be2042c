"""Reads MobileNetV2's weights from the files that people have: Keras' published ones, ``save_weights``, ``save``, ``.npz``.

A file may come from anywhere: its arrays are read, nothing in it is run.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError

_ARRAYS = 260
"""Weight arrays of MobileNetV2 without its top: 35 + 17 kernels and 52 BatchNorms of four arrays each."""

_MOST_VALUES = 10_000_000
"""Of one array: ten times those of the widest MobileNetV2's largest. HDF5 stores a claim of any size in a few bytes."""


def load_weights(base: Any, path: Path, alpha: float) -> None:
    """Reads a file's weights into MobileNetV2 without top.

    Args:
        base: Keras' model.
        path: Of the file.
        alpha: Its width multiplier, for messages.

    Raises:
        WeightsError: The file is damaged, or holds weights of something else.
    """
    expected = f"the {_ARRAYS} weight arrays of MobileNetV2 without top, alpha {alpha}"
    try:
        arrays = _read_npz(path) if path.suffix == ".npz" else _read_keras(path, base)
    except Exception as error:
        # Parsers of a file that may hold anything: h5py, zipfile and NumPy promise no closed set.
        raise WeightsError(
            f"{path} must hold {expected}, but cannot be read ({first_line(error)}): it is damaged, cut short or "
            "something else. Fetch it again, or name another file with --weights."
        ) from error
    shapes = [tuple(array.shape) for array in base.get_weights()]
    found = [tuple(array.shape) for array in arrays]
    if found != shapes:
        if len(found) != len(shapes):
            got = f"{len(found)} arrays" + (" (a file with the top?)" if len(found) > len(shapes) else "")
        else:
            place = next(i for i, (a, b) in enumerate(zip(found, shapes, strict=True)) if a != b)
            got = f"an array {found[place]} where {shapes[place]} is expected (another alpha?)"
        raise WeightsError(f"{path} must hold {expected}, got {got}. Name the right file, or the right --alpha.")
    if not all(np.isfinite(array).all() for array in arrays):
        raise WeightsError(f"{path} must hold finite numbers, got NaN or infinity. Fetch it again.")
    base.set_weights(arrays)


def _read_npz(path: Path) -> list[NDArray[np.float32]]:
    # Opened here: NumPy leaves a damaged file open.
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        return [file[name].astype(np.float32) for name in sorted(file.files)]


def _read_keras(path: Path, base: Any) -> list[NDArray[np.float32]]:
    """The arrays of a file that Keras has written, in the order of ``base``'s: weights, or a whole model's."""
    import h5py

    if zipfile.is_zipfile(path):
        # A model in Keras 3's format. Its configuration, which could name code, is not looked at.
        with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as weights, h5py.File(weights, "r") as file:
            return _of_layers(file, base)
    with h5py.File(path, "r") as file:
        group = file["model_weights"] if "model_weights" in file else file
        return _by_name(group) if "layer_names" in group.attrs else _of_layers(file, base)


def _by_name(group: Any) -> list[NDArray[np.float32]]:
    """Of a file of Keras 2, or one with its suffix ``.h5``: layers and arrays are named in its order."""
    return [
        _array(group[_text(layer)][_text(weight)])
        for layer in group.attrs["layer_names"]
        for weight in group[_text(layer)].attrs["weight_names"]
    ]


def _of_layers(file: Any, base: Any) -> list[NDArray[np.float32]]:
    """Of a file of Keras 3, which names a layer by its class and a number; of a classifier, the backbone is one layer."""
    layers = file["layers"]
    if "functional" in layers:
        layers = layers["functional"]["layers"]
    seen: Counter[str] = Counter()
    arrays = []
    for layer in base.layers:
        name = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
        number, seen[name] = seen[name], seen[name] + 1
        if layer.weights:
            own = layers[f"{name}_{number}" if number else name]["vars"]
            arrays += [_array(own[str(place)]) for place in range(len(own))]
    return arrays


def _array(stored: Any) -> NDArray[np.float32]:
    if stored.size > _MOST_VALUES:
        raise ValueError(f"an array of {stored.size:,} values")
    return np.asarray(stored, np.float32)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def first_line(error: BaseException) -> str:
    """What an error says first, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
