import dataclasses
import json

import numpy as np
import pytest

from tlsearch.reports.answer.doubts import TIMES, doubts_of
from tlsearch.reports.answer.summary import summarize
from tlsearch.reports.answer.verdict import Predictions, judge
from tlsearch.reports.files.json import study_json
from tlsearch.reports.html.pictures import mistakes
from tlsearch.reports.words.sentences import doubtful_labels
from tlsearch.reports.words.study import study_facts
from tlsearch.search.statistics.bootstrap import NO_TIES, Ties
from tlsearch.spaces.recipe import Technique

from ..factory import study, whole_study

WRONG = (3, 40, 41)


def sure_of(predictions, labels, images, times=2 * TIMES):
    """The predictions, of ``images`` changed: so many times as probable as its label is the other of two classes."""
    out = {}
    for technique, one in predictions.items():
        probabilities = one.probabilities.copy()
        for image in images:
            probabilities[:, image, labels[image]] = 1 / (1 + times)
            probabilities[:, image, 1 - labels[image]] = times / (1 + times)
        out[technique] = Predictions(probabilities, one.seconds)
    return out


@pytest.fixture
def predicted():
    return study(np.random.default_rng(0), (0.8, 0.86, 0.9), n=400)


def test_what_all_are_sure_of_is_in_doubt(predicted):
    predictions, labels = predicted
    predictions = sure_of(predictions, labels, WRONG)
    found = doubts_of(predictions, labels, "accuracy", ties=NO_TIES, files=lambda: [f"{image}.jpg" for image in range(400)])
    assert found.images == WRONG and found.files == ("3.jpg", "40.jpg", "41.jpg")
    rest = np.delete(np.arange(400), WRONG)
    for technique, one in predictions.items():
        right = one.probabilities[:, rest].argmax(axis=2) == labels[rest]
        assert found.scores[technique] == pytest.approx(right.mean())


def test_what_some_are_sure_of_is_not(predicted):
    predictions, labels = predicted
    assert doubts_of(predictions, labels, "accuracy", ties=NO_TIES) is None
    changed = sure_of(predictions, labels, WRONG)
    changed[Technique.FROZEN] = predictions[Technique.FROZEN]
    assert doubts_of(changed, labels, "accuracy", ties=NO_TIES) is None
    less = sure_of(predictions, labels, WRONG, times=TIMES / 2)
    assert doubts_of(less, labels, "accuracy", ties=NO_TIES) is None


def test_the_verdict_without_them_is_that_of_a_study_that_never_had_them(predicted):
    predictions, labels = predicted
    rest = np.delete(np.arange(400), WRONG)
    groups = np.arange(400) // 2
    found = doubts_of(sure_of(predictions, labels, WRONG), labels, "log_loss", ties=Ties(groups=groups), care=0.1, seed=5)
    never = {technique: Predictions(one.probabilities[:, rest], one.seconds) for technique, one in predictions.items()}
    assert found.verdict == judge(never, labels[rest], "log_loss", ties=Ties(groups=groups[rest]), care=0.1, seed=5)


def test_nothing_tested_or_nothing_else_says_nothing(predicted):
    predictions, labels = predicted
    assert doubts_of({}, None, "accuracy", ties=NO_TIES) is None
    everything = sure_of(predictions, labels, range(400))
    assert doubts_of(everything, labels, "accuracy", ties=NO_TIES) is None


@pytest.fixture
def doubted(tmp_path):
    """A study in which every technique is sure of another class for `WRONG`."""
    store = whole_study(tmp_path / "photos")
    store.notes.keep_test_files([f"{image}.jpg" for image in range(store.settings.data.test)])
    for confirmation in store.confirmations():
        probabilities, labels = store.predictions(confirmation)
        (changed,) = sure_of({Technique.FULL: Predictions(probabilities[None], 1)}, labels, WRONG).values()
        store.confirm(dataclasses.replace(confirmation, predictions=""), changed.probabilities[0], labels)
    return store


def test_a_report_says_what_the_verdict_would_be(doubted):
    summary = summarize(doubted.place)
    sentence = doubtful_labels(summary)
    assert sentence.startswith("every technique is sure that 3 test images of ") and "the verdict stays the same" in sentence
    assert dict(study_facts(summary))["Doubtful labels"] == sentence
    said = json.loads(study_json(summary))["data"]["doubtful_labels"]
    assert said["files"] == ["3.jpg", "40.jpg", "41.jpg"] and said["verdict"]["winner"] == summary.verdict.winner
    shown = mistakes(doubted, summary.recommended.confirmations, doubtful=summary.doubts.images)
    assert {one.place for one in shown[:3]} == set(WRONG) and [one.doubtful for one in shown[:4]] == [True] * 3 + [False]


def test_a_verdict_that_hangs_on_them_is_said(doubted):
    summary = summarize(doubted.place)
    other = next(technique for technique in Technique if technique is not summary.verdict.recommended)
    without = dataclasses.replace(summary.doubts.verdict, decision="tie", winner=None, recommended=other)
    moved = dataclasses.replace(summary, doubts=dataclasses.replace(summary.doubts, verdict=without))
    assert f"the verdict would be: Take {other}." in doubtful_labels(moved)
