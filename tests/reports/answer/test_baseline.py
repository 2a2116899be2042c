import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.reports import summarize
from tlsearch.reports.answer.baseline import baseline_of
from tlsearch.reports.answer.dataset import rare_classes
from tlsearch.reports.render import render
from tlsearch.reports.words.sentences import headline, nothing_learned, standing
from tlsearch.search.metrics import scores

from ...search.factory import complete, settings
from ..factory import confirm, store_of


def data(train, test):
    names = tuple("abcdefgh"[: len(train)])
    return dataclasses.replace(settings().data, classes=names, train_per_class=tuple(train), test_per_class=tuple(test))


COUNTS = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=5)


@given(COUNTS, st.sampled_from(["accuracy", "balanced_accuracy", "macro_f1", "log_loss"]))
def test_it_is_the_score_of_an_answer_that_never_changes(counts, metric):
    train, test = zip(*counts, strict=True)
    found = baseline_of(data(train, test), metric)
    classes, labels = len(train), np.repeat(np.arange(len(test)), test)
    if metric == "log_loss":
        answer = np.array(train) / sum(train)
        assert found.label == ""
    else:
        answer = np.eye(classes)["abcdefgh".index(found.label)]
        assert train["abcdefgh".index(found.label)] == max(train)
    expected = scores(np.tile(answer.astype(np.float32), (len(labels), 1)), labels)[metric]
    assert found.score == pytest.approx(expected)


def test_cats_and_four_dogs():
    assert baseline_of(data((700, 3), (150, 1)), "accuracy").score == pytest.approx(150 / 151)
    assert baseline_of(data((700, 3), (150, 1)), "balanced_accuracy").score == 0.5


def test_what_does_not_beat_it_is_said_first(tmp_path):
    """Every technique is right about 84 to 91% of the test images, 95% of which are cats."""
    store = store_of(
        tmp_path, [complete(0), complete(1, "full")], data=dataclasses.asdict(data((150, 10), (190, 10))) | {"skipped": ()}
    )
    for trial, accuracy in zip(store.trials(), (0.9, 0.91), strict=True):
        confirm(store, trial, accuracy)
    summary = summarize(store)
    assert summary.useless and headline(summary) == "Nothing learned" and standing(summary) == "insufficient"
    sentence = nothing_learned(summary)
    assert "always answering a, the class with the most training images, scores 95.0%" in sentence
    for output_format in ("terminal", "html", "markdown"):
        shown = " ".join(render(summary, output_format).replace("│", " ").replace("\\", "").split())
        assert sentence in shown and shown.index(sentence) < shown.index(summary.verdict.reason[:40])


def test_what_beats_it_is_not_called_useless(summary):
    assert not summary.useless and nothing_learned(summary) == ""


def test_rare_classes_and_classes_with_few_test_images_are_named():
    assert rare_classes(data((100, 100), (20, 20)), "accuracy") == ""
    rare = rare_classes(data((100, 10), (20, 2)), "accuracy")
    assert rare.startswith("b has 10 training images, the largest class 100") and "--metric balanced_accuracy" in rare
    assert rare.endswith("fewer than 5 test images, too few to say anything of the class: b (2)")
    assert "balanced_accuracy" not in rare_classes(data((100, 10), (20, 20)), "macro_f1")
