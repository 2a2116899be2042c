"""The frozen pass: images a second of every way to compute pooled features here, and how near the machine's limit that is.

    python benchmarks/extract.py --weights FILE --alpha 0.35 --size 160

runs each way on one thread, as a worker does, on the same random images, and prints one JSON line: images a second, the
fraction of the measured peak of a float32 matrix multiplication, and the largest difference to Keras' features. ONNX Runtime
and OpenVINO take part where they are installed (``pip install onnxruntime openvino tf2onnx``).
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlsearch.search.workers.inside import prepare
from tlsearch.spaces import BackboneSpec
from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.forward import BATCH, compile_forward
from tlsearch.spaces.backbone.network import IMAGE, POOL, Network
from tlsearch.spaces.backbone.spec import load_network

THREADS, SECONDS = 1, 4.0
Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def main() -> None:
    """Times every way, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="random")
    parser.add_argument("--alpha", type=float, default=0.35)
    parser.add_argument("--size", type=int, default=160)
    asked = parser.parse_args()
    prepare(THREADS)
    spec = BackboneSpec(asked.alpha, asked.size, asked.weights)
    network = load_network(spec, spec.locate())
    images = np.random.default_rng(0).integers(0, 256, (BATCH, asked.size, asked.size, 3), np.uint8)
    peak, flops = multiplication_peak(), operations(network)
    expected = None
    found = {}
    for name, make in WAYS.items():
        try:
            run = make(network)
        except ImportError as error:
            found[name] = {"skipped": str(error)}
            continue
        features = run(images)
        expected = features if expected is None else expected
        rate = images_a_second(run, images)
        found[name] = {
            "images_per_second": round(rate),
            "of_peak": round(rate * flops / peak, 3),
            "largest_difference": float(np.abs(features - expected).max()),
        }
    print(json.dumps({"benchmark": "extract", "threads": THREADS, "peak_gflops": round(peak / 1e9), "ways": found}))


def keras_predict(network: Network) -> Run:
    """The backbone as Keras gives it, a model of layers."""
    model = network.build(IMAGE, POOL + 1, name="keras")
    return lambda images: np.asarray(model.predict_on_batch(images))


def keras_folded(network: Network) -> Run:
    """The same with BatchNorm and padding folded."""
    return keras_predict(fold(network))


def graph(network: Network) -> Run:
    """What tlsearch does: one TensorFlow graph with constants."""
    forward = compile_forward(fold(network), [POOL])
    return lambda images: forward(images)[0]


def onnx(network: Network) -> Run:
    """ONNX Runtime on the exported folded network."""
    import onnxruntime  # type: ignore[import-not-found]
    import tf2onnx  # type: ignore[import-not-found]  # noqa: F401 - Keras' export needs it

    with tempfile.TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        session = onnxruntime.InferenceSession(str(_exported(network, Path(scratch))), options)
    (name,) = (entry.name for entry in session.get_inputs())
    return lambda images: np.asarray(session.run(None, {name: images.astype(np.float32)})[0])


def openvino(network: Network) -> Run:
    """OpenVINO on the same file, in float32: its default on some processors is bfloat16."""
    import openvino as ov  # type: ignore[import-not-found]
    import tf2onnx  # noqa: F401

    with tempfile.TemporaryDirectory() as scratch:
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": str(THREADS)}
        compiled = ov.Core().compile_model(str(_exported(network, Path(scratch))), "CPU", settings)
    return lambda images: np.array(compiled(images.astype(np.float32))[0])


WAYS: dict[str, Callable[[Network], Run]] = {
    "keras": keras_predict,
    "keras_folded": keras_folded,
    "tlsearch": graph,
    "onnxruntime": onnx,
    "openvino": openvino,
}


def _exported(network: Network, folder: Path) -> Path:
    file = folder / "network.onnx"
    model = fold(network).build(IMAGE, POOL + 1, name="exported")
    model(np.zeros((1, network.size, network.size, 3), np.float32))  # Keras exports what has been called
    model.export(str(file), format="onnx", verbose=False)
    return file


def images_a_second(run: Run, images: NDArray[np.uint8]) -> float:
    """The best of several rounds: what else the machine does only slows a round down."""
    run(images)
    best, until = 0.0, time.monotonic() + SECONDS
    while time.monotonic() < until:
        began = time.perf_counter()
        for _ in range(5):
            run(images)
        best = max(best, 5 * len(images) / (time.perf_counter() - began))
    return best


def multiplication_peak() -> float:
    """Floating-point operations a second of a large matrix multiplication, by TensorFlow on the same threads."""
    import tensorflow as tf

    a: Any = tf.random.normal((1024, 1024))
    best = 0.0
    for _ in range(20):
        began = time.perf_counter()
        tf.matmul(a, a).numpy()
        best = max(best, 2 * 1024**3 / (time.perf_counter() - began))
    return best


def operations(network: Network) -> float:
    """Floating-point operations of an image: two for each multiplication and addition of the convolutions."""
    convolutions = [step for step in network.steps if step.kind in ("Conv2D", "DepthwiseConv2D")]
    return sum(2.0 * math.prod(step.shape[:2]) * math.prod(step.weights[0].shape) for step in convolutions)


if __name__ == "__main__":
    main()
