"""Folds as they are stored, in a folder and in a database."""

import numpy as np
import pytest

from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.folder.study import FolderStudy
from tlsearch.search.storage.shared.studies import SharedStudy
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.storage.tested import confirmed, test_files, ties_of
from tlsearch.spaces.recipe import Technique

from ...reports.factory import PROFILE, divided_study

FROZEN, FINE_TUNE, FULL = Technique
test_files.__test__ = False  # not a test, whatever its name says to pytest


@pytest.fixture(params=["folder", pytest.param("database", marks=pytest.mark.slow)])
def place(request, tmp_path):
    if request.param == "folder":
        return FolderStudy(tmp_path / "photos")
    return SharedStudy(parse_storage(request.getfixturevalue("database")), "photos")


def test_each_fold_has_its_own_trials_confirmations_notes_and_seed(place):
    divided_study(place, folds=3)
    store = StudyStore.open(place)
    folds = store.folds
    assert [fold.fold for fold in folds] == [0, 1, 2] and len(store.trials()) == 9
    for fold in folds:
        assert [trial.fold for trial in fold.trials()] == [fold.fold] * 3
        assert [trial.number for trial in fold.finalists().values()] == [3 * fold.fold + place for place in range(3)]
        assert [one.fold for one in fold.confirmations()] == [fold.fold] * 3
        assert fold.notes.test_files()[0] == f"{fold.fold}-0.jpg" and fold.notes.profile() == PROFILE
        assert fold.folds == (fold,)
    assert len({fold.settings.seed for fold in folds} | {store.settings.seed}) == 4
    assert len({one.predictions for one in store.confirmations()}) == 9


def test_what_was_tested_comes_fold_by_fold(place):
    store = divided_study(place, folds=4, unfinished=[(1, FULL)])
    found = confirmed(store)
    assert {technique: [one.fold for one in own] for technique, own in found.items()} == {t: [0, 2, 3] for t in Technique}
    probabilities, labels = store.stacked(found[FROZEN])
    assert probabilities.shape == (1, 300, 2) and labels.shape == (300,)
    assert list(np.unique(ties_of(store, found[FROZEN]).folds, return_counts=True)[1]) == [100, 100, 100]
    files = test_files(store, {0, 2, 3})
    assert len(files) == 300 and [files[at] for at in (0, 100, 299)] == ["0-0.jpg", "2-0.jpg", "3-99.jpg"]
    own, _ = store.predictions(found[FROZEN][1])
    assert (probabilities[0, 100:200] == own).all()


def test_of_unequal_seeds_as_many_are_stacked_as_every_fold_has(tmp_path):
    store = divided_study(tmp_path / "photos", folds=3)
    first = [one for one in store.confirmations() if one.recipe.technique is FROZEN]
    twice = [first[0], *first]
    probabilities, _ = store.stacked(twice)
    assert len(probabilities) == 1 and (probabilities == store.stacked(first)[0]).all()


def test_the_name_of_one_fold_without_test_files_leaves_all_unnamed(tmp_path):
    store = divided_study(tmp_path / "photos", folds=3)
    store.folds[2].notes.keep_test_files([])
    assert test_files(store, {0, 1, 2}) == () and len(test_files(store, {0, 1})) == 266
