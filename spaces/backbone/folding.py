"""Folds what inference does not need into the convolutions: BatchNorm and zero padding.

In inference mode BatchNorm is an affine map of each channel, and so is part of the convolution before it:
``kernel · γ / √(σ² + ε)`` and bias ``β − μ · γ / √(σ² + ε)`` (Jacob et al. 2018, arXiv 1712.05877, section 3.2). Keras runs
BatchNorm in inference mode as several elementwise passes, forward and backward; the folded network gives the same outputs and
trains 1.5 to 2 times faster on a CPU.

Keras pads before each strided depthwise convolution, and the convolution then pads nothing. That is what ``same`` padding does
by itself, without another copy of the tensor: a tenth of a training step.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .network import Network, Step


def fold(network: Network) -> Network:
    """The network without BatchNorm and padding, which computes the same.

    The steps that remain keep their numbers. A convolution and the BatchNorm folded into it train together: where
    ``fine_tune_at`` is at most the convolution's number.
    """
    moved: dict[int, int] = {}
    folded: dict[int, Step] = {}
    for original in network.steps:
        step = replace(original, inputs=tuple(moved.get(index, index) for index in original.inputs))
        if step.kind == "BatchNormalization":
            (source,) = step.inputs
            folded[source] = _absorb(folded[source], step)
            moved[step.index] = source
        elif step.kind == "ZeroPadding2D" and _same_as_padded(folded[step.inputs[0]], step, network):
            moved[step.index] = step.inputs[0]
        elif any(index in moved and network.step(index).kind == "ZeroPadding2D" for index in original.inputs):
            folded[step.index] = replace(step, config={**step.config, "padding": "same"})
        else:
            folded[step.index] = step
    return Network(network.size, tuple(folded[index] for index in sorted(folded)))


def _same_as_padded(source: Step, padding: Step, network: Network) -> bool:
    """Whether ``same`` padding would pad like ``padding`` for every convolution that takes its output."""
    users = [step for step in network.steps if padding.index in step.inputs]
    return all(
        user.kind == "DepthwiseConv2D"
        and user.config["padding"] == "valid"
        and [tuple(sides) for sides in padding.config["padding"]]
        == [
            _same_padding(extent, kernel, stride)
            for extent, kernel, stride in zip(source.shape[:2], user.config["kernel_size"], user.config["strides"], strict=True)
        ]
        for user in users
    )


def _same_padding(extent: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after that make the output ``⌈extent / stride⌉`` long; of an odd number the larger half goes after."""
    total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
    return total // 2, total - total // 2


def _absorb(convolution: Step, batch_norm: Step) -> Step:
    if convolution.kind not in ("Conv2D", "DepthwiseConv2D") or convolution.config["use_bias"]:
        raise ValueError(
            f"BatchNorm can be folded into a Conv2D or DepthwiseConv2D without bias, got {convolution.kind} "
            f"{convolution.config['name']!r} before {batch_norm.config['name']!r}."
        )
    gamma, beta, mean, variance = (array.astype(np.float64) for array in batch_norm.weights)
    scale = gamma / np.sqrt(variance + batch_norm.config["epsilon"])
    (kernel,) = convolution.weights
    # Conv2D kernels are (h, w, in, out), depthwise ones (h, w, channels, 1): the scaled axis differs.
    scaled = kernel * (scale[:, None] if convolution.kind == "DepthwiseConv2D" else scale)
    weights: tuple[NDArray[np.float32], ...] = (
        scaled.astype(np.float32),
        (beta - mean * scale).astype(np.float32),
    )
    return replace(convolution, config={**convolution.config, "use_bias": True}, weights=weights)
