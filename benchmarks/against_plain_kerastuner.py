"""tlsearch against the script that a KerasTuner user writes today: the same recipes, epochs, batch size, split and weights.

tlsearch searches first, from an empty cache, with pruning, early stopping and confirmation off; then once more as it does by
default, with pruning and early stopping, from the cache that the first search has filled. Then a stock `keras_tuner.GridSearch`
trains the very same recipes, one model built a trial, in a process of its own. The plain side is given the decoded images in
memory, which tlsearch has to decode within its time; its `tf.data` pipeline caches and prefetches, and BatchNorm is in
inference mode, as Keras' transfer-learning guide has it.

    python benchmarks/against_plain_kerastuner.py DATA --weights FILE --alpha 0.35 --size 160 --trials 20 --epochs 5

prints one JSON line: seconds of both sides, their ratios, and the best validation accuracies.

With ``--defaults`` each side does what it does unasked, until it has an answer: ``tlsearch run DATA``, confirmation and all,
and a `keras_tuner.RandomSearch` of ten trials, its default, among the recipes that tlsearch has tried, with the early stopping
of KerasTuner's guides; the line then holds the test accuracy of what each side would take.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from common import best_val_accuracy, parser, plainly, report, search

from tlsearch.search import open_folder
from tlsearch.spaces import Recipe
from tlsearch.spaces.recipe import Technique


def main() -> None:
    """Runs both sides, one after the other."""
    arguments = parser(__doc__, trials=20)
    arguments.add_argument("--epochs", type=int, default=5)
    arguments.add_argument("--technique", action="append", default=[], choices=[str(technique) for technique in Technique])
    arguments.add_argument("--defaults", action="store_true", help="each side at its own defaults, to its answer")
    arguments.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.plain:
        search_plainly(asked)
    else:
        print(json.dumps(at_defaults(asked) if asked.defaults else at_equal_work(asked)))


def at_equal_work(asked: argparse.Namespace) -> dict[str, Any]:
    """The same trials on both sides."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        cache = scratch / "cache"
        options: list[object] = [asked.data, "--weights", asked.weights, "--algorithm", "random", "--confirm", 0]
        for option in ("alpha", "size", "trials", "epochs"):
            options += [f"--{option}", getattr(asked, option)]
        for technique in asked.technique:
            options += ["--technique", technique]
        whole = ("--no-prune", "--no-early-stopping", "--no-close-arms")
        cold = search(*options, "--study", scratch / "cold", *whole, cache=cache)
        warm = search(*options, "--study", scratch / "warm", cache=cache)
        found = report(scratch / "cold")
        plain, best = _plain_side(asked, found, scratch)
        return {
            "benchmark": "against_plain_kerastuner",
            "trials": len(found["trials"]),
            "by_technique": {entry["technique"]: entry["trials"] for entry in found["techniques"]},
            "epochs": asked.epochs,
            "images": found["data"]["train"],
            "plain_seconds": round(plain, 1),
            "tlsearch_seconds": round(cold.seconds, 1),
            "ratio": round(plain / cold.seconds, 2),
            "tlsearch_default_warm_seconds": round(warm.seconds, 1),
            "ratio_default_warm": round(plain / warm.seconds, 2),
            "plain_best_val_accuracy": best,
            "tlsearch_best_val_accuracy": best_val_accuracy(found),
            "tlsearch_default_warm_best_val_accuracy": best_val_accuracy(report(scratch / "warm")),
            "tlsearch_timing": found["timing"],
        }


def at_defaults(asked: argparse.Namespace) -> dict[str, Any]:
    """What each side does unasked, tlsearch from an empty cache and from the one that it has filled."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        options = (asked.data, "--weights", asked.weights, "--alpha", asked.alpha, "--size", asked.size)
        cold, warm = (search(*options, "--study", scratch / name, cache=scratch / "cache") for name in ("cold", "warm"))
        found = report(scratch / "warm")
        recommended = found["verdict"]["recommended"]
        plain, accuracy = _plain_side(asked, found, scratch, "--defaults")
        return {
            "benchmark": "against_plain_kerastuner --defaults",
            "images": found["data"]["train"],
            "plain_seconds": round(plain, 1),
            "tlsearch_seconds": [round(cold.seconds, 1), round(warm.seconds, 1)],
            "ratio": [round(plain / cold.seconds, 2), round(plain / warm.seconds, 2)],
            "recommended": recommended,
            "plain_test_accuracy": accuracy,
            "tlsearch_test_accuracy": next(
                one["test_accuracy"]["mean"] for one in found["techniques"] if one["technique"] == recommended
            ),
        }


def _plain_side(asked: argparse.Namespace, found: dict[str, Any], scratch: Path, *more: str) -> tuple[float, Any]:
    """Wall seconds of the plain side on the recipes of a report, and what it says."""
    recipes = scratch / "recipes.json"
    recipes.write_text(json.dumps([trial["recipe"] for trial in found["trials"]]))
    os.environ["TLSEARCH_CACHE_DIR"] = str(scratch / "cache")
    options = ("--weights", asked.weights, "--alpha", asked.alpha, "--size", asked.size, "--plain", recipes)
    return plainly(__file__, asked.data, *options, *more)


def search_plainly(asked: argparse.Namespace) -> None:
    """The KerasTuner user's script; prints its best validation accuracy, or the test accuracy of its best model."""
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
        tuner = (keras_tuner.RandomSearch if asked.defaults else keras_tuner.GridSearch)(
            PlainHyperModel(), objective=keras_tuner.Objective("val_accuracy", "max"), directory=scratch, project_name="plain"
        )
        stopping = [keras.callbacks.EarlyStopping(patience=3)] if asked.defaults else []
        tuner.search(
            pipeline(data.train, shuffle=True),
            validation_data=pipeline(data.val, shuffle=False),
            callbacks=stopping,
            verbose=0,
        )
        if asked.defaults:
            (model,) = tuner.get_best_models()
            predicted = model.predict(pipeline(data.test, shuffle=False), verbose=0).argmax(axis=1)
            print(float((predicted == data.labels[data.test]).mean()))
        else:
            print(max(trial.score for trial in tuner.oracle.trials.values()))


if __name__ == "__main__":
    main()
