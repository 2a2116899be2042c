"""Records for tests that train nothing."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np

from tlsearch.search.data import Dataset
from tlsearch.search.engines.fair_start import fair_start
from tlsearch.search.settings import DataSettings, SkippedFile, StudySettings
from tlsearch.search.storage.records import Proposal
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import CompleteTrial, FailedTrial, Measurement, PrunedTrial
from tlsearch.spaces.recipe import Recipe
from tlsearch.spaces.space import SearchSpace

START = datetime(2026, 1, 1, tzinfo=UTC)


def measurement(epoch=1, score=0.8, **changes):
    fields = {"loss": 0.5, "accuracy": 0.7, "val_loss": 1 - score, "val_accuracy": score, "seconds": 1.5}
    return Measurement(epoch=epoch, score=score, **{**fields, **changes})


def recipe(technique="frozen", **changes):
    at = {"fine_tune_at": 100} if technique == "fine-tune" else {}
    return Recipe(**{"technique": technique, "learning_rate": 1e-3, **at, **changes})


def complete(number=0, technique="frozen", scores=(0.7, 0.8), **changes):
    curve = tuple(measurement(epoch, score) for epoch, score in enumerate(scores, start=1))
    fields = {
        "number": number,
        "recipe": recipe(technique),
        "seed": number + 1,
        "started": START + timedelta(minutes=number),
        "ended": START + timedelta(minutes=number, seconds=30),
        "worker": "worker-1",
        "seconds": 30.0,
        "setup_seconds": 2.0,
        "curve": curve,
        "best_epoch": 1 + scores.index(max(scores)),
        "score": max(scores),
        "val_accuracy": max(scores),
        "trainable_params": 2562,
        "images_per_second": 400.0,
        "trained_from": "features",
    }
    return CompleteTrial(**{**fields, **changes})


def _ended(number, technique):
    full = complete(number, technique)
    return {
        name: getattr(full, name)
        for name in ("number", "recipe", "seed", "started", "ended", "worker", "seconds", "setup_seconds", "curve")
    }


def failed(number=0, technique="frozen", error="the training loss became nan", **changes):
    return FailedTrial(**{**_ended(number, technique), "error": error, **changes})


def pruned(number=0, technique="frozen", **changes):
    return PrunedTrial(**{**_ended(number, technique), "score": 0.8, "val_accuracy": 0.8, **changes})


def settings(**changes):
    data = DataSettings(
        path="photos",
        fingerprint="f" * 32,
        classes=("cats", "dogs"),
        train=160,
        val=40,
        test=200,
        train_per_class=(80, 80),
        test_per_class=(100, 100),
        skipped=(SkippedFile("cats/notes.txt", "not an image file"),),
    )
    fields = {
        "name": "photos",
        "created": "2026-01-01T00:00:00+00:00",
        "engine": "optuna",
        "algorithm": "tpe",
        "seed": 0,
        "metric": "accuracy",
        "space": SearchSpace().as_dict(),
        "data": data,
        "alpha": 0.35,
        "size": 160,
        "weights": "imagenet",
        "weights_fingerprint": "w" * 32,
        "version": "0.1.0",
    }
    return StudySettings(**{**fields, **changes})


def values(technique="frozen"):
    own = {f"{technique}/learning_rate": 1e-3}
    if technique == "fine-tune":
        own["fine-tune/fine_tune_at"] = 100
    return {"technique": technique, **own, "head_units": 0, "dropout": 0.0}


def write_images(folder, images, *, rows_a_shard=20):
    """As decoding leaves them."""
    folder.mkdir(exist_ok=True)
    shards = [images[first : first + rows_a_shard] for first in range(0, len(images), rows_a_shard)]
    for number, shard in enumerate(shards):
        np.save(folder / f"{number:05}.npy", shard)
    index = {"size": images.shape[1], "rows": [len(shard) for shard in shards]}
    (folder / "index.json").write_text(json.dumps(index))


def striped_dataset(folder, size=32, count=48):
    """Plain grounds of many colours, against the same with stripes; the test split is the last third."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = np.broadcast_to(rng.integers(60, 190, (count, 1, 1, 3)), (count, size, size, 3)).astype(np.uint8)
    images[labels == 1, ::8] = 255
    images[labels == 1, 1::8] = 0
    write_images(folder / "images", images)
    train, val, test = np.split(np.arange(count), [count // 2, 2 * count // 3])
    return Dataset(
        path="made up", classes=("plain", "striped"), size=size, files=("",) * count, labels=labels,
        train=train, val=val, test=test, skipped=(), fingerprint="f", images_digest="d",
        images_folder=folder / "images",
    )  # fmt: skip


def begin(store, values, recipe, *, seed, worker=""):
    """Begins a trial, and gives it."""
    return store.begin(lambda: Proposal(values, recipe, seed, worker, store.fold))


def add(store, trial, technique="frozen"):
    """Records a trial from its beginning to its end; gives whether its end was recorded."""
    begin(store, values(technique), trial.recipe, seed=trial.seed, worker=trial.worker)
    return store.finish(trial)


TRIALS = (
    complete(0, "frozen", (0.5, 0.6)),
    complete(1, "fine-tune", (0.9, 0.6)),
    complete(2, "frozen", (0.85,)),
    pruned(3, "fine-tune", score=0.99),
    failed(4, "full"),
)
"""Of a search that may be confirmed: its finalists are trials 2 and 1."""


def searched(folder, trials=TRIALS):
    """The store of a study with these trials."""
    store = StudyStore.create(folder, settings())
    for trial in trials:
        add(store, trial, trial.recipe.technique)
    return store


def begin_trial(study):
    """Begins the first trial of a study's fair start."""
    (values,) = fair_start(study.space, 1, 0)
    study.store.begin(lambda: Proposal(values, study.space.recipe(values), 1, "worker-1"))


def traceback_of(store, number, seed=None):
    """The traceback that a study keeps of a failed trial, or of its confirmation with a seed; None where it keeps none."""
    try:
        name = f"errors/trial-{number:05}.txt" if seed is None else f"errors/confirm-{number:05}-{seed}.txt"
        return store.files.read(name).decode()
    except FileNotFoundError:
        return None
