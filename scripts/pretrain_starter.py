"""Trains the ``starter`` weights, MobileNetV2 with α = 0.35, on the drawn source task; writes ``spaces/backbone/starter.npz``.

Run it from a checkout, in an environment that has tlsearch and PyTorch::

    python scripts/pretrain_starter.py --log scripts/pretrain_starter.log

The source task has a class for each outline of `SHAPES` in each of `FILLS`; the outlines of the built-in target
sets are not among them. It trains in PyTorch because BatchNorm in training mode makes Keras 2.6 times slower at this on a
CPU (193 against 75 images a second on two cores); the padding is that of Keras, and the arrays are written in the order of
``keras.applications.MobileNetV2``. The log states the accuracy on held-out source pictures, before and after rounding to
float16.
"""

from __future__ import annotations

import argparse
import logging
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from source_task import SHAPES
from torch import nn
from torch.nn import functional

from tlsearch.search.data.drawing import FILLS, draw_object

CLASSES = [(shape, fill) for shape in SHAPES for fill in FILLS]
HELD_OUT = 20
"""Pictures of each class that the accuracy is measured on."""

SIDES = (64, 96)
"""Pixels in the first and in the second half of training: the first half is twice as fast at the smaller side."""

BLOCKS = ((1, 8, 1, 1), (6, 8, 2, 2), (6, 16, 3, 2), (6, 24, 4, 2), (6, 32, 3, 1), (6, 56, 3, 2), (6, 112, 1, 1))
"""Expansion, channels at α = 0.35, repeats, first stride of each group of blocks (Sandler et al. 2018, table 2)."""

log = logging.getLogger("pretrain")


class Block(nn.Module):
    """An inverted residual block."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [*convolution(channels, hidden, 1), nn.ReLU6()]
        layers += [*convolution(hidden, hidden, 3, stride, hidden), nn.ReLU6(), *convolution(hidden, out, 1)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and channels == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output."""
        return x + self.layers(x) if self.residual else self.layers(x)


def convolution(channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution and its BatchNorm, padded as Keras does: on the far sides only where it strides."""
    pad = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
    padding = kernel // 2 if stride == 1 else 0
    return [
        *pad,
        nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=1e-3, momentum=0.02),
    ]


def mobilenet_v2() -> nn.Sequential:
    """MobileNetV2, α = 0.35, without top, with average pooling."""
    layers: list[nn.Module] = [*convolution(3, 16, 3, 2), nn.ReLU6()]
    channels = 16
    for expansion, out, repeats, stride in BLOCKS:
        for number in range(repeats):
            layers.append(Block(channels, out, stride if number == 0 else 1, expansion))
            channels = out
    layers += [*convolution(channels, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers)


def keras_weights(base: nn.Module) -> list[np.ndarray]:
    """The arrays in the order and layout of ``keras.applications.MobileNetV2(…).get_weights()``, float16.

    Raises:
        ValueError: A number is too large for float16.
    """
    arrays: list[torch.Tensor] = []
    for module in base.modules():
        if isinstance(module, nn.Conv2d):
            depthwise = module.groups > 1
            arrays.append(module.weight.permute(2, 3, 0, 1) if depthwise else module.weight.permute(2, 3, 1, 0))
        elif isinstance(module, nn.BatchNorm2d):
            arrays += [module.weight, module.bias, module.running_mean, module.running_var]
    rounded = [array.detach().numpy().astype(np.float16) for array in arrays]
    if not all(np.isfinite(array).all() for array in rounded):
        raise ValueError("the weights must fit in float16")
    return rounded


def draw_class(label: int, first: int, count: int) -> np.ndarray:
    """``count`` pictures of one class, ``(count, SIDE, SIDE, 3)`` uint8."""
    shape, fill = CLASSES[label]
    generators = (np.random.default_rng([label, number]) for number in range(first, first + count))
    return np.stack([np.asarray(draw_object(SHAPES[shape], fill, rng)) for rng in generators])


def draw(first: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``count`` pictures of every class, ``(n, 3, SIDE, SIDE)`` uint8, and their labels."""
    labels = range(len(CLASSES))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(draw_class, labels, [first] * len(CLASSES), [count] * len(CLASSES)))
    images = torch.from_numpy(np.concatenate(parts)).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last), torch.arange(len(CLASSES)).repeat_interleave(count)


def scaled(images: torch.Tensor) -> torch.Tensor:
    """Pixels in the range [-1, 1] that MobileNetV2 takes."""
    return images.float() / 127.5 - 1


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int, began: float) -> None:
    """Trains for ``epochs`` with AdamW and a cosine schedule."""
    batch = 64
    steps = len(images) // batch
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * steps, pct_start=0.1)
    for epoch in range(epochs):
        side = SIDES[0] if epoch < epochs // 2 else SIDES[1]
        losses, right = 0.0, 0
        order = torch.randperm(len(images))
        for chosen in order[: steps * batch].split(batch):
            x = scaled(images[chosen])
            x = x.flip(3) if torch.rand(()) < 0.5 else x
            x = x.flip(2) if torch.rand(()) < 0.5 else x
            if side != x.shape[-1]:
                x = functional.interpolate(x, size=side, mode="bilinear", antialias=True)
            logits = model(x.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses += loss.item()
            right += int((logits.argmax(1) == labels[chosen]).sum())
        passed = time.monotonic() - began
        accuracy_ = right / (steps * batch)
        log.info("epoch %2d  %d px  loss %.3f  accuracy %.3f  %4.0f s", epoch + 1, side, losses / steps, accuracy_, passed)


@torch.no_grad()
def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of ``images`` whose most likely class is the right one."""
    model.eval()
    right = sum(int((model(scaled(x)).argmax(1) == y).sum()) for x, y in zip(images.split(64), labels.split(64), strict=True))
    return right / len(images)


def main() -> None:
    """Draws, trains, rounds, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--per-class", type=int, default=240)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "spaces" / "backbone" / "starter.npz")
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if arguments.log:
        handlers.append(logging.FileHandler(arguments.log, mode="w"))
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=handlers, force=True)

    began = time.monotonic()
    images, labels = draw(HELD_OUT, arguments.per_class)
    held_images, held_labels = draw(0, HELD_OUT)
    log.info("drew %d pictures of %d classes in %.0f s", len(images), len(CLASSES), time.monotonic() - began)

    torch.manual_seed(0)
    base = mobilenet_v2()
    model = nn.Sequential(base, nn.Dropout(0.1), nn.Linear(1280, len(CLASSES))).to(memory_format=torch.channels_last)
    train(model, images, labels, arguments.epochs, began)
    log.info("held-out source accuracy, float32: %.4f", accuracy(model, held_images, held_labels))
    rounded = keras_weights(base)
    np.savez_compressed(arguments.out, **{f"w{number:03}": array for number, array in enumerate(rounded)})
    base.half().float()
    log.info("held-out source accuracy, float16: %.4f", accuracy(model, held_images, held_labels))
    size, passed = arguments.out.stat().st_size / 1e6, time.monotonic() - began
    log.info("%s: %d arrays, %.2f MB, %.0f s in all", arguments.out.name, len(rounded), size, passed)


if __name__ == "__main__":
    main()
