"""MobileNetV2 as a list of steps that can be cut anywhere and rebuilt from any step to any other.

Keras gives one model object whose layers cannot be shared between a frozen prefix and a trained suffix without sharing
their ``trainable`` flags and their weights too. A `Network` is a value instead: for each layer its class, its configuration,
its inputs and its weights as arrays. `Network.build` makes fresh Keras layers from it, so that no two models of a process
interfere, and a network travels to another process by pickle.

Steps are numbered like ``base.layers`` of the original network, before and after folding; step `LAYERS` is the global
average pooling behind the last layer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recipe import LAYERS, BatchNorm, check_fine_tune_at

POOL = LAYERS
"""The step that averages the last layer's output over its positions."""

IMAGE = 0
"""The step that takes the image, pixels from 0 to 255, and scales it to the range [-1, 1] of ``preprocess_input``."""


@dataclass(frozen=True, slots=True)
class Step:
    """One layer.

    Attributes:
        index: Position in the original ``base.layers``.
        kind: Name of the class in ``keras.layers``.
        config: What ``keras.layers.<kind>.from_config`` takes.
        inputs: Indices of the steps whose outputs it takes, in order.
        shape: Of its output for one image, ``(height, width, channels)`` or ``(channels,)``.
        weights: In the order of the layer's ``weights``.
    """

    index: int
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    weights: tuple[NDArray[np.float32], ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """A backbone from its input image to its pooled features.

    Attributes:
        size: Side of the input image, pixels.
        steps: In the order of their indices; folding leaves gaps.
    """

    size: int
    steps: tuple[Step, ...]

    def step(self, index: int) -> Step:
        """The step that holds the original layer ``index``: itself, or the convolution it was folded into."""
        return max((step for step in self.steps if step.index <= index), key=lambda step: step.index)

    def frontier(self, cut: int) -> tuple[int, ...]:
        """Indices of the steps before ``cut`` whose outputs the steps from ``cut`` on need: what a cache must hold."""
        if cut > POOL:
            return (POOL,)
        needed = {source for step in self.steps if step.index >= cut for source in step.inputs if source < cut}
        return tuple(sorted(needed))

    def shapes_at(self, cut: int) -> list[tuple[int, ...]]:
        """Shapes, for one image, of the tensors of the frontier of ``cut``."""
        return [self.step(index).shape for index in self.frontier(cut)]

    def values_at(self, cut: int) -> int:
        """Numbers that the frontier of ``cut`` holds for one image."""
        return sum(math.prod(shape) for shape in self.shapes_at(cut))

    def cut_for(self, first_trained_layer: int) -> int:
        """The cheapest place at or below ``first_trained_layer`` to cut at, without leaving its block.

        Below the block's start other frontiers can be smaller still, but every trained step would then repeat whole
        frozen blocks, which costs more than the bytes save. At equal bytes the later cut wins: less to compute. A
        frontier that is larger in float16 than the image is in bytes does not pay: the cut is `IMAGE` then.

        Returns:
            `IMAGE` where training starts from pixels, ``POOL + 1`` where nothing of the network trains.
        """
        if first_trained_layer >= LAYERS:
            return POOL + 1
        if first_trained_layer == IMAGE:
            return IMAGE
        check_fine_tune_at(first_trained_layer)
        blocks = itertools.groupby(self.steps, key=lambda step: _block(step.config["name"]))
        block_starts = [next(steps).index for _, steps in blocks]
        start = max(index for index in block_starts if index <= first_trained_layer)
        cut = min(range(start, first_trained_layer + 1), key=lambda cut: (self.values_at(cut), -cut))
        return cut if 2 * self.values_at(cut) < 3 * self.size**2 else IMAGE

    def build(
        self,
        start: int,
        stop: int,
        *,
        outputs: Sequence[int] | None = None,
        first_trained_layer: int = LAYERS,
        batch_norm: BatchNorm = "folded",
        name: str | None = None,
    ) -> Any:
        """A new ``keras.Model`` of the steps from ``start`` up to but not including ``stop``.

        Args:
            start: From 0 the model takes images ``(n, size, size, 3)``, pixels from 0 to 255; from any other step it takes a
                list, the outputs of the `frontier` of ``start``.
            stop: ``POOL + 1`` includes the pooling.
            outputs: The steps whose outputs the model returns, by default the last one: a list, or a single tensor for a
                single step. A step before ``start`` must belong to its frontier.
            first_trained_layer: Steps from here on are trainable, all others are not.
            batch_norm: With ``train``, trainable BatchNorm layers use and update batch statistics; otherwise they use their
                moving statistics while γ and β train.
            name: The model's name.
        """
        import keras

        tensors: dict[int, Any] = {}
        if start == IMAGE:
            inputs = image = keras.Input((self.size, self.size, 3), name="image")
            tensors[IMAGE] = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(image)
        else:
            tensors = {index: keras.Input(self.step(index).shape, name=f"cut_{index}") for index in self.frontier(start)}
            inputs = list(tensors.values())
        steps = [step for step in self.steps if max(start, IMAGE + 1) <= step.index < stop]
        layers = [_layer(step, batch_norm) for step in steps]
        for layer, step in zip(layers, steps, strict=True):
            sources = [tensors[index] for index in step.inputs]
            tensors[step.index] = layer(sources[0] if len(sources) == 1 else sources)
        wanted = [tensors[index] for index in (outputs or [max(tensors)])]
        # Keras does not always keep a list of one output a list.
        model = keras.Model(inputs, wanted if len(wanted) > 1 else wanted[0], name=name)
        for layer, step in zip(layers, steps, strict=True):
            layer.set_weights(list(step.weights))
        self.thaw(model, first_trained_layer)
        return model

    def thaw(self, model: Any, first_trained_layer: int) -> None:
        """Makes exactly the layers from ``first_trained_layer`` on trainable in a model made by `build`.

        Setting ``model.trainable`` would not do: in Keras 3.15 it does not thaw layers that were frozen one by one.
        """
        index_of = {step.config["name"]: step.index for step in self.steps}
        for layer in model.layers:
            if layer.name in index_of:
                layer.trainable = index_of[layer.name] >= first_trained_layer

    def with_weights(self, weights: Mapping[str, Sequence[NDArray[np.float32]]]) -> Network:
        """The same network with other weights for the layers named; the others keep theirs."""
        steps = (replace(step, weights=tuple(weights.get(step.config["name"], step.weights))) for step in self.steps)
        return Network(self.size, tuple(steps))


def network_of(base: Any) -> Network:
    """The network of a ``keras.applications.MobileNetV2`` without top and pooling."""
    import keras

    # A layer's own input and output are those of its first call, also after the model was called inside another one.
    producer = {id(layer.output): index for index, layer in enumerate(base.layers)}
    steps = [Step(IMAGE, "Rescaling", {"name": "preprocess"}, (), tuple(base.input.shape[1:]))]
    for index, layer in enumerate(base.layers[1:], start=1):
        sources = tuple(producer[id(tensor)] for tensor in keras.tree.flatten(layer.input))
        shape, weights = tuple(layer.output.shape[1:]), tuple(layer.get_weights())
        steps.append(Step(index, type(layer).__name__, layer.get_config(), sources, shape, weights))
    last = steps[-1]
    steps.append(Step(POOL, "GlobalAveragePooling2D", {"name": "pool"}, (last.index,), (last.shape[-1],)))
    return Network(base.input.shape[1], tuple(steps))


def _layer(step: Step, batch_norm: BatchNorm) -> Any:
    import keras

    if step.kind == "BatchNormalization" and batch_norm != "train":
        from .layers import FixedBatchNormalization

        return FixedBatchNormalization.from_config(dict(step.config))
    return getattr(keras.layers, step.kind).from_config(dict(step.config))


def _block(name: str) -> str:
    """``block_3`` of ``block_3_expand_BN``; the stem and the last convolution are blocks of their own."""
    if name.startswith("block_"):
        return "_".join(name.split("_")[:2])
    if name.startswith("expanded_conv"):
        return "expanded_conv"
    return {"Conv_1": "top", "Conv_1_bn": "top", "out_relu": "top", "preprocess": "image", "pool": "pool"}.get(name, "stem")
