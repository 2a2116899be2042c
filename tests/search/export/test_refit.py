"""What keeps a refit from beginning. That it trains is tested through the command."""

import pytest

from tlsearch.search.export.refit import refitted
from tlsearch.search.storage.models import KeptModel, keep
from tlsearch.search.storage.store import StudyStore
from tlsearch.spaces.errors import StudyError, WeightsError

from ..factory import recipe, settings, striped_dataset

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
