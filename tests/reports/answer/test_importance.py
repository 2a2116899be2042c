from types import SimpleNamespace

import pytest

from tlsearch.reports.answer.importance import FEWEST, importances
from tlsearch.reports.answer.technique import TechniqueSummary
from tlsearch.spaces.recipe import Technique

from ...search.factory import complete, recipe, settings


def summary(trials, metric="accuracy"):
    """As much of one as is asked for."""
    own = {technique: tuple(t for t in trials if t.recipe.technique is technique) for technique in Technique}
    techniques = [TechniqueSummary(name, found) for name, found in own.items()]
    return SimpleNamespace(techniques=techniques, settings=settings(metric=metric))


def trials(count, technique="frozen", first=0):
    """Only the learning rate decides."""
    made = []
    for number in range(count):
        own = recipe(technique, learning_rate=10 ** (-2 - number % 8 / 4), dropout=0.2 * (number * 7 % 3))
        made.append(complete(first + number, technique, (0.9 - 0.05 * (number % 8),), recipe=own))
    return made


def test_what_decides_is_the_most_important():
    found = importances(summary(trials(32)))
    shares = found[Technique.FROZEN]
    assert set(found) == {Technique.FROZEN} and set(shares) == {"learning_rate", "dropout"}
    assert shares["learning_rate"] > 0.6 and sum(shares.values()) == pytest.approx(1)


def test_log_loss_is_as_good_when_it_is_low():
    made = [complete(t.number, "frozen", (1 - t.score,), recipe=t.recipe) for t in trials(32)]
    found = importances(summary(made, "log_loss"))
    assert found[Technique.FROZEN]["learning_rate"] > 0.6


def test_of_few_trials_nothing_is_said():
    made = trials(FEWEST - 1) + trials(FEWEST, "full", first=FEWEST - 1)
    assert set(importances(summary(made))) == {Technique.FULL}


def test_where_nothing_makes_a_difference_nothing_is_said():
    same = [complete(number, scores=(0.8,), recipe=recipe(learning_rate=1e-3 + number * 1e-4)) for number in range(FEWEST)]
    assert importances(summary(same)) == {}
