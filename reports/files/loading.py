"""How to load an export in its runtime: code for the model card that needs no tlsearch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_IMAGE = """\
import numpy as np
from PIL import Image, ImageOps

photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
classes = {classes}"""

_SQUASHED = """\
image = photo.resize(({size}, {size}), Image.Resampling.BILINEAR)
images = np.asarray(image, np.float32)[None]  # (1, {size}, {size}, 3), from 0 to 255"""

_ANY_SIZE = """\
images = np.asarray(photo, np.float32)[None]  # (1, height, width, 3), from 0 to 255"""

_LAST = "print(classes[probabilities.argmax()], probabilities.max())"

_CODE: dict[str, tuple[str, str]] = {
    "keras": (
        "Keras (`pip install keras tensorflow`)",
        """\
import keras

model = keras.models.load_model({name})
probabilities = model.predict(images)[0]""",
    ),
    "tflite": (
        "LiteRT (`pip install ai-edge-litert`)",
        """\
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path={name})
taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
interpreter.resize_tensor_input(taken["index"], images.shape)
interpreter.allocate_tensors()
interpreter.set_tensor(taken["index"], images.astype(taken["dtype"]))
interpreter.invoke()
probabilities = interpreter.get_tensor(given["index"])[0]""",
    ),
    "onnx": (
        "ONNX Runtime (`pip install onnxruntime`)",
        """\
import onnxruntime

session = onnxruntime.InferenceSession({name})
probabilities = session.run(None, {{"image": images}})[0][0]""",
    ),
    "saved-model": (
        "TensorFlow (`pip install tensorflow`)",
        """\
import tensorflow as tf

model = tf.saved_model.load({name})
probabilities = model.serve(images)[0].numpy()""",
    ),
}


def loading(exports: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """How to prepare an image, and how to load each format of the exports, in paragraphs.

    Args:
        exports: Metadata of each export, by file name.
    """
    about = next(iter(exports.values()))
    yield "Nothing here needs tlsearch. An image:"
    yield _block(_IMAGE.format(classes=f"[{', '.join(map(_literal, about['classes']))}]"))
    for file_format, (title, code) in _CODE.items():
        names = [name for name, other in exports.items() if other["format"] == file_format]
        if names:
            taken = exports[names[0]]["input"]
            image = _ANY_SIZE if taken.get("resize") else _SQUASHED.format(size=taken["size"])
            yield f"{title}:"
            yield _block(f"{image}\n\n{code.format(name=_literal(names[0]))}\n{_LAST}")
    yield f"Or with tlsearch: `tlsearch predict {next(iter(exports))} photo.jpg`."


def _block(code: str) -> str:
    return f"```python\n{code}\n```"


def _literal(text: str) -> str:
    """A Python literal of plain ASCII, which can neither end the block of code nor hide anything in it."""
    return ascii(text).replace("`", "\\x60")
