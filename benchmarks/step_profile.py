"""Where the time of a training step goes: milliseconds an image by kind of operation, beside what the machine allows.

    python benchmarks/step_profile.py --alpha 0.35 0.5 1.0 --size 160

trains all layers on one thread, as a worker does, under TensorFlow's own profiler, and prints a table in Markdown and one JSON
line. Time is that of the operations that TensorFlow really ran, by the names that it gave them: those under ``gradient_tape``
are the backward pass.

Two limits stand beside it. *Arithmetic*: the floating-point operations, three times those of the forward pass, at the rate of a
large float32 matrix multiplication here. *Memory*: the bytes of the activations that an operation must read and write at least
once, at the rate of a large copy here; pieces of a batch that fit into a cache can be faster than that.
"""

from __future__ import annotations

import argparse
import glob
import json
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from extract import multiplication_peak

from tlsearch.search.training.models.flat_model import FlatModel
from tlsearch.search.workers.inside import prepare
from tlsearch.spaces import BackboneSpec
from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.network import IMAGE, Network, Step
from tlsearch.spaces.backbone.spec import load_network
from tlsearch.spaces.recipe import Recipe, Technique

BATCH, STEPS, CLASSES = 32, 4, 2

KINDS = ("pointwise convolution", "other convolution", "depthwise convolution", "ReLU6", "bias, addition", "the rest")

OPERATIONS = {
    "MatMul": KINDS[0],
    "Conv2D": KINDS[1],
    "DepthwiseConv2dNative": KINDS[2],
    "Relu6": KINDS[3],
    "Relu6Grad": KINDS[3],
    "AddV2": KINDS[4],
    "BiasAdd": KINDS[4],
    "BiasAddGrad": KINDS[4],
    "Sum": KINDS[4],
    "AddN": KINDS[4],
}
"""Of the operations that a network's steps become; Adam, copies and the loss are the rest."""

CALLS = ("While", "StatelessWhile", "If", "StatelessIf", "PartitionedCall", "StatefulPartitionedCall")
"""Operations that only call others."""


def main() -> None:
    """Profiles each width, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.35, 0.5, 1.0])
    parser.add_argument("--size", type=int, default=160)
    asked = parser.parse_args()
    prepare(1)
    peak, bandwidth = multiplication_peak(), copy_rate()
    print(f"{peak / 1e9:.0f} GFLOP/s by a matrix multiplication, {bandwidth / 1e9:.1f} GB/s read and written by a copy\n")
    print("| α | kind | forward | backward | arithmetic allows | memory allows |\n|--:|---|--:|--:|--:|--:|")
    found = []
    for alpha in asked.alpha:
        network = fold(load_network(BackboneSpec(alpha, asked.size, "random"), None))
        whole, measured = profile(network)
        limits = {kind: limit(network, kind, peak, bandwidth) for kind in KINDS}
        for kind in KINDS:
            forward, backward = measured[kind]
            allowed = " | ".join("" if one is None else f"{one:.2f}" for one in limits[kind])
            print(f"| {alpha:g} | {kind} | {forward:.2f} | {backward:.2f} | {allowed} |", flush=True)
        ran = sum(map(sum, measured.values()))
        print(f"| {alpha:g} | operations together, and the step | {ran:.2f} | {whole:.2f} | | |", flush=True)
        found.append({"alpha": alpha, "step_ms": whole, "kinds": measured, "limits_ms": limits})
    print(json.dumps({"benchmark": "step_profile", "peak_gflops": peak / 1e9, "copy_gb_s": bandwidth / 1e9, "widths": found}))


def profile(network: Network) -> tuple[float, dict[str, list[float]]]:
    """Milliseconds an image of a step, unprofiled, and by kind those of its operations, forward and backward."""
    import tensorflow as tf

    recipe = Recipe(technique=Technique.FULL, learning_rate=1e-4, batch_size=BATCH)
    model = FlatModel(recipe, network, CLASSES, IMAGE, np.dtype(np.uint8))
    model.reset(recipe, 0, None)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (STEPS, BATCH, network.size, network.size, 3), np.uint8)]
    labels = rng.integers(0, CLASSES, (STEPS, BATCH))
    weights, rates = np.ones((STEPS, BATCH), np.float32), np.full(STEPS, 1e-5, np.float32)

    def train() -> float:
        began = time.perf_counter()
        model.train(images, labels, weights, rates)
        return 1e3 * (time.perf_counter() - began) / (STEPS * BATCH)

    train()
    whole = min(train() for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        train()
        tf.profiler.experimental.stop()
        measured = {kind: [0.0, 0.0] for kind in KINDS}
        for name, operation, milliseconds in operations_run(folder):
            kind = next((OPERATIONS[one] for one in OPERATIONS if _is(operation, one)), KINDS[-1])
            measured[kind]["gradient_tape" in name or "Backprop" in operation] += milliseconds / (STEPS * BATCH)
    return whole, measured


def operations_run(folder: str) -> Iterator[tuple[str, str, float]]:
    """Name, kind and milliseconds of every operation in a profile, but for `CALLS`."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
    space = xplane_pb2.XSpace()
    with open(path, "rb") as file:
        space.ParseFromString(file.read())
    totals: dict[tuple[str, str], float] = defaultdict(float)
    for plane in space.planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                name, _, operation = names[event.metadata_id].rpartition(":")
                if name and not name.endswith(":") and operation.isidentifier() and operation not in CALLS:
                    totals[name, operation] += event.duration_ps / 1e9
    yield from ((name, operation, milliseconds) for (name, operation), milliseconds in totals.items())


def limit(network: Network, kind: str, peak: float, bandwidth: float) -> tuple[float | None, float | None]:
    """Milliseconds an image that arithmetic and memory allow, forward and backward together; None where one does not bind."""
    own = [step for step in network.steps if _kind(step) == kind]
    if not own:
        return None, None
    flops = sum(2.0 * math.prod(step.shape[:2]) * math.prod(step.weights[0].shape) for step in own if step.weights)
    # Forward reads the input and writes the output; backward reads the output's gradient, writes the input's, and reads the
    # input again for the weights' gradient or for where ReLU6 is flat.
    passes = 4 * sum(math.prod(network.step(index).shape) for step in own for index in step.inputs)
    passes += 4 * sum(math.prod(step.shape) for step in own)
    read_again = 4 * sum(math.prod(network.step(index).shape) for step in own for index in step.inputs if kind != KINDS[4])
    return 1e3 * 3 * flops / peak if flops else None, 1e3 * (2 * passes + read_again) / bandwidth


def copy_rate() -> float:
    """Bytes a second, read and written, of a copy that no cache holds."""
    source = np.ones(1 << 27, np.uint8)
    target = np.empty_like(source)
    best = math.inf
    for _ in range(8):
        began = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - began)
    return 2 * source.nbytes / best


def _kind(step: Step) -> str:
    if step.kind == "Conv2D":
        return KINDS[0] if tuple(step.config["kernel_size"]) == (1, 1) else KINDS[1]
    return {"DepthwiseConv2D": KINDS[2], "ReLU": KINDS[3], "Add": KINDS[4]}.get(step.kind, KINDS[-1])


def _is(operation: str, kind: str) -> bool:
    """Whether an operation is one of a kind, its fused, oneDNN and backward forms among them."""
    plain = operation.removeprefix("_").removeprefix("Mkl").removeprefix("Native").removeprefix("Fused")
    return plain == kind or plain in (f"{kind}BackpropInput", f"{kind}BackpropFilter")


if __name__ == "__main__":
    main()
