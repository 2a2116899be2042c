"""Writes a Keras model in each format. Keras' own exporters do the work; here they are given what they ask for."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spaces.quiet import quiet_native
from ..predict.formats import Format, Quantize

REPRESENTATIVE = 200
"""Training images that set the ranges of int8: TensorFlow's guide to post-training quantization asks for 100 to 500."""


def write_model(model: Any, path: Path, form: Format, quantize: Quantize, images: NDArray[np.uint8]) -> None:
    """Writes ``model``.

    Args:
        model: From images ``(n, size, size, 3)``, or of any size, pixels from 0 to 255, to probabilities, of Keras' own layers.
        path: File, or folder of a SavedModel; must not exist.
        form: The format.
        quantize: What the weights are stored as.
        images: ``(n, size, size, 3)`` uint8, of the training split; used for ``int8`` alone.
    """
    with _quiet():
        if form == "keras":
            model.save(path)
        elif form == "saved-model":
            model.export(path, format="tf_saved_model", verbose=False, input_signature=[_signature(model, None)])
        elif form == "onnx":
            model.export(path, format="onnx", verbose=False, input_signature=[_signature(model, None)])
            _name_tensors(path)
        else:
            # One image at a time, as phones do: LiteRT's delegates want fixed shapes.
            options = _litert_options(quantize, images)
            model.export(path, format="litert", verbose=False, input_signature=[_signature(model, 1)], **options)


def _signature(model: Any, batch: int | None) -> Any:
    import keras

    return keras.InputSpec(shape=(batch, *model.input.shape[1:]), dtype="float32", name="image")


def _litert_options(quantize: Quantize, images: NDArray[np.uint8]) -> dict[str, Any]:
    """For TensorFlow's converter, which Keras hands them to."""
    import tensorflow as tf

    if quantize == "none":
        return {}
    smaller = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if quantize == "float16":
        return {**smaller, "target_spec": {"supported_types": [tf.float16]}}

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for image in images:
            yield [image[None].astype(np.float32)]

    # Every operation in whole numbers, pixels in as they are; probabilities come out as floats all the same.
    return {
        **smaller,
        "representative_dataset": representative,
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        "inference_input_type": tf.uint8,
    }


def _name_tensors(path: Path) -> None:
    """Names an ONNX model's output and its free dimensions, which the converter numbers."""
    import onnx

    model = onnx.load(path)
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = ["probabilities" if name == output.name else name for name in node.output]
    output.name = "probabilities"
    for tensor in (*model.graph.input, output):
        for dimension, name in zip(tensor.type.tensor_type.shape.dim, ("batch", "height", "width"), strict=False):
            if name == "batch" or dimension.dim_param:
                dimension.dim_param = name
    onnx.checker.check_model(model)
    onnx.save(model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """The converters tell of their steps on every channel that there is."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), quiet_native():
            # Keras 3.15 and tf2onnx under NumPy 2: `np.object`, `__array__(copy=False)`.
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
