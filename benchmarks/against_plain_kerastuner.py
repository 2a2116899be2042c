"""tlsearch against the script that a KerasTuner user writes today: the same recipes, epochs, batch size, split and weights.

tlsearch searches first, from an empty cache, with pruning, early stopping and confirmation off. Then a stock
`keras_tuner.GridSearch` trains the very same recipes, one model built a trial, in a process of its own. The plain side is given
the decoded images in memory, which tlsearch has to decode within its time; its `tf.data` pipeline caches and prefetches, and
BatchNorm is in inference mode, as Keras' transfer-learning guide has it.

    python benchmarks/against_plain_kerastuner.py DATA --weights FILE --alpha 0.35 --size 160 --trials 20 --epochs 5

prints one JSON line: seconds of both sides, their ratio, and both best validation accuracies.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tlsearch.search import open_folder
from tlsearch.spaces import Recipe
from tlsearch.spaces.recipe import Technique


def main() -> None:
    """Runs both sides, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--alpha", type=float, default=0.35)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--technique", action="append", default=[], choices=[str(technique) for technique in Technique])
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.plain:
        search_plainly(asked)
        return
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TLSEARCH_CACHE_DIR"] = f"{scratch}/cache"
        ours, report = search_with_tlsearch(asked, Path(scratch))
        recipes = Path(scratch) / "recipes.json"
        recipes.write_text(json.dumps([trial["recipe"] for trial in report["trials"]]))
        began = time.monotonic()
        command = [sys.executable, __file__, *sys.argv[1:], "--plain", str(recipes)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        plain = time.monotonic() - began
    accuracies = [entry["best_val_accuracy"] for entry in report["techniques"] if entry["best_val_accuracy"] is not None]
    result = {
        "benchmark": "against_plain_kerastuner",
        "trials": len(report["trials"]),
        "epochs": asked.epochs,
        "images": report["data"]["train"],
        "plain_seconds": round(plain, 1),
        "tlsearch_seconds": round(ours, 1),
        "ratio": round(plain / ours, 2),
        "plain_best_val_accuracy": json.loads(done.stdout.splitlines()[-1]),
        "tlsearch_best_val_accuracy": max(accuracies),
        "tlsearch_timing": report["timing"],
    }
    print(json.dumps(result))


def search_with_tlsearch(asked: argparse.Namespace, scratch: Path) -> tuple[float, dict[str, Any]]:
    """Wall seconds of the command, and its report."""
    tlsearch = [sys.executable, "-m", "tlsearch"]
    study = str(scratch / "study")
    run = [*tlsearch, "run", str(asked.data), "--study", study, "--weights", str(asked.weights), "--quiet"]
    for option in ("alpha", "size", "trials", "epochs"):
        run += [f"--{option}", str(getattr(asked, option))]
    run += ["--algorithm", "random", "--no-prune", "--no-early-stopping", "--confirm", "0"]
    for technique in asked.technique:
        run += ["--technique", technique]
    began = time.monotonic()
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    done = subprocess.run([*tlsearch, "report", study, "--format", "json"], check=True, stdout=subprocess.PIPE, text=True)
    return seconds, json.loads(done.stdout)


def search_plainly(asked: argparse.Namespace) -> None:
    """The KerasTuner user's script; prints its best validation accuracy."""
    import keras
    import keras_tuner
    import tensorflow as tf

    data = open_folder(asked.data, size=asked.size)
    images = data.images()
    recipes = [Recipe.from_dict(fields) for fields in json.loads(asked.plain.read_text())]

    def pipeline(rows: Any, *, shuffle: bool) -> Any:
        loaded = tf.data.Dataset.from_tensor_slices((images[rows], data.labels[rows])).cache()
        loaded = loaded.shuffle(len(rows)) if shuffle else loaded
        return loaded.batch(recipes[0].batch_size).prefetch(tf.data.AUTOTUNE)

    class PlainHyperModel(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            recipe = recipes[hp.Choice("recipe", list(range(len(recipes))))]
            side = asked.size
            self.base = keras.applications.MobileNetV2(
                input_shape=(side, side, 3), alpha=asked.alpha, include_top=False, weights=str(asked.weights)
            )
            self.base.trainable = False
            inputs = keras.Input((side, side, 3))
            x = self.base(keras.applications.mobilenet_v2.preprocess_input(inputs), training=False)
            x = keras.layers.GlobalAveragePooling2D()(x)
            for _ in range(recipe.head_layers):
                x = keras.layers.Dense(recipe.head_units, activation="relu")(x)
            x = keras.layers.Dropout(recipe.dropout)(x)
            return keras.Model(inputs, keras.layers.Dense(len(data.classes), activation="softmax")(x))

        def fit(self, hp: Any, model: Any, train: Any, **options: Any) -> Any:
            recipe = recipes[hp.get("recipe")]

            def compile_for(learning_rate: float) -> None:
                optimizer = keras.optimizers.Adam(learning_rate)
                model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])

            if recipe.technique is Technique.FROZEN:
                compile_for(recipe.learning_rate)
                return model.fit(train, epochs=recipe.epochs, **options)
            compile_for(recipe.head_learning_rate)
            model.fit(train, epochs=recipe.head_epochs, **options)
            for number, layer in enumerate(self.base.layers):
                frozen = number < recipe.first_trained_layer or isinstance(layer, keras.layers.BatchNormalization)
                layer.trainable = not frozen
            compile_for(recipe.learning_rate)
            return model.fit(train, epochs=recipe.epochs, **options)

    with tempfile.TemporaryDirectory() as scratch:
        tuner = keras_tuner.GridSearch(
            PlainHyperModel(), objective=keras_tuner.Objective("val_accuracy", "max"), directory=scratch, project_name="plain"
        )
        tuner.search(pipeline(data.train, shuffle=True), validation_data=pipeline(data.val, shuffle=False), verbose=0)
        best = max(trial.score for trial in tuner.oracle.trials.values())
    print(best)


if __name__ == "__main__":
    main()
