import dataclasses

import pytest

from tlsearch.reports.answer.dataset import LARGE_PER_CLASS, RULE, imbalance, imbalance_sentence, rule_of_thumb, size_of
from tlsearch.spaces.recipe import Technique

from ...search.factory import settings

FROZEN, FINE_TUNE, FULL = Technique
DATA = settings().data


def of_size(images):
    return dataclasses.replace(DATA, train=images)


def test_large_is_counted_by_class():
    assert size_of(of_size(2 * LARGE_PER_CLASS)) == "large"
    assert size_of(of_size(2 * LARGE_PER_CLASS - 1)) == "small"


@pytest.mark.parametrize("images", [160, 5000])
@pytest.mark.parametrize("similarity", ["similar", "different"])
def test_the_posts_table(images, similarity):
    rule = rule_of_thumb(of_size(images), similarity)
    assert rule.predicts is RULE[rule.size, similarity]
    assert [rule.agrees(winner) for winner in Technique].count(True) == 1
    assert rule.agrees(None) is None
    assert str(rule.predicts) in rule.sentence and rule.size in rule.sentence


def test_without_the_similarity_it_can_be_wrong_but_not_right():
    rule = rule_of_thumb(of_size(160))
    assert rule.predicts is None and rule.agrees(FULL) is False
    assert rule.agrees(FROZEN) is None and rule.agrees(FINE_TUNE) is None


def test_an_uncertain_similarity_leaves_both_predictions_open():
    rule = rule_of_thumb(of_size(160), "uncertain")
    assert rule.predicts is None and rule.similarity == "uncertain" and "if not" in rule.sentence


def test_in_a_tie_it_can_be_wrong_but_not_right():
    rule = rule_of_thumb(of_size(160), "similar")
    assert rule.agrees(None, {FROZEN}) is False
    assert rule.agrees(None, {FULL}) is None


@pytest.mark.parametrize(("images", "ratio", "spoken"), [((80, 80), 1, False), ((80, 110), 1.375, False), ((20, 140), 7, True)])
def test_imbalance_is_spoken_of_where_there_is_some(images, ratio, spoken):
    data = dataclasses.replace(DATA, train_per_class=images)
    assert imbalance(data) == ratio
    assert imbalance_sentence(data) == (
        "dogs has 140 training images and cats 20: --class-weight balanced and --metric balanced_accuracy give rare classes "
        "the same weight as frequent ones."
        if spoken
        else ""
    )
