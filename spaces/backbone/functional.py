"""A folded network as a pure function of its weights, which fast training and the frozen pass trace.

Tracing Keras layers costs more than running them: to build and trace the whole network with its gradient takes 13 s as Keras
layers and 3 s as this function (measured on one core). It is written in ``keras.ops``, so it runs on every backend.

Two thirds of the convolutions are pointwise. Here they are matrix multiplications over ``(n · height · width, channels)``,
because on a CPU the gradients of those are twice as fast as the gradients of convolutions. Tensors keep that shape from layer
to layer until one needs ``(n, height, width, channels)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .network import IMAGE, Network, Step

Weights = Mapping[int, Sequence[Any]]
"""Kernel and bias by step, as tensors of the backend."""


def apply(
    network: Network, tensors: Mapping[int, Any], weights: Weights, outputs: Sequence[int], *, dtype: str = "float32"
) -> list[Any]:
    """Runs the steps that ``outputs`` need.

    Args:
        network: A folded one, whose steps are convolutions with bias, ReLU6, additions and the pooling.
        tensors: The input, by step: the outputs of a frontier, each ``(n, …)``, or under `IMAGE` the images, pixels from 0 to
            255. Of any data type.
        weights: Those of every step that runs.
        outputs: The steps whose outputs are returned.
        dtype: The data type to compute in.

    Returns:
        The outputs in float32, each ``(n, *step.shape)``.

    Raises:
        ValueError: A BatchNorm layer would have to run: the network is not folded.
    """
    import keras

    known = {index: keras.ops.cast(tensor, "float32") for index, tensor in tensors.items()}
    if IMAGE in known:
        known[IMAGE] = known[IMAGE] / 127.5 - 1.0
    needed = _needed(network, set(known), outputs)
    if dtype != "float32" and needed:
        known = {index: keras.ops.cast(tensor, dtype) for index, tensor in known.items()}
        weights = {step.index: [keras.ops.cast(array, dtype) for array in weights.get(step.index, ())] for step in needed}
    if any(step.kind == "BatchNormalization" for step in needed):
        raise ValueError("BatchNorm layers have no function of their own here: fold the network first")
    for step in needed:
        shapes = [network.step(index).shape for index in step.inputs]
        known[step.index] = _run(step, [known[index] for index in step.inputs], shapes, weights.get(step.index, ()))
    return [keras.ops.cast(_spatial(known[index], network.step(index).shape), "float32") for index in outputs]


def _needed(network: Network, known: set[int], outputs: Sequence[int]) -> list[Step]:
    """The steps between ``known`` and ``outputs``, in the order of the network."""
    needed, missing = [], set(outputs) - known
    for step in reversed(network.steps):
        if step.index in missing:
            needed.append(step)
            missing |= set(step.inputs) - known
    return needed[::-1]


def _run(step: Step, inputs: list[Any], shapes: list[tuple[int, ...]], weights: Sequence[Any]) -> Any:
    import keras

    ops, (x, *others), config = keras.ops, inputs, step.config
    if step.kind in ("Conv2D", "DepthwiseConv2D"):
        (kernel, bias), strides = weights, tuple(config["strides"])
        if step.kind == "Conv2D" and tuple(config["kernel_size"]) == strides == (1, 1):
            return ops.add(ops.matmul(_flat(x), ops.reshape(kernel, kernel.shape[2:])), bias)
        convolve = ops.conv if step.kind == "Conv2D" else ops.depthwise_conv
        return ops.add(convolve(_spatial(x, shapes[0]), kernel, strides, config["padding"]), bias)
    if step.kind == "ReLU" and config["max_value"] == 6:
        return ops.relu6(x)
    if step.kind == "Add":
        return ops.add(_flat(x), _flat(others[0]))
    if step.kind == "GlobalAveragePooling2D":
        return ops.mean(_spatial(x, shapes[0]), axis=(1, 2))
    raise ValueError(f"MobileNetV2 has no step like {step.kind} {config['name']!r}")


def _flat(tensor: Any) -> Any:
    """``(n · height · width, channels)``."""
    import keras

    return tensor if len(tensor.shape) == 2 else keras.ops.reshape(tensor, (-1, tensor.shape[-1]))


def _spatial(tensor: Any, shape: tuple[int, ...]) -> Any:
    """``(n, *shape)``."""
    import keras

    return tensor if len(tensor.shape) == 1 + len(shape) else keras.ops.reshape(tensor, (-1, *shape))
