"""What a model file says of itself: classes, input, provenance. Inside the file where its format has a place, and beside it.

The file beside a model, ``<model>.json``, holds the same and what was measured at export. Inside, the same JSON stands

- in ``.keras`` and ``.tflite`` as ``tlsearch.json`` of their ZIP archive (to a ``.tflite`` one is appended, as TensorFlow
  Lite's metadata do it, with the usual ``labels.txt``),
- in ``.onnx`` as the metadata property ``tlsearch``,
- in a SavedModel as ``assets.extra/tlsearch.json``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...spaces.backbone.spec import MAX_SIZE, MIN_SIZE
from ...spaces.errors import ModelError
from ..data.colours import DEPTHS
from .formats import Format

SCHEMA = 1
ENTRY = "tlsearch.json"
PROPERTY = "tlsearch"
MAX_BYTES = 16 << 20
"""Of the JSON: a thousand classes take 50 kB."""

Metadata = Mapping[str, Any]


def embed(path: Path, form: Format, metadata: Metadata) -> None:
    """Puts ``metadata`` into a model file that has just been written."""
    text = json.dumps(metadata, ensure_ascii=False, indent=1)
    if form == "onnx":
        import onnx

        model = onnx.load(path)
        model.metadata_props.add(key=PROPERTY, value=text)
        onnx.save(model, path)
    elif form == "saved-model":
        (path / "assets.extra").mkdir(exist_ok=True)
        (path / "assets.extra" / ENTRY).write_text(text, encoding="utf-8")
    else:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(ENTRY, text)
            if form == "tflite":
                archive.writestr("labels.txt", "".join(f"{' '.join(name.split())}\n" for name in metadata["classes"]))


def beside(path: Path) -> Path:
    """Where the file beside a model lies."""
    return path.with_name(f"{path.name}.json")


def read(path: Path, form: Format, properties: Mapping[str, str]) -> Metadata:
    """The metadata of a model, from inside it, else from beside it.

    Args:
        path: The model.
        form: Its format.
        properties: Of an ONNX model, as its runtime gives them.

    Raises:
        ModelError: There are none, or they are damaged.
    """
    try:
        text = properties.get(PROPERTY) if form == "onnx" else _inside(path, form)
        if text is None:
            text = _bounded(beside(path))
    except FileNotFoundError:
        raise ModelError(
            f"MODEL must be one that `tlsearch export` wrote, got {path}, which names no classes, neither in it nor in "
            f"{beside(path).name} beside it."
        ) from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path) from error
    try:
        metadata = json.loads(text)
        classes, size = metadata["classes"], metadata["input"]["size"]
        depth = metadata["input"].get("depth", 16)
        later = metadata["schema"] > SCHEMA
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path) from error
    if later:
        raise ModelError(f"{path} was exported by a later version of tlsearch. Update tlsearch.")
    named = isinstance(classes, list) and len(classes) >= 2 and all(isinstance(name, str) for name in classes)
    if not named or not isinstance(size, int) or not MIN_SIZE <= size <= MAX_SIZE or depth not in DEPTHS:
        raise _damaged(path)
    return dict(metadata)


def _inside(path: Path, form: Format) -> str | None:
    if form == "saved-model":
        inner = path / "assets.extra" / ENTRY
        return _bounded(inner) if inner.is_file() else None
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        if ENTRY not in archive.namelist():
            return None
        if archive.getinfo(ENTRY).file_size > MAX_BYTES:
            raise ValueError("unreasonably large")
        return archive.read(ENTRY).decode()


def _bounded(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("unreasonably large")
    return path.read_text(encoding="utf-8")


def _damaged(path: Path) -> ModelError:
    return ModelError(f"MODEL must be one that `tlsearch export` wrote, got {path}, whose metadata cannot be read.")
