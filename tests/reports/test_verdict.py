import numpy as np
import pytest
from scipy.stats import binom

from tlsearch.reports import verdict as module
from tlsearch.reports.verdict import Predictions, holm, judge
from tlsearch.search.metrics import scores
from tlsearch.spaces.recipe import Technique

FROZEN, FINE_TUNE, FULL = Technique


def predict(rng, labels, skill, seeds=3, classes=2, seed_std=0.0, difficulty=None):
    """Predictions of a technique that is right with probability ``skill``; images of one study share their difficulty."""
    n = len(labels)
    hard = rng.random(n) if difficulty is None else difficulty
    out = np.empty((seeds, n, classes), np.float32)
    for place in range(seeds):
        skilled = np.clip(skill + rng.normal(0, seed_std), 0, 1)
        # Half of what decides is the image itself: techniques err on the same images, as real ones do.
        chance = np.where(rng.random(n) < 0.5, hard, rng.random(n))
        right = chance < skilled
        guess = np.where(right, labels, (labels + 1) % classes)
        out[place] = 0.1 / (classes - 1)
        out[place, np.arange(n), guess] = 0.9
    return out


def study(rng, skills, n=2000, seed_std=0.0, seconds=(1, 10, 100)):
    labels = rng.integers(0, 2, n)
    difficulty = rng.random(n)
    predictions = {
        technique: Predictions(predict(rng, labels, skill, seed_std=seed_std, difficulty=difficulty), cost)
        for technique, skill, cost in zip(Technique, skills, seconds, strict=False)
    }
    return predictions, labels


def test_a_clear_difference_is_a_win():
    predictions, labels = study(np.random.default_rng(0), (0.80, 0.80, 0.90))
    found = judge(predictions, labels, "accuracy")
    assert (found.decision, found.winner, found.recommended) == ("win", FULL, FULL)
    assert "full beats" in found.reason and "points" in found.reason
    assert all(c.real for c in found.comparisons if FULL in (c.a, c.b))


def test_a_tie_recommends_the_cheapest_of_the_tied():
    predictions, labels = study(np.random.default_rng(1), (0.70, 0.90, 0.90))
    found = judge(predictions, labels, "accuracy")
    assert (found.decision, found.winner, found.recommended) == ("tie", None, FINE_TUNE)


def test_one_technique_under_two_names_ties():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 400)
    same = predict(rng, labels, 0.85)
    found = judge({FROZEN: Predictions(same, 5.0), FULL: Predictions(same, 2.0)}, labels, "accuracy")
    assert (found.decision, found.recommended) == ("tie", FULL)
    assert found.comparisons[0].difference == 0


@pytest.mark.parametrize(
    ("predictions", "labels", "words"),
    [
        ({}, None, "--confirm"),
        ({FROZEN: Predictions(np.full((3, 100, 2), 0.5, np.float32), 1)}, np.arange(100) % 2, "Only frozen"),
        (
            {t: Predictions(np.full((1, 100, 2), 0.5, np.float32), 1) for t in (FROZEN, FULL)},
            np.arange(100) % 2,
            "1 seed cannot tell",
        ),
        (
            {t: Predictions(np.full((3, 20, 2), 0.5, np.float32), 1) for t in (FROZEN, FULL)},
            np.arange(20) % 2,
            "20 test images cannot tell",
        ),
    ],
    ids=["nothing confirmed", "one technique", "one seed", "few images"],
)
def test_insufficient_says_what_would_suffice(predictions, labels, words):
    found = judge(predictions, labels, "accuracy")
    assert found.decision == "insufficient" and found.winner is None
    assert words in found.reason


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"])
def test_intervals_hold_the_score_of_the_whole_test_split(metric):
    rng = np.random.default_rng(3)
    labels = rng.choice(3, 300, p=[0.7, 0.2, 0.1])
    predictions = {t: Predictions(predict(rng, labels, 0.8, classes=3), 1.0) for t in (FROZEN, FULL)}
    found = judge(predictions, labels, metric)
    for technique, one in predictions.items():
        low, high = found.intervals[technique]
        assert low < np.mean([scores(p, labels)[metric] for p in one.probabilities]) < high


def test_lower_log_loss_wins():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 1000)
    predictions = {
        FROZEN: Predictions(predict(rng, labels, 0.7), 1.0),
        FULL: Predictions(predict(rng, labels, 0.95), 1.0),
    }
    found = judge(predictions, labels, "log_loss")
    assert found.winner is FULL and "nats" in found.reason
    assert found.comparisons[0].difference < 0  # frozen is the worse of the two


def test_the_same_seed_gives_the_same_verdict():
    predictions, labels = study(np.random.default_rng(5), (0.8, 0.82, 0.81), n=300)
    assert judge(predictions, labels, "accuracy") == judge(predictions, labels, "accuracy")


def test_holm_is_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.fixture
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(module, "RESAMPLES", 1000)


STUDIES = 150


@pytest.mark.slow
@pytest.mark.parametrize("seed_std", [0.0, 0.01])
def test_equal_techniques_rarely_win(fewer_resamples, seed_std):
    """At most 5% false wins. With a true rate of 5%, 150 studies exceed the bound used here once in 1,000 runs."""
    rng = np.random.default_rng(10)
    wins = sum(
        judge(*study(rng, (0.85, 0.85, 0.85), n=500, seed_std=seed_std), "accuracy").decision == "win" for _ in range(STUDIES)
    )
    assert wins <= binom.ppf(0.999, STUDIES, 0.05)


@pytest.mark.slow
def test_three_points_on_two_thousand_images_are_found(fewer_resamples):
    """At least 80% found. With a true rate of 80%, 60 studies fall below the bound used here once in 1,000 runs."""
    rng = np.random.default_rng(11)
    found = 0
    for _ in range(60):
        predictions, labels = study(rng, (0.90, 0.93), seed_std=0.003)
        found += judge(predictions, labels, "accuracy").winner is FINE_TUNE
    assert found >= binom.ppf(0.001, 60, 0.80)


@pytest.mark.slow
def test_the_interval_covers_the_truth(fewer_resamples):
    """93 to 97% cover. With a true rate of 95%, 300 studies leave the bounds used here twice in 1,000 runs."""
    rng = np.random.default_rng(12)
    covered = 0
    for _ in range(300):
        predictions, labels = study(rng, (0.85, 0.88), n=500, seed_std=0.005)
        low, high = judge(predictions, labels, "accuracy").comparisons[0].ci95
        covered += low <= -0.03 <= high
    assert binom.ppf(0.001, 300, 0.95) <= covered <= binom.ppf(0.999, 300, 0.95)
