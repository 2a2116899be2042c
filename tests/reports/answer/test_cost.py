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
