"""Studies with something for every part of the page. Nothing is trained."""

import json
import math

import numpy as np
from PIL import Image

from tlsearch.search.selection import maximized

from ...search.factory import START, complete, measurement, recipe
from ..factory import PROFILE, confirm, store_of, whole_study


def busy_study(path, trials=27, metric="accuracy", data=None, workers=2):
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
                started=START,
                seconds=float(rng.uniform(5, 30) * (1 + number % 3)),
            )
        )
    store = store_of(path, made, {"metric": metric}, data)
    for technique in ("frozen", "fine-tune", "full"):
        own = [trial for trial in made if trial.recipe.technique == technique]
        best = (max if maximized(metric) else min)(own, key=lambda trial: trial.score)
        confirm(store, best, {"frozen": 0.85, "fine-tune": 0.93, "full": 0.9}[technique])
    store.notes.keep_profile(PROFILE)
    return store


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
    (store.place.path / "test_files.json").write_text(json.dumps(names))
    return store
