import dataclasses

import pytest

from tlsearch.reports.answer.dataset import imbalance, imbalance_sentence, rule_of_thumb, size_of
from tlsearch.spaces.recipe import Technique

from ...search.factory import settings

FROZEN, FINE_TUNE, FULL = Technique
DATA = settings().data


def of_size(images):
    return dataclasses.replace(DATA, train=images)


def test_large_is_counted_by_class():
    assert size_of(of_size(2000)) == "large"
    assert size_of(of_size(1999)) == "small"


@pytest.mark.parametrize(
    ("images", "similarity", "predicts", "sentence"),
    [
        (160, "similar", FROZEN, "160 training images in 2 classes make a small data set, similar to what the weights"),
        (
            160,
            "different",
            FINE_TUNE,
            "160 training images in 2 classes make a small data set, different from what the weights",
        ),
        (5000, "similar", FINE_TUNE, "5,000 training images in 2 classes make a large data set, similar to what the weights"),
        (5000, "different", FULL, "5,000 training images in 2 classes make a large data set, different from what the weights"),
    ],
)
def test_the_posts_table(images, similarity, predicts, sentence):
    rule = rule_of_thumb(of_size(images), similarity)
    assert (rule.predicts, rule.similarity) == (predicts, similarity)
    assert rule.sentence == f"{sentence} were trained on: the blog post's rule expects {predicts} to win."
    assert [winner for winner in Technique if rule.agrees(winner)] == [predicts]
    assert all(rule.agrees(winner) is False for winner in Technique if winner is not predicts)
    assert rule.agrees(None) is None


def test_without_the_similarity_it_can_be_wrong_but_not_right():
    rule = rule_of_thumb(of_size(160))
    assert rule.predicts is None and rule.agrees(FULL) is False and rule.agrees(None) is None
    assert rule.sentence == (
        "160 training images in 2 classes make a small data set: the blog post's rule expects frozen to win if they resemble "
        "what the weights were trained on, fine-tune if not."
    )
    assert rule.agrees(FROZEN) is None and rule.agrees(FINE_TUNE) is None


def test_an_uncertain_similarity_leaves_both_predictions_open():
    rule = rule_of_thumb(of_size(160), "uncertain")
    assert rule.predicts is None and rule.similarity == "uncertain" and "if not" in rule.sentence


def test_in_a_tie_it_can_be_wrong_but_not_right():
    rule = rule_of_thumb(of_size(160), "similar")
    assert rule.agrees(None, {FROZEN}) is False
    assert rule.agrees(None, {FULL}) is None


@pytest.mark.parametrize(("images", "ratio", "spoken"), [((80, 80), 1, False), ((100, 149), 1.49, False), ((20, 140), 7, True)])
def test_imbalance_is_spoken_of_where_there_is_some(images, ratio, spoken):
    data = dataclasses.replace(DATA, train_per_class=images)
    assert imbalance(data) == ratio
    assert imbalance_sentence(data) == (
        "dogs has 140 training images and cats 20: --class-weight balanced and --metric balanced_accuracy give rare classes "
        "the same weight as frequent ones."
        if spoken
        else ""
    )


def test_a_class_half_as_large_again_is_spoken_of_and_an_empty_one_counts_as_one_image():
    assert imbalance_sentence(dataclasses.replace(DATA, train_per_class=(120, 80))).startswith(
        "cats has 120 training images and"
    )
    assert imbalance(dataclasses.replace(DATA, train_per_class=(0, 5))) == 5
