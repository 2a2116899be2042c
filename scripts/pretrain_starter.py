"""Trains the ``starter`` weights: MobileNetV2, α = 0.35, on the drawn source task, and writes them as ``spaces/starter.npz``.

Run it from a checkout with tlsearch installed::

    python scripts/pretrain_starter.py --epochs 18 --log scripts/pretrain_starter.log

The source task has a class for each outline of `SOURCE_SHAPES` in each of `FILLS`; the outlines of the built-in target sets are
not among them. The log states the accuracy on held-out source pictures, before and after rounding to float16.
"""

from __future__ import annotations

import argparse
import logging
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from tlsearch.search.data.drawing import FILLS, SIDE, SOURCE_SHAPES, draw_object

CLASSES = [(shape, fill) for shape in SOURCE_SHAPES for fill in FILLS]
HELD_OUT = 20
"""Pictures of each class that the accuracy is measured on."""

log = logging.getLogger("pretrain")


def draw_class(label: int, first: int, count: int) -> np.ndarray:
    """``count`` pictures of one class, ``(count, SIDE, SIDE, 3)`` uint8."""
    shape, fill = CLASSES[label]
    generators = (np.random.default_rng([label, number]) for number in range(first, first + count))
    return np.stack([np.asarray(draw_object(SOURCE_SHAPES[shape], fill, rng)) for rng in generators])


def draw(first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` pictures of every class and their labels."""
    labels = range(len(CLASSES))
    with ProcessPoolExecutor() as pool:
        parts = list(pool.map(draw_class, labels, [first] * len(CLASSES), [count] * len(CLASSES)))
    return np.concatenate(parts), np.repeat(np.arange(len(CLASSES)), count)


def main() -> None:
    """Draws, trains, rounds, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--per-class", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "spaces" / "starter.npz")
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

    import keras

    keras.utils.set_random_seed(0)
    base = keras.applications.MobileNetV2(
        input_shape=(SIDE, SIDE, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            keras.layers.RandomFlip("horizontal_and_vertical"),
            keras.layers.RandomTranslation(0.08, 0.08, fill_mode="reflect"),
            keras.layers.Rescaling(1 / 127.5, offset=-1.0),
            base,
            keras.layers.Dropout(0.1),
            keras.layers.Dense(len(CLASSES)),
        ]
    )
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # The default of 0.999 has not forgotten its first statistics after a few thousand steps.
            layer.momentum = 0.98
    batch = 64
    steps = arguments.epochs * -(-len(images) // batch)
    schedule = keras.optimizers.schedules.CosineDecay(
        1e-4, steps, warmup_target=2e-3, warmup_steps=steps // 20, alpha=0.01
    )
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05),
        metrics=["accuracy"],
        jit_compile=False,
    )
    one_hot = np.eye(len(CLASSES), dtype=np.float32)

    def report(epoch: int, logs: dict[str, float]) -> None:
        passed = time.monotonic() - began
        log.info("epoch %2d  loss %.3f  accuracy %.3f  %4.0f s", epoch + 1, logs["loss"], logs["accuracy"], passed)
        write(arguments.out, base.get_weights())

    model.fit(
        images,
        one_hot[labels],
        batch_size=batch,
        epochs=arguments.epochs,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report)],
    )
    log.info("held-out source accuracy, float32: %.4f", accuracy(model, held_images, held_labels))
    write(arguments.out, base.get_weights())
    with np.load(arguments.out, allow_pickle=False) as file:
        base.set_weights([file[name].astype(np.float32) for name in sorted(file.files)])
    log.info("held-out source accuracy, float16: %.4f", accuracy(model, held_images, held_labels))
    log.info("%s: %.2f MB, %.0f s in all", arguments.out.name, arguments.out.stat().st_size / 1e6, time.monotonic() - began)


def accuracy(model: object, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of ``images`` whose most likely class is the right one."""
    return float((model.predict(images, verbose=0).argmax(axis=1) == labels).mean())  # type: ignore[attr-defined]


def write(path: Path, weights: list[np.ndarray]) -> None:
    """Writes the arrays as float16.

    Raises:
        ValueError: A number is too large for float16.
    """
    rounded = [array.astype(np.float16) for array in weights]
    if not all(np.isfinite(array).all() for array in rounded):
        raise ValueError("the weights must fit in float16")
    np.savez_compressed(path, **{f"w{number:03}": array for number, array in enumerate(rounded)})


if __name__ == "__main__":
    main()
