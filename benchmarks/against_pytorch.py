"""One training of the whole network, against the script that a PyTorch user writes: images a second, time to be as good.

The script has AdamW with a cosine schedule, channels_last, BatchNorm training, and the same images, split, weights, batch size
and epochs; tlsearch trains one trial of ``full`` as it does by default, head and all. Both use all cores. The plain side is
given the decoded images in memory; neither time holds imports. PyTorch is none of tlsearch's packages: ``pip install torch``.

    python benchmarks/against_pytorch.py DATA --weights FILE --alpha 1.0

prints one JSON line: images a second of both sides, the validation accuracy of each, and the seconds that each took to reach
the lower one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import parser, plainly, report, search

from tlsearch.search import open_folder
from tlsearch.spaces import BackboneSpec
from tlsearch.spaces.backbone.network import IMAGE, Network
from tlsearch.spaces.backbone.spec import load_network

RATE = 4e-4
"""The first that tlsearch tries with ``full``; the head's is the same."""


def main() -> None:
    """Runs both sides, one after the other."""
    arguments = parser(__doc__, trials=1)
    arguments.add_argument("--epochs", type=int, default=6)
    arguments.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.plain:
        print(json.dumps(list(train_plainly(asked))))
        return
    given: list[object] = [asked.data]
    for option in ("weights", "alpha", "size", "epochs"):
        given += [f"--{option}", getattr(asked, option)]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        os.environ["TLSEARCH_CACHE_DIR"] = str(cache)
        options = ["--technique", "full", "--trials", asked.trials, "--confirm", 0, "--no-prune", "--workers", 1]
        search(*given, *options, "--study", Path(folder) / "study", cache=cache)
        found = report(Path(folder) / "study")
        # TensorFlow and PyTorch do not get on in one process: the weights are read without TensorFlow.
        os.environ["KERAS_BACKEND"] = "torch"
        theirs = plainly(__file__, *given, "--plain")[1]
    trial = found["trials"][0]
    curve = [one for one in trial["curve"] if one["epoch"] > 0]
    epoch = found["data"]["train"] / trial["images_per_second"]
    before = trial["seconds"] - epoch * len(curve)
    ours = [(one["val_accuracy"], before + epoch * one["epoch"]) for one in curve]
    level = min(max(accuracy for accuracy, _ in side) for side in (ours, theirs))
    result = {
        "benchmark": "against_pytorch",
        "images": found["data"]["train"],
        "epochs": asked.epochs,
        "tlsearch_images_per_second": round(trial["images_per_second"], 1),
        "pytorch_images_per_second": round(asked.epochs * found["data"]["train"] / theirs[-1][1], 1),
        "tlsearch_val_accuracy": max(accuracy for accuracy, _ in ours),
        "pytorch_val_accuracy": max(accuracy for accuracy, _ in theirs),
        "tlsearch_seconds_to_the_lower": round(_first(ours, level), 1),
        "pytorch_seconds_to_the_lower": round(_first(theirs, level), 1),
    }
    print(json.dumps(result))


def _first(curve: list[tuple[float, float]], level: float) -> float:
    return next(seconds for accuracy, seconds in curve if accuracy >= level)


def train_plainly(asked: argparse.Namespace) -> Iterator[tuple[float, float]]:
    """Validation accuracy after each epoch, and seconds of training so far, those of validation left out."""
    import torch

    torch.manual_seed(0)
    data = open_folder(asked.data, size=asked.size)
    network = load_network(BackboneSpec(asked.alpha, asked.size, asked.weights), Path(asked.weights))
    model = module_of(network, len(data.classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    batches = -(-len(data.train) // 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, asked.epochs * batches)
    images, labels = data.images(), torch.tensor(data.labels)

    def batch(rows: Any) -> Any:
        return torch.tensor(images[rows]).permute(0, 3, 1, 2).float()

    seconds = 0.0
    for _ in range(asked.epochs):
        began = time.perf_counter()
        model.train()
        for rows in np.array_split(np.random.default_rng().permutation(data.train), batches):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(batch(rows)), labels[rows]).backward()
            optimizer.step()
            schedule.step()
        seconds += time.perf_counter() - began
        model.eval()
        with torch.no_grad():
            parts = [(model(batch(rows)).argmax(1) == labels[rows]).numpy() for rows in np.array_split(data.val, batches)]
        yield float(np.concatenate(parts).mean()), seconds


def module_of(network: Network, classes: int) -> Any:
    """The backbone and a head as a PyTorch module, of the same weights."""
    import torch

    layers = torch.nn.ModuleDict()
    for step in network.steps:
        config, arrays = step.config, [torch.tensor(array) for array in step.weights]
        if step.kind in ("Conv2D", "DepthwiseConv2D"):
            deep = step.kind == "DepthwiseConv2D"
            # (h, w, in, out), and (h, w, channels, 1), to (out, in, h, w).
            kernel = arrays[0].permute(2, 3, 0, 1) if deep else arrays[0].permute(3, 2, 0, 1)
            (stride, _), (side, _) = config["strides"], config["kernel_size"]
            padding = side // 2 if config["padding"] == "same" and stride == 1 else 0
            groups = len(kernel) if deep else 1
            layer: Any = torch.nn.Conv2d(
                kernel.shape[1] * groups, len(kernel), side, stride, padding, groups=groups, bias=False
            )
            layer.weight.data = kernel.contiguous()
            if config["padding"] == "same" and stride == 2:
                # On an even side Keras pads at the end alone.
                layer = torch.nn.Sequential(torch.nn.ZeroPad2d((0, 1, 0, 1)), layer)
        elif step.kind == "BatchNormalization":
            layer = torch.nn.BatchNorm2d(len(arrays[0]), eps=config["epsilon"])
            layer.weight.data, layer.bias.data, layer.running_mean.data, layer.running_var.data = arrays
        elif step.kind == "ReLU":
            layer = torch.nn.ReLU6()
        elif step.kind == "ZeroPadding2D":
            (top, bottom), (left, right) = config["padding"]
            layer = torch.nn.ZeroPad2d((left, right, top, bottom))
        else:
            continue
        layers[str(step.index)] = layer

    class Backbone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers
            self.head = torch.nn.Linear(network.steps[-1].shape[-1], classes)

        def forward(self, images: Any) -> Any:
            tensors = {IMAGE: images / 127.5 - 1}
            for step in itertools.islice(network.steps, 1, None):
                inputs = [tensors[index] for index in step.inputs]
                if step.kind == "Add":
                    tensors[step.index] = inputs[0] + inputs[1]
                elif step.kind == "GlobalAveragePooling2D":
                    return self.head(inputs[0].mean((2, 3)))
                else:
                    tensors[step.index] = self.layers[str(step.index)](inputs[0])
            raise AssertionError("a network ends with its pooling")

    return Backbone()


if __name__ == "__main__":
    main()
