import dataclasses
import math
from types import SimpleNamespace

import pytest

from tlsearch.reports.answer.importance import importances
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
    made = trials(7) + trials(8, "full", first=7)
    assert set(importances(summary(made))) == {Technique.FULL}


def test_where_nothing_makes_a_difference_nothing_is_said():
    same = [complete(number, scores=(0.8,), recipe=recipe(learning_rate=1e-3 + number * 1e-4)) for number in range(8)]
    assert importances(summary(same)) == {}


def test_of_one_setting_alone_nothing_is_said():
    alone = [complete(n, scores=(0.8 + n / 100,), recipe=recipe(learning_rate=10 ** -(2 + n / 8))) for n in range(8)]
    assert importances(summary(alone)) == {}


def test_a_trial_without_a_finite_score_is_left_out():
    made = trials(8)
    assert importances(summary([*made[:7], dataclasses.replace(made[7], score=math.nan)])) == {}
    assert set(importances(summary([*made, dataclasses.replace(made[7], score=math.inf)]))) == {Technique.FROZEN}


def test_settings_that_are_no_numbers_may_decide_too():
    def tried(number):
        own = recipe("fine-tune", fine_tune_at=(54, 100)[number % 2], optimizer=("adam", "rmsprop")[number % 3 % 2])
        return complete(number, "fine-tune", (0.9 - 0.2 * (number % 2) - number / 1000,), recipe=own)

    shares = importances(summary([tried(number) for number in range(24)]))[Technique.FINE_TUNE]
    assert set(shares) == {"fine_tune_at", "optimizer"} and shares["fine_tune_at"] > 0.6
