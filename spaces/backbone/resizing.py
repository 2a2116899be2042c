"""A model that squashes its images itself, antialiased as Pillow does it: in operations that every export format has.

``tf.image.resize(antialias=True)`` is one operation of TensorFlow's that neither LiteRT nor ONNX knows. Here each side is one
matrix multiplication, whose weights the model computes from the image's own height and width.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def with_resize(model: Any) -> Any:
    """``model`` behind a resize: it takes images ``(n, height, width, 3)`` of any one size, pixels from 0 to 255.

    Pixels are as Pillow's ``resize((size, size), BILINEAR)`` makes them, apart from a difference of 1 where its fixed-point
    numbers round otherwise, or where it begins with the height. Images that are ``size`` × ``size`` already stay as they are,
    bit for bit.

    Args:
        model: Takes images ``(n, size, size, 3)``.
    """
    import keras
    from keras import ops

    size = model.input.shape[1]
    image = keras.Input((None, None, 3), name="image")
    down, across = _shares(image[:1, :, 0, 0], size), _shares(image[:1, 0, :, 0], size)
    # Rounded after either pass, as in Pillow, whose images have whole numbers.
    narrow = ops.floor(ops.matmul(ops.transpose(image, (0, 3, 1, 2)), ops.transpose(across)) + 0.5)
    small = ops.floor(ops.matmul(down, narrow) + 0.5)
    return keras.Model(image, model(ops.transpose(small, (0, 2, 3, 1))), name=model.name)


def _shares(line: Any, size: int) -> Any:
    """How much each of the n pixels of a line ``(1, n)`` counts in each of ``size`` pixels, ``(size, n)``.

    The weights of a triangle that is as wide as two pixels of the larger of both images. n is found by counting: a functional
    Keras model has no operation for a shape that is not known.
    """
    from keras import ops

    ones = ops.ones_like(line)
    scale = ops.sum(ones, axis=1, keepdims=True) / size
    centres = scale * np.arange(0.5, size, dtype=np.float32)[:, None]
    distances = ops.absolute(ops.cumsum(ones, axis=1) - 0.5 - centres)
    shares = ops.relu(1.0 - distances / ops.maximum(scale, 1.0))
    return shares / ops.sum(shares, axis=1, keepdims=True)
