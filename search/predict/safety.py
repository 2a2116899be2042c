"""Looks into a ``.keras`` file before Keras does: it may hold code, and exports never do.

Keras' safe mode refuses to run a Lambda's code too. This check is stricter, since it knows what an export is made of: any
other class is refused by name, before anything of the file is built.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...spaces.errors import ModelError

MAX_BYTES = 1 << 30
"""Of a file's contents: MobileNetV2 takes 17 MB at the widest; more is a bomb or another network."""

_PARTS = {"config.json", "metadata.json", "model.weights.h5"}

_LAYERS = ("Add", "Conv2D", "Dense", "DepthwiseConv2D", "GlobalAveragePooling2D", "InputLayer", "ReLU", "Rescaling", "Softmax",
           "ZeroPadding2D")  # fmt: skip

_OPERATIONS = ("Absolute", "Add", "Cumsum", "Floor", "GetItem", "Matmul", "Maximum", "Multiply", "OnesLike", "Subtract", "Sum",
               "Transpose", "TrueDivide")  # fmt: skip
"""Of the resize, where it is part of the model. Each is arithmetic, and names nothing that Keras would look up."""

_CLASSES = {
    ("keras.src.models.functional", "Functional"),
    ("keras", "DTypePolicy"),
    ("keras.initializers", "GlorotUniform"),
    ("keras.initializers", "Zeros"),
    *(("keras.layers", name) for name in _LAYERS),
    *(("keras.src.ops.numpy", name) for name in _OPERATIONS),
    ("keras.src.ops.nn", "Relu"),
    *((None, name) for name in ("__keras_tensor__", "__numpy__", "__slice__")),
}


def check_keras_file(path: Path) -> None:
    """Checks that a ``.keras`` file holds layers of an export and nothing else.

    Raises:
        ModelError: It holds something else, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ModelError(f"MODEL must hold a MobileNetV2, got {path}, which unpacks to more than 1 GiB.")
            if missing := sorted(_PARTS - set(archive.namelist())):
                raise ModelError(f"MODEL must be a .keras file, got {path}, which lacks {missing[0]}.")
            config = json.loads(archive.read("config.json"))
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, RecursionError) as error:
        # The last three: an unknown compression, an encrypted archive, JSON nested without end.
        raise ModelError(f"MODEL must be a .keras file, got {path}, which is damaged or something else.") from error
    for module, name, registered in _classes(config):
        if name == "Lambda":
            raise ModelError(f"{path} holds a Lambda layer, that is, code, and is not loaded. Exports of tlsearch have none.")
        if (module, name) not in _CLASSES or registered not in (None, name):
            raise ModelError(
                f"{path} holds {_short(module)}.{_short(name)}, which no export of tlsearch is made of, and is not loaded."
            )


def _classes(config: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Module, name and registered name of everything that Keras would make of a configuration."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value or "registered_name" in value or "module" in value:
                yield value.get("module"), value.get("class_name"), value.get("registered_name")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _short(name: object) -> str:
    return str(name)[:80]
