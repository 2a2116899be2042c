import dataclasses

import pytest

from tlsearch.reports.dataset import LARGE_PER_CLASS, RULE, rule_of_thumb, size_of
from tlsearch.spaces.recipe import Technique

from ..search.factory import settings

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
