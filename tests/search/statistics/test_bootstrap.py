from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binom, t

from tlsearch.search.metrics import scores
from tlsearch.search.statistics.bootstrap import Resampled, Ties, holm, percentile_interval, resample, two_sided_p
from tlsearch.search.trial import Metric
from tlsearch.spaces.recipe import Technique

from ...reports.factory import predict, study

FROZEN, FINE_TUNE, FULL = Technique

p_values = st.lists(st.floats(0, 1), max_size=6)


def test_images_that_two_techniques_get_alike_do_not_blow_up_the_interval_of_their_difference():
    """On 153 photographs one reached from −100 to 100 points: images explained all but all of the variance between seeds."""
    rng = np.random.default_rng(0)
    draws = rng.normal(0.8, 0.03, 10_000)
    alike = draws + rng.normal(0, 1e-4, 10_000)
    first, second = (Resampled(0.8, drawn, between=2e-4, explained=1.99e-4, seeds=3, highest=1.0) for drawn in (draws, alike))
    low, high = percentile_interval(first.minus(second))
    # Student's t with 2 degrees of freedom has its 97.5th percentile at 4.3.
    assert high - low < 2 * 4.5 * np.sqrt(1e-8 + 2e-6)


def test_holm_is_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(p_values)
def test_holm_never_lowers_a_p_value_nor_raises_it_above_one(raw):
    assert all(before <= after <= 1 for before, after in zip(raw, holm(raw), strict=True))


@given(p_values)
def test_holm_keeps_the_order_of_p_values(raw):
    adjusted = holm(raw)
    order = sorted(range(len(raw)), key=raw.__getitem__)
    assert [adjusted[place] for place in order] == sorted(adjusted)


@given(st.data(), p_values)
def test_holm_does_not_mind_the_order_of_comparisons(data, raw):
    order = data.draw(st.permutations(range(len(raw))))
    adjusted = holm(raw)
    assert holm([raw[place] for place in order]) == [adjusted[place] for place in order]


def test_p_is_twice_the_smaller_share_beyond_zero():
    assert two_sided_p(np.array([-1.0, 1, 2, 3, 4, 5, 6, 7, 8, 9])) == pytest.approx(0.2)
    assert two_sided_p(np.ones(10)) == pytest.approx(0.1)  # never below one resample's share
    assert two_sided_p(np.zeros(10)) == 1


draws = hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(-1, 1))


@given(draws)
def test_p_is_the_same_from_either_side(differences):
    assert two_sided_p(differences) == two_sided_p(-differences)


@given(draws)
def test_the_interval_lies_within_the_draws(values):
    low, high = percentile_interval(values)
    assert values.min() <= low <= high <= values.max()


def test_the_interval_holds_the_central_95_percent():
    assert percentile_interval(np.arange(1001.0)) == (25, 975)


@pytest.mark.parametrize("metric", get_args(Metric))
def test_scores_are_those_of_the_metric(metric):
    rng = np.random.default_rng(3)
    labels = rng.choice(3, 300, p=[0.7, 0.2, 0.1])
    probabilities = {t: predict(rng, labels, 0.8, classes=3) for t in (FROZEN, FULL)}
    for technique, found in resample(probabilities, labels, metric, resamples=1000).items():
        expected = np.mean([scores(one, labels)[metric] for one in probabilities[technique]])
        assert found.score == pytest.approx(expected)
        assert found.ci95[0] < expected < found.ci95[1]


@given(st.integers(0, 2**32), st.sampled_from(get_args(Metric)), st.integers(2, 40), st.integers(1, 3), st.integers(2, 4))
def test_the_interval_contains_the_score_unless_it_is_an_extreme_one(seed, metric, n, seeds, classes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(0, 2, (seeds, n, classes))
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)).astype(np.float32)
    found = resample({FROZEN: probabilities}, labels, metric, resamples=400)[FROZEN]
    low, high = found.ci95
    # Where classes are rare, resamples without them move a mean over classes; no such thing happens to a mean over images.
    slack = 1e-9 if metric in ("accuracy", "log_loss") else 0.2
    assert low - slack <= found.score <= high + slack


def test_resamples_are_those_of_a_plain_loop():
    """Counted by kind of image or image by image: the mean and the spread of the draws are the same, within 5 errors."""
    rng = np.random.default_rng(6)
    labels = rng.choice(3, 120, p=[0.6, 0.3, 0.1])
    (probabilities,) = predict(rng, labels, 0.8, seeds=1, classes=3)
    for metric in get_args(Metric):
        fast = resample({FROZEN: probabilities[None]}, labels, metric, resamples=4000)[FROZEN].draws
        rows = rng.integers(0, 120, (150, 120))
        slow = np.array([scores(probabilities[row], labels[row])[metric] for row in rows])
        error = slow.std() / np.sqrt(len(slow))
        assert abs(fast.mean() - slow.mean()) < 5 * error
        assert fast.std() == pytest.approx(slow.std(), rel=5 / np.sqrt(2 * len(slow)))


@pytest.mark.parametrize("metric", get_args(Metric))
def test_the_order_of_techniques_does_not_matter(metric):
    predictions, labels = study(np.random.default_rng(7), (0.8, 0.85, 0.9), n=60)
    by_technique = {technique: one.probabilities for technique, one in predictions.items()}
    one = resample(by_technique, labels, metric, resamples=100)
    other = resample(dict(reversed(by_technique.items())), labels, metric, resamples=100)
    assert list(one) == list(other) == list(Technique)
    for technique in Technique:
        np.testing.assert_array_equal(one[technique].draws, other[technique].draws)


def test_techniques_are_paired_by_image():
    rng = np.random.default_rng(8)
    labels = rng.integers(0, 2, 100)
    same = predict(rng, labels, 0.8, seeds=1)
    found = resample({FROZEN: same, FULL: same}, labels, "accuracy", resamples=100)
    assert not found[FROZEN].minus(found[FULL]).any()


def test_a_spread_between_seeds_that_images_do_not_explain_widens_the_interval():
    labels = np.zeros(1000, np.int64)

    def right(share):
        hits = np.arange(1000) < 1000 * share
        return np.where(hits[:, None], (0.9, 0.1), (0.1, 0.9)).astype(np.float32)

    alike = resample({FROZEN: np.stack([right(0.5)] * 3)}, labels, "accuracy")[FROZEN]
    apart = resample({FROZEN: np.stack([right(s) for s in (0.4, 0.5, 0.6)])}, labels, "accuracy")[FROZEN]
    assert apart.score == pytest.approx(alike.score)
    images = 0.25 / 1000
    assert alike.ci95[1] - alike.ci95[0] == pytest.approx(2 * 1.96 * np.sqrt(images), rel=0.1)
    # The mean of three seeds of standard deviation 0.1 has a variance of 0.01 / 3, known with 2 degrees of freedom.
    seeds = 0.1**2 / 3
    freedom = (seeds + images) ** 2 / (seeds**2 / 2)
    assert apart.ci95[1] - apart.ci95[0] == pytest.approx(2 * t.ppf(0.975, freedom) * np.sqrt(seeds + images), rel=0.1)


def test_no_interval_leaves_what_a_score_can_be():
    labels = np.zeros(100, np.int64)
    sure = np.stack([np.full((100, 2), (0.999, 0.001)), np.full((100, 2), (0.6, 0.4)), np.full((100, 2), (0.1, 0.9))])
    accuracy = resample({FROZEN: sure.astype(np.float32)}, labels, "accuracy", resamples=1000)[FROZEN]
    assert accuracy.score == pytest.approx(2 / 3) and accuracy.ci95 == (0, 1)
    low, high = resample({FROZEN: sure.astype(np.float32)}, labels, "log_loss", resamples=1000)[FROZEN].ci95
    assert low == 0 and high > 1


def resampled(draws, between=0.0, explained=0.0, seeds=1):
    return Resampled(0.8, draws, between, explained, seeds, 1.0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"between": 3e-4, "explained": 1e-4, "seeds": 3}, {"between": 2e-4, "explained": 1e-4, "seeds": 4}),
        ({"between": 3e-4, "explained": 1e-4, "seeds": 3}, {"between": 1e-4, "explained": 2e-4, "seeds": 2}),
        ({"between": 3e-4, "explained": 1e-4, "seeds": 3}, {}),
        ({"between": 9e-4, "explained": 8.9e-4, "seeds": 2}, {"between": 9e-4, "explained": 8.9e-4, "seeds": 5}),
        ({"between": 9e-4, "explained": 8.9e-4, "seeds": 2}, {}),
    ],
    ids=["both", "one makes up for the other", "one seed", "no less than the fewest", "no less than the fewest, one seed"],
)
def test_seeds_widen_a_difference_by_the_formula_of_the_module(first, second):
    rng = np.random.default_rng(15)
    one, other = resampled(rng.normal(0.8, 0.01, 2000), **first), resampled(rng.normal(0.7, 0.01, 2000), **second)
    images = one.draws - other.draws
    of_seeds = [part for part in (one, other) if part.seeds > 1]
    added = sum(part.between - part.explained for part in (one, other))
    freedom = (images.var() + added) ** 2 / sum(part.between**2 / (part.seeds - 1) for part in of_seeds)
    freedom = max(freedom, min(part.seeds - 1 for part in of_seeds))
    rng = np.random.default_rng((20_070, 1))
    normal = images - images.mean() + np.sqrt(added) * rng.standard_normal(2000)
    expected = images.mean() + normal * np.sqrt(freedom / rng.chisquare(freedom, 2000))
    np.testing.assert_allclose(one.minus(other), expected)


@pytest.mark.parametrize("explained", [2e-4, 3e-4])
def test_where_images_explain_all_that_seeds_do_nothing_is_added(explained):
    draws = np.linspace(0.7, 0.9, 101)
    one = resampled(draws, between=2e-4, explained=explained, seeds=3)
    np.testing.assert_array_equal(one.minus(resampled(np.zeros(101))), draws)
    assert one.ci95 == percentile_interval(draws)


def test_the_variance_between_seeds_and_what_images_explain_of_it():
    rng = np.random.default_rng(16)
    labels = np.zeros(300, np.int64)
    right = rng.random((3, 300)) < [[0.7], [0.8], [0.9]]
    probabilities = np.where(right[..., None], (0.9, 0.1), (0.1, 0.9)).astype(np.float32)
    found = resample({FROZEN: probabilities}, labels, "accuracy")[FROZEN]
    assert len(found.draws) == 10_000 and found.seeds == 3 and found.highest == 1
    assert found.between == pytest.approx(right.mean(axis=1).var(ddof=1) / 3)
    # A resample's mean over images of what a seed is above the mean of the seeds.
    own = (right - right.mean(axis=0)).var(axis=1) / 300
    assert found.explained == pytest.approx(own.mean() / 2, rel=0.05)
    alone = resample({FROZEN: probabilities[:1]}, labels, "accuracy", resamples=10)[FROZEN]
    assert (alone.between, alone.explained, alone.seeds) == (0, 0, 1)


def test_every_image_is_drawn_where_each_is_its_own_kind():
    likelihoods = np.float32([0.2, 0.5, 0.9])
    probabilities = np.stack([likelihoods, 1 - likelihoods], axis=1)
    found = resample({FROZEN: probabilities[None]}, np.zeros(3, np.int64), "log_loss", resamples=1000)[FROZEN]
    losses = -np.log(likelihoods.astype(float))
    assert found.draws.min() == pytest.approx(losses.min()) and found.draws.max() == pytest.approx(losses.max())
    assert len(np.unique(found.draws.round(9))) == 10  # as many as there are ways to draw three of three
    assert found.highest == np.inf


def test_many_images_are_drawn_in_parts_that_make_the_whole():
    """A part has a million weights at most: here 166 resamples."""
    rng = np.random.default_rng(17)
    likelihoods = rng.random(6000, np.float32)
    probabilities = np.stack([likelihoods, 1 - likelihoods], axis=1)[None]
    found = resample({FROZEN: probabilities}, np.zeros(6000, np.int64), "log_loss", resamples=400)[FROZEN]
    assert found.draws.shape == (400,) and len(np.unique(found.draws)) == 400
    assert found.draws.mean() == pytest.approx(found.score, abs=5 * found.draws.std() / np.sqrt(400))


def test_what_was_held_impossible_costs_as_much_as_single_precision_can_tell():
    sure = np.float32([[1, 0], [1, 0]])
    found = resample({FROZEN: sure[None]}, np.array([0, 1]), "log_loss", resamples=10)[FROZEN]
    assert found.score == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed_std", [0.0, 0.005, 0.01, 0.02])
def test_the_interval_covers_the_truth(seed_std):
    """93 to 97% cover. At either of these true rates, 600 studies leave the bounds used here once in 1,000 runs."""
    rng = np.random.default_rng(12)
    covered = 0
    for _ in range(600):
        predictions, labels = study(rng, (0.85, 0.88), n=500, seed_std=seed_std)
        found = resample(
            {technique: one.probabilities for technique, one in predictions.items()}, labels, "accuracy", resamples=1000
        )
        low, high = percentile_interval(found[FROZEN].minus(found[FINE_TUNE]))
        covered += low <= -0.03 <= high
    assert binom.ppf(0.001, 600, 0.93) <= covered <= binom.ppf(0.999, 600, 0.97)


def in_folds(values, others, size=60):
    """Two techniques whose scores in each fold are these, on images that each gets right or wrong by itself."""
    rng = np.random.default_rng(5)
    labels = np.zeros(len(values) * size, np.int64)
    membership = np.repeat(np.arange(len(values)), size)
    probabilities = {}
    for technique, scored in ((FROZEN, values), (FULL, others)):
        right = np.concatenate([rng.permutation(np.arange(size) < round(size * value)) for value in scored])
        probabilities[technique] = np.stack([right, ~right], axis=1)[None].astype(np.float32)
    return probabilities, labels, membership


def test_over_folds_that_differ_the_interval_is_that_of_students_t():
    values, others = (0.8, 0.6, 0.9, 0.7, 0.85), (0.7, 0.9, 0.75, 0.9, 0.6)
    probabilities, labels, folds = in_folds(values, others)
    found = resample(probabilities, labels, "accuracy", ties=Ties(folds))
    assert found[FROZEN].by_fold == pytest.approx(values)
    gaps = np.array(values) - np.array(others)
    half = t.ppf(0.975, 4) * gaps.std(ddof=1) / np.sqrt(5)
    low, high = percentile_interval(found[FROZEN].minus(found[FULL]))
    assert (low + high) / 2 == pytest.approx(gaps.mean(), abs=0.02)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_folds_that_happen_to_agree_do_not_make_one_sure():
    probabilities, labels, folds = in_folds((0.8,) * 5, (0.7,) * 5)
    divided, whole = (resample(probabilities, labels, "accuracy", ties=Ties(given)) for given in (folds, None))
    assert percentile_interval(divided[FROZEN].minus(divided[FULL])) == percentile_interval(whole[FROZEN].minus(whole[FULL]))
    assert divided[FROZEN].ci95 == whole[FROZEN].ci95


@pytest.mark.parametrize("metric", get_args(Metric))
def test_every_metric_is_scored_fold_by_fold(metric):
    predictions, labels = study(np.random.default_rng(6), (0.8, 0.9), n=90)
    folds = np.arange(90) % 3
    found = resample({name: one.probabilities for name, one in predictions.items()}, labels, metric, ties=Ties(folds))
    for technique, one in predictions.items():
        for fold in range(3):
            own = [scores(each[folds == fold], labels[folds == fold])[metric] for each in one.probabilities]
            assert found[technique].by_fold[fold] == pytest.approx(np.mean(own))


def test_images_that_belong_together_count_once():
    rng = np.random.default_rng(0)
    right = rng.random(100) < 0.8
    probabilities = np.repeat(np.stack([right, ~right], axis=1), 4, axis=0).astype(np.float32)
    labels, groups = np.zeros(400, np.int64), np.repeat(np.arange(100), 4)
    alone, tied, once = (
        resample({FROZEN: own[None]}, labels[: len(own)], "accuracy", ties=Ties(groups=given))[FROZEN].draws.std()
        for own, given in ((probabilities, None), (probabilities, groups), (probabilities[::4], None))
    )
    # Of 10,000 draws a standard deviation is known to 1%.
    assert tied == pytest.approx(once, rel=0.05) and tied == pytest.approx(2 * alone, rel=0.05)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"])
def test_groups_of_one_image_change_nothing(metric):
    predictions, labels = study(np.random.default_rng(1), (0.8,), n=300)
    probabilities = {FROZEN: predictions[FROZEN].probabilities}
    plain, tied = (resample(probabilities, labels, metric, ties=Ties(groups=own))[FROZEN] for own in (None, np.arange(300)))
    assert tied.score == plain.score
    np.testing.assert_array_equal(tied.draws, plain.draws)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"])
def test_groups_are_drawn_whole(metric):
    """Against the plain way: groups drawn with replacement, and the metric of all of their images."""
    rng = np.random.default_rng(3)
    predictions, labels = study(rng, (0.8,), n=120)
    (probabilities,) = predictions[FROZEN].probabilities[:1]
    groups = np.sort(rng.integers(0, 50, 120))
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    plain = []
    for _ in range(2000):
        images = np.concatenate([members[group] for group in rng.integers(0, len(members), len(members))])
        plain.append(scores(probabilities[images], labels[images])[metric])
    found = resample({FROZEN: probabilities[None]}, labels, metric, ties=Ties(groups=groups))[FROZEN].draws
    # Standard errors: 1.6% of the standard deviation, and of 2,000 draws a 45th of it.
    assert found.std() == pytest.approx(np.std(plain), rel=0.08)
    assert found.mean() == pytest.approx(np.mean(plain), abs=0.1 * np.std(plain))
