import json

import numpy as np
import pytest

from tlsearch.reports.answer.summary import summarize
from tlsearch.reports.files.json import study_json
from tlsearch.reports.words.sentences import lookalikes
from tlsearch.search.metrics import scores
from tlsearch.search.settings import TiedImages
from tlsearch.spaces.recipe import Technique

from ..factory import divided_study, whole_study

FROZEN, _, FULL = Technique


@pytest.fixture
def store(tmp_path):
    return whole_study(tmp_path / "photos")


def tie(store, numbers, seen=()):
    store.notes.keep_tied_images(TiedImages(tuple(numbers), tuple(seen)))
    return summarize(store.place)


def test_without_the_images_that_look_like_trained_ones_the_others_decide(store):
    count = store.settings.data.test
    seen = range(0, count, 3)
    summary = tie(store, range(count), seen)
    probabilities, labels = store.stacked(summary.of(FROZEN).confirmations)
    others = np.delete(np.arange(count), seen)
    expected = np.mean([scores(one[others], labels[others])["accuracy"] for one in probabilities])
    assert summary.lookalikes.images == len(seen) and summary.lookalikes.scores[FROZEN] == pytest.approx(expected)
    sentence = lookalikes(summary)
    assert sentence.startswith(f"{len(seen)} test images of {count} look like one that was trained")
    assert f"frozen {expected:.1%} ({summary.tests[FROZEN].mean:.1%} on all)" in sentence
    assert json.loads(study_json(summary))["data"]["lookalikes"]["images"] == len(seen)


def test_where_all_do_the_scores_prove_nothing(store):
    count = store.settings.data.test
    assert lookalikes(tie(store, range(count), range(count))).endswith("the test scores prove nothing.")


def test_where_none_does_nothing_is_said(store):
    assert summarize(store.place).lookalikes is None and lookalikes(tie(store, range(store.settings.data.test))) == ""
    assert tie(store, [0, 0, 1]).lookalikes is None  # of another split than was tested


def test_groups_make_intervals_wider_and_too_few_make_no_verdict(store):
    count = store.settings.data.test
    alone = summarize(store.place)
    few = tie(store, [image // (count // 20) for image in range(count)])
    assert few.verdict.decision == "insufficient" and "test images of 20 groups" in few.verdict.reason
    # Pairs of images that are both right or both wrong count for one each.
    probabilities, labels = store.stacked(alone.of(FULL).confirmations)
    right = (probabilities.argmax(axis=2) == labels).sum(axis=0)
    numbers = np.empty(count, int)
    numbers[np.argsort(right, kind="stable")] = np.arange(count) // 2
    pairs = tie(store, numbers.tolist())
    widths = [high - low for low, high in (one.verdict.intervals[FULL] for one in (alone, pairs))]
    assert pairs.verdict.decision != "insufficient" and widths[1] > 1.2 * widths[0]


def test_groups_of_folds_are_told_fold_by_fold(tmp_path):
    store = divided_study(tmp_path / "photos", folds=4)
    store.folds[2].notes.keep_tied_images(TiedImages(tuple(image // 50 for image in range(100))))
    summary = summarize(store.place)
    assert summary.verdict.decision != "insufficient" and summary.lookalikes is None
