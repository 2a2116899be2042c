"""What keeps a refit from beginning. That it trains is tested through the command."""

import dataclasses

import numpy as np
import pytest

from tlsearch.search.data.split import Fold
from tlsearch.search.export import refit as refit_module
from tlsearch.search.export.refit import refitted
from tlsearch.search.storage.models import KeptModel, keep
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.training.trainer import Outcome
from tlsearch.spaces.backbone.spec import BackboneSpec, weights_fingerprint
from tlsearch.spaces.errors import StudyError, WeightsError

from ..factory import measurement, recipe, settings, striped_dataset

MODEL = KeptModel(recipe=recipe(), trial=0, seed=7, order=0, epoch=2, val_score=0.9, weights=(), refit=True)


def refit(tmp_path, **changes):
    dataset = striped_dataset(tmp_path)
    own = settings(name="s", data=dataset.settings(), size=32, **changes)
    store = StudyStore.create(tmp_path / "s", own)
    return lambda: refitted(store, MODEL, dataset, tmp_path / "cache", lambda event: None), store


def test_pretrained_weights_that_are_gone_are_said(tmp_path):
    begin, _ = refit(tmp_path, weights=str(tmp_path / "gone.h5"))
    with pytest.raises(WeightsError, match=r"--refit starts from the study's pretrained weights, got .*gone\.h5"):
        begin()


def test_other_weights_than_the_studys_are_refused(tmp_path):
    begin, _ = refit(tmp_path, weights="starter", weights_fingerprint="another")
    with pytest.raises(StudyError, match="starter now holds others"):
        begin()


def test_what_was_refitted_before_is_taken_as_it_is(tmp_path):
    begin, store = refit(tmp_path, weights="gone.h5")
    keep(store.files, MODEL)
    assert begin().refit


@pytest.mark.parametrize("folds", [False, True])
def test_what_it_trains_on_and_how_far(tmp_path, monkeypatch, folds):
    """Of folds all images but those of validation, which stop it; else validation images too, as far as the model before."""
    dataset, asked = striped_dataset(tmp_path), []
    if folds:
        rows = np.arange(48)
        parts = tuple(Fold(rows[16:], rows[8:16], rows[:8]) for _ in range(3))
        dataset = dataclasses.replace(dataset, train=rows, val=rows[:6], test=rows, folds=parts)

    def train(context, space, job, listener):
        asked.append((context, job))
        return Outcome(measurement(5, 0.7), 1, 1.0, 0.0, 1.0, "pixels", weights=())

    monkeypatch.setattr(refit_module, "_train", train)
    fingerprint = weights_fingerprint(BackboneSpec(0.35, 32, "random"), None)
    own = settings(name="s", data=dataset.settings(), size=32, weights="random", weights_fingerprint=fingerprint)
    store = StudyStore.create(tmp_path / "s", own)
    found = refitted(store, MODEL, dataset, tmp_path / "cache", lambda event: None)
    ((context, job),) = asked
    trained = set(context.dataset.train.tolist())
    assert context.dataset.folds == () and job.fold == 0 and job.keep
    if folds:
        assert trained == set(range(6, 48)) and context.dataset.val.tolist() == [*range(6)]
        assert (job.rounds, found.epoch, found.val_score) == (None, 5, 0.7)
    else:
        assert trained == {*dataset.train.tolist(), *dataset.val.tolist()}
        assert (job.rounds, found.epoch, found.val_score) == (2, 2, 0.9)
