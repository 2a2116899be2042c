"""Studies with something for every part of the page, and pages in a browser. Nothing is trained."""

import dataclasses
import json
import math

import numpy as np
from PIL import Image

from tlsearch.reports import summarize
from tlsearch.reports.insight import Confusion, DepthPoint, Similarity
from tlsearch.search.metrics import maximized

from ...search.factory import START, complete, measurement, recipe
from ..factory import confirm, store_of, whole_study

SIMILARITY = Similarity(
    "similar",
    0.91,
    0.82,
    (
        DepthPoint(54, "block_5", 0.71, (0.66, 0.76)),
        DepthPoint(98, "block_10", 0.82, (0.78, 0.86)),
        DepthPoint(153, "top", 0.91, (0.88, 0.94)),
    ),
    98,
    "The images resemble what the weights were trained on.",
)


def confusion_of(classes, wrong=3):
    """Nearly right, with ``wrong`` images of each class taken for the next one; the last class has no test image."""
    matrix = np.eye(classes, dtype=int) * 20
    matrix[-1] = 0
    for true in range(classes - 1):
        matrix[true, (true + 1) % classes] += wrong
    recall = tuple(float(row[i] / row.sum()) if row.sum() else math.nan for i, row in enumerate(matrix))
    pairs = tuple((true, (true + 1) % classes, wrong) for true in range(min(classes - 1, 5)))
    return Confusion(tuple(tuple(int(n) for n in row) for row in matrix), recall, pairs)


def busy_study(path, trials=45, metric="accuracy", data=None, workers=2):
    """A study of many trials over two workers, its finalists confirmed."""
    rng = np.random.default_rng(5)
    made = []
    for number in range(trials):
        technique = ("frozen", "fine-tune", "full")[number % 3]
        rate = float(10 ** rng.uniform(-5, -2.5))
        at = {"fine_tune_at": int(rng.choice([54, 81, 98, 116, 134]))} if technique == "fine-tune" else {}
        layers = int(rng.integers(0, 4))
        own = recipe(
            technique,
            learning_rate=rate,
            dropout=float(rng.choice([0, 0.2, 0.4])),
            head_layers=layers,
            head_units=128 if layers else 0,
            epochs=6,
            **at,
        )
        top = 0.95 - 0.03 * (math.log10(rate) + 3.5) ** 2 + rng.normal(0, 0.01)
        scores = [float(top - 0.3 * math.exp(-epoch / 2)) for epoch in range(1, 7)]
        if not maximized(metric):
            scores = [1 - score for score in scores]
        curve = tuple(measurement(epoch, score) for epoch, score in enumerate(scores, 1))
        best = max if maximized(metric) else min
        made.append(
            complete(
                number,
                technique,
                scores,
                recipe=own,
                curve=curve,
                score=best(scores),
                best_epoch=1 + scores.index(best(scores)),
                worker=f"worker-{1 + number % workers}",
                started=START + (number // workers) * dataclasses.replace(complete()).ended.__sub__(START),
                seconds=float(rng.uniform(5, 30) * (1 + number % 3)),
            )
        )
    store = store_of(path, made, {"metric": metric}, data)
    for technique in ("frozen", "fine-tune", "full"):
        own = [trial for trial in made if trial.recipe.technique == technique]
        best = (max if maximized(metric) else min)(own, key=lambda trial: trial.score)
        confirm(store, best, {"frozen": 0.85, "fine-tune": 0.93, "full": 0.9}[technique])
    return store


def full(store, **changes):
    """The summary of a study with everything that a page can show."""
    found = summarize(store)
    classes = len(found.settings.data.classes)
    insight = {"similarity": SIMILARITY, "confusion": confusion_of(classes), "cost_sentence": "It costs little.",
               "pareto_seconds": frozenset(t.technique for t in found.techniques[:2])}  # fmt: skip
    return dataclasses.replace(found, **{**insight, **changes})


def photographed(path, root, classes, train=3, test=2, study=whole_study, **options):
    """A study whose images are really there, below ``root``."""
    rng = np.random.default_rng(9)
    names = []
    for split, count in (("train", train), ("test", test)):
        for name in classes:
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = rng.integers(0, 256, 3, np.uint8) * np.ones((16, 16, 1), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
                if split == "test":
                    names.append(f"test/{name}/{number}.png")
    n = len(classes)
    data = {"path": str(root), "classes": tuple(classes), "train": n * train, "val": n, "test": n * test,
            "train_per_class": (train,) * n, "test_per_class": (test,) * n}  # fmt: skip
    store = study(path, data=data, **options)
    (store.path / "test_files.json").write_text(json.dumps(names))
    return store
