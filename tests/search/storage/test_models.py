import numpy as np
import pytest

from tlsearch.search.storage.folder.files import FolderFiles
from tlsearch.search.storage.models import KeptModel, keep, keep_better, kept_bytes, kept_model, model_name
from tlsearch.spaces.errors import StudyError
from tlsearch.spaces.recipe import Technique

from ..factory import recipe

FROZEN = Technique.FROZEN


def model(score=0.8, order=0, trial=3, **changes):
    weights = (np.full((2, 3), score, np.float32), np.zeros(3, np.float32))
    fields = {"recipe": recipe(), "trial": trial, "seed": 10 + order, "order": order, "epoch": 4, "val_score": score}
    return KeptModel(**{**fields, "weights": weights, **changes})


def kept_score(path):
    return kept_model(FolderFiles(path), FROZEN).val_score


def test_gives_back_what_was_kept(tmp_path):
    keep(FolderFiles(tmp_path), model())
    again = kept_model(FolderFiles(tmp_path), FROZEN)
    assert again.facts() == model().facts()
    for array, expected in zip(again.weights, model().weights, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert kept_model(FolderFiles(tmp_path), Technique.FULL) is None
    assert kept_bytes(FolderFiles(tmp_path)) == (tmp_path / model_name(FROZEN)).stat().st_size


@pytest.mark.parametrize(
    ("metric", "first", "second", "winner"),
    [
        ("accuracy", model(0.8), model(0.9, 1), 0.9),
        ("accuracy", model(0.9), model(0.8, 1), 0.9),
        ("log_loss", model(0.8), model(0.9, 1), 0.8),
        ("accuracy", model(0.9, trial=3), model(0.5, trial=7), 0.5),  # the search has found another finalist
    ],
)
def test_the_better_one_of_the_same_finalist_is_kept(tmp_path, metric, first, second, winner):
    keep_better(FolderFiles(tmp_path), first, metric)
    keep_better(FolderFiles(tmp_path), second, metric)
    assert kept_score(tmp_path) == winner
    assert len(list((tmp_path / "models").iterdir())) == 1


@pytest.mark.parametrize("orders", [(0, 1), (1, 0)])
def test_of_equals_the_earlier_seed_is_kept_whichever_comes_first(tmp_path, orders):
    for order in orders:
        keep_better(FolderFiles(tmp_path), model(order=order), "accuracy")
    assert kept_model(FolderFiles(tmp_path), FROZEN).order == 0


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", b"no archive"])
def test_a_damaged_one_is_said_and_replaced(tmp_path, damage):
    keep(FolderFiles(tmp_path), model(0.9))
    (tmp_path / model_name(FROZEN)).write_bytes(damage)
    with pytest.raises(StudyError, match=r"frozen\.npz is damaged.*--refit"):
        kept_model(FolderFiles(tmp_path), FROZEN)
    keep_better(FolderFiles(tmp_path), model(0.5), "accuracy")
    assert kept_score(tmp_path) == 0.5


def test_a_refitted_one_lies_beside_it(tmp_path):
    keep(FolderFiles(tmp_path), model())
    keep(FolderFiles(tmp_path), model(refit=True, epoch=9))
    assert kept_model(FolderFiles(tmp_path), FROZEN).epoch == 4
    assert kept_model(FolderFiles(tmp_path), FROZEN, refit=True).epoch == 9


def test_a_study_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(StudyError, match="the study's folder must stay and be writable"):
        keep(FolderFiles(tmp_path), model())
