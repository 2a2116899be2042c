"""Images a second of training the whole network: plain Keras against tlsearch, each with all cores.

Plain Keras is one `fit` from pixels with BatchNorm in inference mode, as Keras' transfer-learning guide has it, on a `tf.data`
pipeline that caches and prefetches, with TensorFlow's own choice of threads. tlsearch is its command, a trial of ``full`` on
each of its workers side by side. Both train with Adam on batches of 32; only training steps are counted. The two sides take
turns, since a machine that others share is not always as fast.

    python benchmarks/whole_network.py DATA --weights FILE --alpha 0.35 --size 160 --epochs 3

prints one JSON line: images a second of both sides in each round, all cores together, and the ratio of their medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from common import parser, plainly, report, search

from tlsearch.search import open_folder

BATCH, RATE = 32, 1e-5


def main() -> None:
    """Runs both sides, one after the other."""
    arguments = parser(__doc__, trials=4)
    arguments.add_argument("--epochs", type=int, default=3)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.plain:
        train_plainly(asked)
        return
    given: list[object] = [asked.data]
    for option in ("weights", "alpha", "size", "epochs"):
        given += [f"--{option}", getattr(asked, option)]
    options = ["--technique", "full", "--algorithm", "random", "--confirm", 0, "--no-prune", "--no-early-stopping"]
    options += ["--trials", asked.trials, "--batch-size", BATCH]
    ours, plain = [], []
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        os.environ["TLSEARCH_CACHE_DIR"] = str(cache)
        for number in range(asked.rounds):
            study = Path(folder) / f"study-{number}"
            search(*given, *options, "--study", study, cache=cache)
            found = report(study)
            workers = found["study"]["runs"][-1]["workers"]
            ours.append(workers * statistics.mean(trial["images_per_second"] for trial in found["trials"]))
            plain.append(plainly(__file__, *given, "--plain")[1])
    result = {
        "benchmark": "whole_network",
        "epochs": asked.epochs,
        "images": found["data"]["train"],
        "workers": workers,
        "plain_images_per_second": [round(speed, 1) for speed in plain],
        "tlsearch_images_per_second": [round(speed, 1) for speed in ours],
        "ratio": round(statistics.median(ours) / statistics.median(plain), 2),
    }
    print(json.dumps(result))


def train_plainly(asked: argparse.Namespace) -> None:
    """Trains all layers; prints images a second of the epochs behind the first, in which TensorFlow traces and fills caches."""
    import keras
    import tensorflow as tf

    data = open_folder(asked.data, size=asked.size)
    images = data.images()[data.train]
    loaded = tf.data.Dataset.from_tensor_slices((images, data.labels[data.train])).cache()
    train = loaded.shuffle(len(images)).batch(BATCH).prefetch(tf.data.AUTOTUNE)
    shape = (asked.size, asked.size, 3)
    base = keras.applications.MobileNetV2(input_shape=shape, alpha=asked.alpha, include_top=False, weights=asked.weights)
    for layer in base.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    inputs = keras.Input(shape)
    x = base(keras.applications.mobilenet_v2.preprocess_input(inputs), training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(len(data.classes), activation="softmax")(x))
    model.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, epochs=1, verbose=0)
    began = time.perf_counter()
    model.fit(train, epochs=asked.epochs, verbose=0)
    print(asked.epochs * len(images) / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
