import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.reports.answer.cost import cost_sentence, pareto_front
from tlsearch.reports.answer.verdict import Comparison
from tlsearch.spaces.recipe import Technique

FROZEN, FINE_TUNE, FULL = Technique


def of(*values):
    return dict(zip(Technique, values, strict=False))


def test_the_front_leaves_out_what_another_makes_pointless():
    assert pareto_front(of(0.90, 0.94, 0.93), of(1, 10, 100), "accuracy") == (FROZEN, FINE_TUNE)
    assert pareto_front(of(0.94, 0.94, 0.94), of(1, 10, 100), "accuracy") == (FROZEN,)
    assert pareto_front(of(0.3, 0.2, 0.1), of(1, 2, 3), "log_loss") == tuple(Technique)
    assert pareto_front(of(0.9, 0.9), of(5, 5), "accuracy") == (FROZEN, FINE_TUNE)
    assert pareto_front({}, {}, "accuracy") == ()


values = st.lists(st.integers(0, 3), min_size=3, max_size=3)


@given(values, values)
def test_whoever_is_left_out_is_dominated_by_someone_on_the_front(scores, costs):
    score, cost = of(*scores), of(*costs)
    front = pareto_front(score, cost, "accuracy")
    assert front
    for technique in Technique:
        dominated = any(
            score[o] >= score[technique]
            and cost[o] <= cost[technique]
            and (score[o], cost[o]) != (score[technique], cost[technique])
            for o in front
        )
        assert dominated == (technique not in front)


def sentence(scores, seconds, params=(2_000, 20_000, 200_000), metric="accuracy", real=False):
    comparison = Comparison(FROZEN, FULL, -0.1, (-0.2, -0.05), 0.001 if real else 0.6, 0.02)
    return cost_sentence(of(*scores), of(*seconds), of(*params), [comparison], metric)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            sentence((0.946, 0.94, 0.95), (3, 20, 27)),
            "frozen is within 0.4 points of full at a ninth of the training time, with a 1/100 of the trained parameters.",
        ),
        (
            sentence((0.85, 0.94, 0.95), (9, 20, 12), (400_000, 1, 200_000), real=True),
            "frozen is 10.0 points behind full at three quarters of the training time, with 2.0 times the trained parameters.",
        ),
        (
            sentence((0.95, 0.94, 0.95), (3, 20, 36)),
            "frozen has the best score and is the quickest to train: 3.0 s a run, fine-tune takes 6.7 times as long and full "
            "takes 12 times as long.",
        ),
        (
            sentence((0.2, 0.3, 0.15), (3, 20, 6), metric="log_loss"),
            "frozen is within 0.050 nats of full at half of the training time, with 1/100 of the trained parameters.",
        ),
    ],
    ids=["within", "behind", "both", "log loss"],
)
def test_in_words(found, expected):
    assert found == expected.replace("a 1/", "1/")


def test_alone_nothing_is_dear_or_cheap():
    assert cost_sentence(of(0.9), of(3), of(3), [], "accuracy") == ""


@pytest.mark.parametrize(
    ("ratio", "share"),
    [
        (20, "20 times the trained parameters"),
        (9.95, "10 times the trained parameters"),
        (9.94, "9.9 times the trained parameters"),
        (1.2, "1.2 times the trained parameters"),
        (1.1, "about the same trained parameters"),
        (0.95, "about the same trained parameters"),
        (0.9, "three quarters of the trained parameters"),
        (0.71, "three quarters of the trained parameters"),
        (0.7, "two thirds of the trained parameters"),
        (0.61, "two thirds of the trained parameters"),
        (0.6, "half of the trained parameters"),
        (1 / 3, "a third of the trained parameters"),
        (1 / 10, "a tenth of the trained parameters"),
        (1 / 11, "1/11 of the trained parameters"),
        (1 / 2000, "1/2,000 of the trained parameters"),
        (0, "none of the trained parameters"),
    ],
)
def test_shares_are_said_as_a_person_would(ratio, share):
    assert sentence((0.94, 0.9, 0.95), (3, 20, 6), (ratio, 1, 1)) == (
        f"frozen is within 1.0 points of full at half of the training time, with {share}."
    )


def test_a_run_that_takes_as_long_is_said_to():
    assert sentence((0.95, 0.94, 0.93), (10, 10.9, 11)).endswith(
        ": 10 s a run, fine-tune takes about as long and full takes 1.1 times as long."
    )


def test_who_scores_the_same_is_level():
    assert sentence((0.9498, 0.9, 0.95), (3, 20, 6)).startswith("frozen is level with full at half")


def test_only_the_comparison_of_the_two_says_whether_it_is_behind():
    other = Comparison(FROZEN, FINE_TUNE, -0.1, (-0.2, -0.05), 0.001, 0.02)
    found = cost_sentence(of(0.85, 0.9, 0.95), of(1, 2, 3), of(1, 2, 3), [other], "accuracy")
    assert found.startswith("frozen is within 10.0 points of full")


def test_two_are_compared_and_of_equal_scores_the_quicker_is_the_best():
    assert cost_sentence(of(0.9, 0.9), of(2, 1), of(1, 1), [], "accuracy") == (
        "fine-tune has the best score and is the quickest to train: 1.0 s a run, frozen takes 2.0 times as long."
    )


def test_the_front_leaves_out_what_has_no_score_and_begins_with_the_cheapest():
    assert pareto_front({1: math.nan, 2: 0.9, 3: 0.8, 4: math.inf}, {1: 1, 2: 9, 3: 5, 4: 7}, "accuracy") == (3, 2)
