"""Predictions and studies for tests that train nothing."""

import dataclasses
import io

import numpy as np
from rich.console import Console

from tlsearch.reports.answer.verdict import Predictions
from tlsearch.search.activations.blocks import BLOCKS
from tlsearch.search.depth_profile import DepthPoint, DepthProfile
from tlsearch.search.metrics import scores
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import Confirmation
from tlsearch.spaces.recipe import Technique

from ..search.factory import begin, complete, failed, pruned, recipe, settings, values

SKILLS = {Technique.FROZEN: 0.80, Technique.FINE_TUNE: 0.93, Technique.FULL: 0.86}
LEARNED = {
    "sets": 20,
    "coefficients": [0.02, 0.01, 0.01, 0.0, -0.01, -0.02],
    "uncertainty": [[1e-5 * (row == column) for column in range(6)] for row in range(6)],
    "between_sets": [[4e-4, 3e-4], [3e-4, 9e-4]],
    "between_searches": [[4e-4, 3e-4], [3e-4, 9e-4]],
}
"""What other data sets let one expect, in place of what is shipped."""

PROFILE = DepthProfile(
    tuple(
        DepthPoint(layer, block, accuracy, (accuracy - 0.07, accuracy + 0.06))
        for (block, layer), accuracy in zip(BLOCKS.items(), np.linspace(0.52, 0.86, len(BLOCKS)).tolist(), strict=True)
    ),
    images=160,
    chance=0.5,
    last_share=0.97,
)
"""Of a data set that is similar to what the weights were trained on."""

TIMING = {"wall": 200.0, "extract": 21.0, "search": 120.0, "confirm": 50.0}


def predict(rng, labels, skill, seeds=3, classes=2, seed_std=0.0, difficulty=None):
    """Predictions of a technique that is right with probability ``skill``; images of one study share their difficulty."""
    n = len(labels)
    hard = rng.random(n) if difficulty is None else difficulty
    out = np.empty((seeds, n, classes), np.float32)
    for place in range(seeds):
        skilled = np.clip(skill + rng.normal(0, seed_std), 0, 1)
        # Half of what decides is the image itself: techniques err on the same images, as real ones do.
        chance = np.where(rng.random(n) < 0.5, hard, rng.random(n))
        right = chance < skilled
        guess = np.where(right, labels, (labels + 1) % classes)
        out[place] = 0.1 / (classes - 1)
        out[place, np.arange(n), guess] = 0.9
    return out


def study(rng, skills, n=2000, seed_std=0.0, seconds=(1, 10, 100)):
    """Predictions by technique, and the labels."""
    labels = rng.integers(0, 2, n)
    difficulty = rng.random(n)
    predictions = {
        technique: Predictions(predict(rng, labels, skill, seed_std=seed_std, difficulty=difficulty), cost)
        for technique, skill, cost in zip(Technique, skills, seconds, strict=False)
    }
    return predictions, labels


def store_of(path, trials=(), changes=None, data=None, timing=TIMING):
    """A study on disk with ``trials``, as if they had been trained."""
    own = settings(name=path.name)
    own = dataclasses.replace(own, data=dataclasses.replace(own.data, **(data or {})), **(changes or {}))
    store = StudyStore.create(path, own)
    for trial in trials:
        # A fixed space has fewer parameters than the default one, whose values these are.
        begin(store, values(str(trial.recipe.technique)), trial.recipe, seed=trial.seed, worker=trial.worker)
        store.finish(trial)
    for phase, seconds in timing.items():
        store.notes.add_timing(phase, seconds)
    return store


def confirm(store, trial, skill, seeds=3, seconds=10.0):
    """Records confirmations of ``trial`` with a model that is right with probability ``skill``."""
    data = store.settings.data
    labels = np.repeat(np.arange(len(data.classes)), [images // data.folds for images in data.test_per_class])
    rng = np.random.default_rng([7, *map(ord, trial.recipe.technique), *[store.fold] * (data.folds > 1)])
    for seed in range(seeds):
        (probabilities,) = predict(rng, labels, skill, seeds=1, classes=len(data.classes))
        store.confirm(
            Confirmation(
                recipe=trial.recipe,
                trial=trial.number,
                seed=seed,
                seconds=seconds,
                val_score=trial.score,
                scores={str(name): value for name, value in scores(probabilities, labels).items()},
                predictions="",
            ),
            probabilities,
            labels,
        )


def whole_study(path, changes=None, data=None, skills=SKILLS, **options):
    """A study of six trials, one of them pruned and one failed; each technique confirmed with a model of its skill."""
    trials = [
        complete(0, "frozen", (0.75, 0.81)),
        complete(1, "fine-tune", (0.7, 0.82, 0.91, 0.9), trainable_params=1_862_144, seconds=75.0),
        complete(2, "full", (0.6, 0.84), trainable_params=2_226_434, seconds=130.0),
        pruned(3, "fine-tune"),
        failed(4, "full"),
        complete(
            5, "frozen", (0.76, 0.8), recipe=recipe("frozen", learning_rate=4.7e-5, head_units=128, head_layers=2, dropout=0.25)
        ),
    ]
    store = store_of(path, trials, changes, data, **options)
    store.notes.keep_profile(PROFILE)
    for trial, technique in zip(trials[:3], Technique, strict=True):
        confirm(store, trial, skills[technique], seconds=trial.seconds)
    return store


def divided_study(path, folds=5, skills=SKILLS, unfinished=()):
    """A study of 400 images in folds, each of which tried one recipe of each technique and confirmed it with one seed.

    Args:
        unfinished: Folds and techniques that were not confirmed.
    """
    data = {"folds": folds, "train": 400 - 400 // folds - 60, "val": 60, "test": 400, "test_per_class": (200, 200)}
    store = store_of(path, data=data)
    for fold in store.folds:
        fold.notes.keep_test_files([f"{fold.fold}-{image}.jpg" for image in range(400 // folds)])
        fold.notes.keep_profile(PROFILE)
        for place, technique in enumerate(Technique):
            trial = complete(3 * fold.fold + place, technique, (0.7, 0.8 + fold.fold / 100), fold=fold.fold)
            begin(fold, values(str(technique)), trial.recipe, seed=trial.seed)
            fold.finish(trial)
            if (fold.fold, technique) not in unfinished:
                confirm(fold, trial, skills[technique], seeds=1)
    return store


def with_outlook_on_seeds(summary, any_seeds):
    """The summary, had its intervals so much left with any number of seeds; None where its seeds are too few to tell."""
    pairs = [
        dataclasses.replace(c, outlook=dataclasses.replace(c.outlook, any_seeds=any_seeds)) for c in summary.verdict.comparisons
    ]
    return dataclasses.replace(summary, verdict=dataclasses.replace(summary.verdict, comparisons=tuple(pairs)))


def rendered(value, width=80):
    """``value`` as plain text, with the spaces at the ends of lines cut off."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False, legacy_windows=False, color_system=None).print(value)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
