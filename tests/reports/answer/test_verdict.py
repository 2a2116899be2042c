import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tlsearch.reports.answer.verdict import Comparison, Predictions, choose, decide, judge
from tlsearch.search.metrics import scores
from tlsearch.search.statistics.bootstrap import holm, resample, two_sided_p
from tlsearch.search.statistics.chances import Chance
from tlsearch.spaces.recipe import Technique

from ..factory import predict, study

FROZEN, FINE_TUNE, FULL = Technique


def test_a_clear_difference_is_a_win():
    predictions, labels = study(np.random.default_rng(0), (0.80, 0.80, 0.90))
    found = judge(predictions, labels, "accuracy")
    assert (found.decision, found.winner, found.recommended) == ("win", FULL, FULL)
    assert [c.beaten for c in found.comparisons if FULL in (c.a, c.b)] == [FROZEN, FINE_TUNE]
    assert FULL not in found.beaten and found.beaten
    assert found.reason == (
        "full beats fine-tune by 9.3 points (95% interval 8.1 to 10.6) and frozen by more: luck alone does not explain that."
    )


def test_without_a_winner_the_technique_of_least_regret_is_recommended():
    predictions, labels = study(np.random.default_rng(1), (0.70, 0.90, 0.90), n=400)
    found = judge(predictions, labels, "accuracy")
    assert found.decision == "tie" and found.winner is None and not found.proven
    least = min(found.chances, key=lambda technique: found.chances[technique].expected_regret)
    assert found.recommended is least
    assert found.chances[FROZEN].probability_best < 0.01 and found.chances[FROZEN].expected_regret > 0.1
    assert is_one_sentence(found.reason) and found.reason.startswith(f"{least} is the best of the three with a probability of ")
    assert "frozen" in found.reason


def test_who_cares_about_less_is_given_the_quickest():
    predictions, labels = study(np.random.default_rng(1), (0.89, 0.90, 0.90), n=400)
    found = judge(predictions, labels, "accuracy", care=0.5)
    assert found.recommended is FROZEN and "the quickest to train of those that cost at most 50.0 points" in found.reason


def test_one_technique_under_two_names_ties():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 400)
    same = predict(rng, labels, 0.85)
    found = judge({FROZEN: Predictions(same, 5.0), FULL: Predictions(same, 2.0)}, labels, "accuracy")
    assert (found.decision, found.recommended) == ("tie", FULL)
    assert found.comparisons[0].difference == 0


def is_one_sentence(text):
    return text.endswith(".") and ". " not in text


def compared(a, b, real, detectable=0.03):
    """How ``a`` compares with ``b``, which it beats if that is ``real``."""
    return Comparison(a, b, 0.02, (0.01, 0.03) if real else (-0.01, 0.05), 0.01 if real else 0.5, detectable)


CHANCES = {FROZEN: Chance(0.6, 0.002, 0.8), FINE_TUNE: Chance(0.3, 0.006, 0.5), FULL: Chance(0.1, 0.012, 0.2)}


def decided(real, chosen=FROZEN, care=0.005):
    """The decision where frozen scored best and full worst, and the pairs in ``real`` differ for real."""
    comparisons = tuple(compared(a, b, (a, b) in real) for a, b in itertools.combinations(Technique, 2))
    return decide(list(Technique), chosen, comparisons, {}, "accuracy", CHANCES, care)


def test_what_is_recommended_says_how_likely_it_is_the_best_and_what_it_costs():
    assert decided(set()).reason == (
        "frozen is the best of the three with a probability of 60%; taking it costs 0.2 points in expectation, fine-tune 0.6 "
        "points and full 1.2 points."
    )
    quickest = "full is the quickest to train of those that cost at most 2.0 points: taking it costs 1.2 points in expectation"
    assert decided(set(), chosen=FULL, care=0.02).reason.startswith(quickest)
    assert decided(set(), chosen=FULL).reason.startswith("full is the quickest to train of those that cost about the least: ")


def test_a_winner_that_is_hardly_better_is_not_recommended():
    found = decided({(FROZEN, FINE_TUNE), (FROZEN, FULL)}, chosen=FINE_TUNE)
    assert (found.decision, found.winner, found.recommended, found.proven) == ("win", FROZEN, FINE_TUNE, False)
    assert found.reason == (
        "frozen is better, but taking fine-tune, which trains more quickly, costs 0.6 points in expectation, where less than "
        "0.5 points does not matter."
    )


def test_a_win_of_two_names_no_third():
    two = {technique: CHANCES[technique] for technique in (FROZEN, FULL)}
    found = decide([FULL, FROZEN], FROZEN, (compared(FROZEN, FULL, False),), {}, "accuracy", two)
    assert found.decision == "tie" and "best of the two" in found.reason
    found = decide([FULL, FROZEN], FULL, (compared(FULL, FROZEN, True).flipped(),), {}, "accuracy", two)
    assert (found.decision, found.winner, found.recommended, found.proven) == ("win", FULL, FULL, True)
    assert found.reason == "full beats frozen by 2.0 points (95% interval 1.0 to 3.0): luck alone does not explain that."


@given(st.sets(st.sampled_from(list(itertools.combinations(Technique, 2)))), st.sampled_from(list(Technique)))
def test_a_win_needs_to_beat_all_others(real, chosen):
    found = decided(real, chosen)
    assert (found.decision == "win") == ({(FROZEN, FINE_TUNE), (FROZEN, FULL)} <= real)
    assert found.recommended is chosen and is_one_sentence(found.reason)


@given(st.lists(st.floats(0, 0.02), min_size=3, max_size=3), st.permutations([1.0, 2.0, 3.0]), st.floats(0, 0.03))
def test_the_quickest_is_taken_of_those_whose_regret_does_not_matter_else_hardly_differs_from_the_least(regrets, seconds, care):
    cost = dict(zip(Technique, seconds, strict=True))
    known = {technique: Chance(0.3, regret, 0.5) for technique, regret in zip(Technique, regrets, strict=True)}
    chosen = choose(list(Technique), cost, known, care)
    allowed = care if min(regrets) <= 0.9 * care else max(care, min(regrets) + care / 10)
    affordable = [technique for technique in Technique if known[technique].expected_regret <= allowed]
    assert chosen in affordable and cost[chosen] == min(cost[technique] for technique in affordable)


def test_of_two_that_predict_the_same_the_quicker_is_taken():
    labels = np.arange(120) % 2
    rng = np.random.default_rng(0)
    right, worse = (np.where(rng.random((2, 120, 1)) < skill, np.eye(2)[labels], np.eye(2)[1 - labels]) for skill in (0.6, 0.5))
    predictions = {FROZEN: Predictions(right, 1.0), FINE_TUNE: Predictions(worse, 5.0), FULL: Predictions(right, 10.0)}
    for seed in range(5):
        found = judge(predictions, labels, "accuracy", seed=seed)
        assert found.recommended is FROZEN and is_one_sentence(found.reason)
        found = judge(predictions, labels, "accuracy", seed=seed, care=0.003)
        assert found.recommended is FROZEN and found.chances[FROZEN].expected_regret > found.care


UNSURE = np.full((3, 100, 2), 0.5, np.float32)


@pytest.mark.parametrize(
    ("predictions", "images", "words"),
    [
        ({}, None, "Nothing has been tested yet: the same run command with --confirm 3"),
        ({FROZEN: Predictions(UNSURE, 1)}, 100, "Only frozen has been tested, so there is nothing to compare it with:"),
        (
            {t: Predictions(UNSURE[:1], 1) for t in (FROZEN, FULL)},
            100,
            "but 1 training seed cannot tell skill from luck: at least 2 seeds (better 3: --confirm 3) would do.",
        ),
        (
            {t: Predictions(UNSURE[:, :20], 1) for t in (FROZEN, FULL)},
            20,
            "but 20 test images cannot tell skill from luck: at least 50 test images would do.",
        ),
        (
            {FROZEN: Predictions(UNSURE[:1, :1], 1), FULL: Predictions(UNSURE[:, :1], 1)},
            1,
            "1 training seed and 1 test image cannot tell skill from luck: at least 2 seeds (better 3: --confirm 3) and 50",
        ),
    ],
    ids=["nothing confirmed", "one technique", "one seed", "few images", "both"],
)
def test_insufficient_says_what_would_suffice(predictions, images, words):
    labels = None if images is None else np.arange(images) % 2
    found = judge(predictions, labels, "accuracy", resamples=100)
    assert found.decision == "insufficient" and found.winner is None
    assert words in found.reason
    assert is_one_sentence(found.reason)


@pytest.mark.parametrize(("predictions", "labels"), [({}, np.zeros(100, int)), ({FROZEN: Predictions(UNSURE, 1)}, None)])
def test_without_predictions_or_labels_nothing_is_said(predictions, labels):
    found = judge(predictions, labels, "accuracy", untried=[FULL])
    assert (found.decision, found.winner, found.recommended) == ("insufficient", None, None)
    assert found.comparisons == () and found.intervals == {} and found.reason.startswith("Nothing has been tested yet")


def test_the_only_one_tested_has_not_won_while_another_is_untried():
    found = judge({FROZEN: Predictions(UNSURE, 1)}, np.zeros(100, int), "accuracy", untried=[FULL, FINE_TUNE], resamples=100)
    assert found.reason.startswith("Only frozen has been tested, but full and fine-tune had no trial: ")


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_a_comparison_is_of_scores_intervals_and_adjusted_p_values(metric):
    predictions, labels = study(np.random.default_rng(13), (0.8, 0.83, 0.81), n=200)
    found = judge(predictions, labels, metric, resamples=1000)
    drawn = resample({t: one.probabilities for t, one in predictions.items()}, labels, metric, resamples=1000)
    sign = -1 if metric == "log_loss" else 1
    differences = [sign * drawn[c.a].minus(drawn[c.b]) for c in found.comparisons]
    assert [(c.a, c.b) for c in found.comparisons] == [(FROZEN, FINE_TUNE), (FROZEN, FULL), (FINE_TUNE, FULL)]
    assert [c.p for c in found.comparisons] == holm(list(map(two_sided_p, differences)))
    for comparison, draws in zip(found.comparisons, differences, strict=True):
        assert comparison.difference == pytest.approx(sign * (drawn[comparison.a].score - drawn[comparison.b].score))
        assert comparison.ci95 == pytest.approx(tuple(np.percentile(draws, (2.5, 97.5))))
        # 2.8 standard errors, of which the interval has 2 · 1.96.
        assert comparison.detectable == pytest.approx(2.8 * np.diff(comparison.ci95).item() / (2 * 1.96))


def test_seed_0_and_ten_thousand_resamples_are_what_is_meant_without_words():
    predictions, labels = study(np.random.default_rng(14), (0.8, 0.83), n=60)
    assert judge(predictions, labels, "accuracy") == judge(predictions, labels, "accuracy", seed=0, resamples=10_000)


def test_a_technique_that_was_not_tried_leaves_the_verdict_open():
    predictions, labels = study(np.random.default_rng(0), (0.80, 0.90))
    found = judge(predictions, labels, "accuracy", untried=[FULL], resamples=100)
    assert (found.decision, found.winner, found.recommended) == ("insufficient", None, FINE_TUNE)
    assert found.reason == (
        "fine-tune scored best, but full had no trial: the same run command with more --trials or time gets to it."
    )
    assert found.beaten == frozenset()


def test_just_enough_is_enough():
    predictions, labels = study(np.random.default_rng(9), (0.8, 0.8), n=50)
    two_seeds = {t: Predictions(one.probabilities[:2], one.seconds) for t, one in predictions.items()}
    assert judge(two_seeds, labels, "accuracy", resamples=100).decision == "tie"


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"])
def test_intervals_hold_the_score_of_the_whole_test_split(metric):
    rng = np.random.default_rng(3)
    labels = rng.choice(3, 300, p=[0.7, 0.2, 0.1])
    predictions = {t: Predictions(predict(rng, labels, 0.8, classes=3), 1.0) for t in (FROZEN, FULL)}
    found = judge(predictions, labels, metric, resamples=1000)
    for technique, one in predictions.items():
        low, high = found.intervals[technique]
        assert low < np.mean([scores(p, labels)[metric] for p in one.probabilities]) < high


def test_no_difference_is_larger_than_the_whole_scale():
    """Two seeds that disagree on six images: draws of their spread have long tails."""
    labels = np.array([0, 0, 0, 1, 1, 1])
    right = np.eye(2, dtype=np.float32)[labels]
    apart = {FROZEN: Predictions(np.stack([right, 1 - right]), 1.0), FULL: Predictions(np.stack([right, right]), 2.0)}
    (comparison,) = judge(apart, labels, "accuracy").comparisons
    assert -1 <= comparison.ci95[0] < comparison.difference < comparison.ci95[1] <= 1


def test_lower_log_loss_wins():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 1000)
    predictions = {
        FROZEN: Predictions(predict(rng, labels, 0.7), 1.0),
        FULL: Predictions(predict(rng, labels, 0.95), 1.0),
    }
    found = judge(predictions, labels, "log_loss")
    assert found.winner is FULL and "nats" in found.reason and "points" not in found.reason
    assert found.comparisons[0].difference < 0  # frozen is the worse of the two


def test_the_same_seed_gives_the_same_verdict_and_another_seed_other_intervals():
    predictions, labels = study(np.random.default_rng(5), (0.8, 0.82, 0.81), n=300)
    first = judge(predictions, labels, "accuracy", resamples=500)
    assert judge(predictions, labels, "accuracy", resamples=500) == first
    assert judge(predictions, labels, "accuracy", resamples=500, seed=1).intervals != first.intervals


@given(st.permutations(Technique), st.floats(0.5, 0.9), st.sampled_from(["accuracy", "log_loss"]))
@settings(max_examples=20)
def test_the_order_of_techniques_does_not_matter(order, skill, metric):
    predictions, labels = study(np.random.default_rng(6), (0.7, skill, 0.8), n=100)
    shuffled = {technique: predictions[technique] for technique in order}
    assert judge(shuffled, labels, metric, resamples=100) == judge(predictions, labels, metric, resamples=100)


def test_a_comparison_from_the_other_side_says_the_same():
    comparison = Comparison(FROZEN, FULL, -0.03, (-0.05, -0.01), 0.004, 0.028)
    other = comparison.flipped()
    assert other == Comparison(FULL, FROZEN, 0.03, (0.01, 0.05), 0.004, 0.028)
    assert comparison.beaten is other.beaten is FROZEN
    assert other.flipped() == comparison


@pytest.mark.parametrize("changes", [{"p": 0.05}, {"p": 0.06}, {"ci95": (-0.05, 0.001)}, {"ci95": (-0.05, 0.0)}])
def test_a_difference_is_real_only_where_interval_and_p_say_so(changes):
    comparison = Comparison(FROZEN, FULL, -0.03, (-0.05, -0.01), 0.004, 0.028)
    assert comparison.real
    unsure = dataclasses.replace(comparison, **changes)
    assert not unsure.real and unsure.beaten is None


STUDIES = 400


@pytest.mark.parametrize(
    ("techniques", "seed_std"),
    [
        (2, 0.01),
        pytest.param(2, 0.0, marks=pytest.mark.slow),
        pytest.param(2, 0.02, marks=pytest.mark.slow),
        pytest.param(3, 0.01, marks=pytest.mark.slow),
    ],
)
def test_equal_techniques_rarely_win(techniques, seed_std):
    """At most 5% false wins. With a true rate of 5%, 400 studies exceed the bound used here once in 1,000 runs.

    Measured on 400 studies each of two techniques: 2.8%, 3.0%, 3.5% and 4.3% for a standard deviation between seeds of 0,
    0.005, 0.01 and 0.02. Of three techniques one must beat both others, which is rarer.
    """
    rng = np.random.default_rng(10)
    wins = 0
    for _ in range(STUDIES):
        predictions, labels = study(rng, (0.85,) * techniques, n=500, seed_std=seed_std)
        wins += judge(predictions, labels, "accuracy", resamples=1000).decision == "win"
    assert wins <= binom.ppf(0.999, STUDIES, 0.05)


@pytest.mark.parametrize(
    "skills", [(0.90, 0.93), pytest.param((0.90, 0.90, 0.93), marks=pytest.mark.slow)], ids=["of two", "of three"]
)
def test_three_points_on_two_thousand_images_are_found(skills):
    """At least 80% found. With a true rate of 80%, 100 studies fall below the bound used here once in 1,000 runs.

    The standard deviation between seeds is as on cats and dogs, where it was 0.0015 to 0.0037. Measured then: 0.97 of two
    techniques and 0.84 of three, where the best must beat both others. Seeds that differ by more hide more: at 0.01, 0.67.
    """
    rng = np.random.default_rng(11)
    best = list(Technique)[len(skills) - 1]
    found = 0
    for _ in range(100):
        predictions, labels = study(rng, skills, seed_std=0.003)
        found += judge(predictions, labels, "accuracy", resamples=1000).winner is best
    assert found >= binom.ppf(0.001, 100, 0.80)
