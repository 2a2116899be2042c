"""The blog post's whole experiment as its script does it, against ``tlsearch run --space post``.

50 epochs with the base frozen, then 5 epochs from layer 100 on: 128 px, α = 1.0, RMSprop at 1e-4, batches of 128. The script
builds one Keras model, trains it from pixels through a `tf.data` pipeline that caches and prefetches, thaws and trains on.
Weights are random where no file is given: what is timed does not depend on them.

    python benchmarks/post.py DATA

prints one JSON line: seconds of both sides, their ratio, and the validation accuracies of both stages.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from common import plainly, report, search

from tlsearch.search import open_folder
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.space import POST_FINE_TUNE_AT

SIZE, ALPHA, BATCH, RATE, EPOCHS, FINE_TUNE_EPOCHS = 128, 1.0, 128, 1e-4, 50, 5
"""The post's; `load_preset("post")` holds the same for tlsearch."""


def main() -> None:
    """Runs both sides, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="random", help="random, or a file of α = 1.0")
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    preset = load_preset("post")
    assert (preset.size, preset.alpha) == (SIZE, ALPHA)
    if asked.plain:
        train_plainly(asked)
        return
    with tempfile.TemporaryDirectory() as folder:
        cache, study = Path(folder) / "cache", Path(folder) / "study"
        options = ["--space", "post", "--weights", asked.weights, "--confirm", 0]
        ours = search(asked.data, "--study", study, *options, cache=cache)
        found = report(study)
        os.environ["TLSEARCH_CACHE_DIR"] = str(cache)
        plain, accuracies = plainly(__file__, asked.data, "--weights", asked.weights, "--plain")
    result = {
        "benchmark": "post",
        "images": found["data"]["train"],
        "plain_seconds": round(plain, 1),
        "tlsearch_seconds": round(ours.seconds, 1),
        "ratio": round(plain / ours.seconds, 2),
        "plain_val_accuracy": accuracies,
        "tlsearch_val_accuracy": {entry["technique"]: entry["best_val_accuracy"] for entry in found["techniques"]},
        "tlsearch_timing": found["timing"],
    }
    print(json.dumps(result))


def train_plainly(asked: argparse.Namespace) -> None:
    """The post's script; prints the best validation accuracy of each stage."""
    import keras
    import tensorflow as tf

    data = open_folder(asked.data, size=SIZE)
    images = data.images()

    def pipeline(rows: Any, *, shuffle: bool) -> Any:
        loaded = tf.data.Dataset.from_tensor_slices((images[rows], data.labels[rows])).cache()
        loaded = loaded.shuffle(len(rows)) if shuffle else loaded
        return loaded.batch(BATCH).prefetch(tf.data.AUTOTUNE)

    train, val = pipeline(data.train, shuffle=True), pipeline(data.val, shuffle=False)
    weights = None if asked.weights == "random" else asked.weights
    base = keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), alpha=ALPHA, include_top=False, weights=weights)
    base.trainable = False
    inputs = keras.Input((SIZE, SIZE, 3))
    x = base(keras.applications.mobilenet_v2.preprocess_input(inputs), training=False)
    outputs = keras.layers.Dense(len(data.classes), activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)

    def fit(epochs: int) -> float:
        model.compile(keras.optimizers.RMSprop(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return float(max(model.fit(train, validation_data=val, epochs=epochs, verbose=0).history["val_accuracy"]))

    frozen = fit(EPOCHS)
    for number, layer in enumerate(base.layers):
        layer.trainable = number >= POST_FINE_TUNE_AT and not isinstance(layer, keras.layers.BatchNormalization)
    print(json.dumps({"frozen": frozen, "fine-tune": fit(FINE_TUNE_EPOCHS)}))


if __name__ == "__main__":
    main()
