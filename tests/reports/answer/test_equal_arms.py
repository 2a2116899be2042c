"""A search in which every technique is the same one under another name, from the first proposal to the verdict."""

import dataclasses

import numpy as np
import pytest

from tlsearch.reports import summarize
from tlsearch.search.storage.store import StudyStore

from ...search.factory import settings, striped_dataset
from ...search.fakes import FakePool, confirmer, searcher
from ..factory import predict

IMAGES = 400


def score(job):
    """Of any recipe: nothing but the luck of its seed."""
    return float(np.clip(np.random.default_rng(job.seed).normal(0.85, 0.02), 0, 1))


@pytest.mark.parametrize("seed", range(2))
def test_equal_arms_tie(tmp_path, seed):
    """At most 5% of such studies win falsely (`test_verdict` simulates it); these two are fixed by their seeds, and tie."""
    made = striped_dataset(tmp_path, count=IMAGES + 100)
    dataset = dataclasses.replace(made, test=np.arange(100, IMAGES + 100))
    labels = dataset.labels[dataset.test]
    difficulty = np.random.default_rng([seed, 1]).random(IMAGES)

    def predictions(job):
        rng = np.random.default_rng([seed, job.seed, *map(ord, job.recipe.technique)])
        (found,) = predict(rng, labels, 0.85, seeds=1, seed_std=0.01, difficulty=difficulty)
        return found

    store = StudyStore.create(tmp_path / "photos", settings(seed=seed))
    searcher(store, 6).run(FakePool(score))
    confirmer(store, dataset, 3).run(FakePool(score, predictions=predictions))
    found = summarize(store)
    assert found.verdict.decision == "tie" and found.verdict.winner is None
    assert found.verdict.recommended is not None and found.untried == ()
