import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tlsearch.search.activations.cache import ActivationCache, shards_of
from tlsearch.search.activations.extract import Extractor
from tlsearch.search.activations.passes import passes
from tlsearch.search.context import Context
from tlsearch.search.metrics import log_loss
from tlsearch.search.training.inputs import LEAST_DEVIATION
from tlsearch.search.training.models.flat_model import FlatModel
from tlsearch.search.training.schedule import PATH
from tlsearch.search.training.stage import DivergedError, class_weights
from tlsearch.search.training.trainer import Job, Trainer
from tlsearch.spaces.backbone.network import POOL
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network, weights_fingerprint
from tlsearch.spaces.backbone.trained import trained_model
from tlsearch.spaces.recipe import Recipe

from ..factory import striped_dataset

pytestmark = pytest.mark.trains
SPEC = BackboneSpec(0.35, 32, "starter")


@pytest.fixture(scope="module")
def network():
    return load_network(SPEC, SPEC.locate())


@pytest.fixture
def dataset(tmp_path):
    return striped_dataset(tmp_path)


@pytest.fixture
def make(dataset, network, tmp_path):
    """A trainer, after the cache is filled at ``cuts``."""

    def trainer(*cuts, test=False, augment=False):
        weights = SPEC.locate()
        context = Context(dataset, SPEC, weights, weights_fingerprint(SPEC, weights), tmp_path / "cache", 0, "accuracy")
        extractor = Extractor(context, network)
        cache = ActivationCache(context.cache)
        work = passes(context, "search", cuts, folded=True, augment=augment) if cuts else []
        if test and cuts:
            work += passes(context, "test", cuts, folded=True, augment=False)
        for one in work:
            checksums = [extractor.shard(one, shard) for shard in shards_of(len(one.rows))]
            for key in one.keys(context):
                cache.complete(key, len(one.rows), [shard[key] for shard in checksums])
        return Trainer(dataset, network, lambda recipe, _, test: extractor.inputs_for(recipe, cuts, test), "accuracy")

    return trainer


def run(trainer, recipe, **job):
    curve = []
    training = trainer.train(Job(recipe, **{"seed": 1, "head_seed": 2, "patience": None, **job}))
    while True:
        try:
            curve.append(next(training))
        except StopIteration as end:
            return curve, end.value


def recipe(technique="frozen", **changes):
    at = {"fine_tune_at": 143} if technique == "fine-tune" else {}
    fields = {"learning_rate": 1e-2, "epochs": 3, "head_epochs": 3, "batch_size": 8}
    return Recipe(technique=technique, **{**fields, **at, **changes})


def test_a_frozen_trial_learns_from_features(make):
    curve, outcome = run(make(POOL + 1), recipe(epochs=12))
    assert [m.epoch for m in curve] == list(range(1, 13))
    assert outcome.best.val_accuracy >= 0.9
    assert curve[-1].loss < curve[0].loss
    assert outcome.trained_from == "features"
    assert outcome.trainable_params == 2 * 1280 + 2
    assert outcome.test is None


def test_fine_tuning_starts_where_the_trained_head_left_off(make):
    trainer = make(POOL + 1, 143)
    head, _ = run(trainer, recipe("fine-tune").first_stage, seed=2)
    curve, outcome = run(trainer, recipe("fine-tune", learning_rate=1e-4))
    assert curve[0].epoch == 0
    assert curve[0].val_loss == pytest.approx(min(head, key=lambda m: (-m.score, m.val_loss)).val_loss, rel=1e-4)
    assert outcome.best.epoch > 0, "a constant rate keeps no start"
    assert outcome.trained_from == "activations"


def test_fine_tuning_never_ends_below_its_head(make, dataset, network):
    """A rate that spoils the network leaves the head that it started from, and so does a refit of no epochs."""
    wild = recipe("fine-tune", l2_path=True, schedule="cosine", head_epochs=30, epochs=1, learning_rate=10.0)
    trainer = make(POOL + 1, 143, test=True)
    curve, outcome = run(trainer, wild, test=True, keep=True)
    assert all(m.score < curve[0].score for m in curve[1:]), "it spoils nothing: this recipe does not test anything"
    assert outcome.best == curve[0] and outcome.best.epoch == 0
    kept = trained_model(wild, network, 2, outcome.weights).predict(dataset.images()[dataset.test], verbose=0)
    np.testing.assert_allclose(kept, outcome.test, atol=0.02)
    none, untrained = run(trainer, wild, test=True, rounds=0)
    assert len(none) == 1 and untrained.best.epoch == 0 and untrained.images_per_second == 0
    assert (untrained.test.argmax(axis=1) == dataset.labels[dataset.test]).mean() >= 0.9


def test_the_same_job_gives_the_same_result_whatever_ran_before(make):
    trainer = make(POOL + 1, 143)
    first, _ = run(trainer, recipe("fine-tune", dropout=0.4))
    run(trainer, recipe("fine-tune", dropout=0.4, learning_rate=1e-3), seed=5)
    again, _ = run(trainer, recipe("fine-tune", dropout=0.4))
    assert [m.val_loss for m in again] == pytest.approx([m.val_loss for m in first], rel=1e-4)
    fresh, _ = run(make(POOL + 1, 143), recipe("fine-tune", dropout=0.4))
    assert [m.val_loss for m in fresh] == pytest.approx([m.val_loss for m in first], rel=1e-4)


def test_pixels_and_activations_train_alike(make):
    cached, from_cache = run(make(POOL + 1, 143), recipe("fine-tune"))
    plain, from_pixels = run(make(POOL + 1), recipe("fine-tune"))
    assert (from_cache.trained_from, from_pixels.trained_from) == ("activations", "pixels")
    assert [m.val_loss for m in plain] == pytest.approx([m.val_loss for m in cached], rel=0.05)  # float16 on disk


def test_full_trains_every_parameter(make):
    _, outcome = run(make(POOL + 1), recipe("full", epochs=1, learning_rate=1e-4))
    assert outcome.trainable_params > 380_000


def test_augmented_views_are_trained_on(make):
    plain, _ = run(make(POOL + 1), recipe())
    augmented, outcome = run(make(POOL + 1, augment=True), recipe(augment=True))
    assert outcome.trained_from == "features"
    assert augmented[0].loss == pytest.approx(plain[0].loss, rel=1e-3)  # the first epoch sees the images themselves
    assert augmented[1].loss != pytest.approx(plain[1].loss, rel=1e-3)


def test_patience_ends_training_early(make):
    curve, outcome = run(make(POOL + 1), recipe(epochs=60, learning_rate=0.3), patience=2)
    assert len(curve) < 60
    lowest = min(range(len(curve)), key=lambda place: curve[place].val_loss)
    assert len(curve) - 1 - lowest >= 2
    assert outcome.best.score == max(m.score for m in curve)


def test_the_test_split_is_predicted_when_asked_for_and_is_not_read_before(make, dataset):
    trainer = make(POOL + 1)
    original = dataset.test
    object.__setattr__(dataset, "test", np.array([10**9]))  # reading it would raise IndexError
    run(trainer, recipe())
    object.__setattr__(dataset, "test", original)
    _, outcome = run(make(POOL + 1, test=True), recipe(epochs=12), test=True)
    assert outcome.test.shape == (16, 2)
    np.testing.assert_allclose(outcome.test.sum(axis=1), 1, atol=1e-5)
    assert (outcome.test.argmax(axis=1) == dataset.labels[original]).mean() >= 0.9


@pytest.mark.parametrize(
    ("method", "gives"),
    [
        ("train", (np.array([0.5, np.nan, 0.5]), np.zeros(3))),
        ("train", (np.array([0.5, 0.5, np.inf]), np.zeros(3))),
        ("predict", np.full((8, 2), np.nan)),
    ],
)
def test_divergence_is_said(make, monkeypatch, method, gives):
    monkeypatch.setattr(FlatModel, method, lambda *_: gives)
    with pytest.raises(DivergedError, match=r"^the (training|validation) loss became (nan|inf): try a lower learning rate$"):
        run(make(POOL + 1), recipe())


def test_rare_classes_weigh_more_when_asked_to(dataset):
    object.__setattr__(dataset, "train", np.array([0, 2, 4, 6, 8, 10, 12, 14, 16, 1]))
    np.testing.assert_allclose(class_weights(dataset, recipe(class_weight="balanced")), [10 / 18, 5.0])
    np.testing.assert_allclose(class_weights(dataset, recipe()), [1, 1])


def test_a_damaged_entry_is_computed_again(make, tmp_path):
    trainer = make(POOL + 1)
    for path in (tmp_path / "cache").rglob("*.npy"):
        path.write_bytes(path.read_bytes()[:-8])
    _, outcome = run(trainer, recipe(epochs=12))
    assert outcome.trained_from == "features" and outcome.best.val_accuracy >= 0.9


def test_every_image_of_an_epoch_counts_alike(make, dataset):
    """Also those of a last batch that is not full: without learning, the mean loss is that of all images at once."""
    still = {"technique": "frozen", "learning_rate": 1e-12, "epochs": 1}
    trainer = make(POOL + 1)
    losses = []
    for batch_size in (len(dataset.train), len(dataset.train) - 1, 7):
        job = Job(Recipe(**still, batch_size=batch_size), seed=3, head_seed=3)
        measurement = next(trainer.train(job))
        losses.append((measurement.loss, measurement.accuracy))
    np.testing.assert_allclose(losses[1:], losses[:1] * 2, rtol=1e-4)


def test_the_model_that_meets_the_test_split_is_that_of_the_best_epoch(make):
    """At a learning rate this high the second epoch loses what the first had learned."""
    wild = recipe(epochs=2, learning_rate=0.02)
    trainer = make(POOL + 1, test=True)
    curve, outcome = run(trainer, wild, test=True)
    best = min(curve, key=lambda m: (-m.score, m.val_loss))
    assert outcome.best == best
    assert best.epoch < len(curve), "the last epoch is the best: this recipe does not test anything"
    _, stopped_there = run(trainer, dataclasses.replace(wild, epochs=best.epoch), test=True)
    np.testing.assert_allclose(outcome.test, stopped_there.test, atol=1e-4)


def test_of_epochs_with_the_same_score_the_one_with_the_lower_loss_is_the_best(make):
    curve, outcome = run(make(POOL + 1), recipe(epochs=20))
    equals = [m for m in curve if m.score == outcome.best.score]
    assert len(equals) > 1, "no two epochs score alike: this recipe does not test anything"
    assert outcome.best == min(equals, key=lambda m: m.val_loss)


def path(**changes):
    return recipe(**{"l2_path": True, "schedule": "cosine", "learning_rate": 3e-3, "epochs": 30, **changes})


def test_a_path_of_penalties_reaches_the_logistic_optimum(make, dataset):
    """At each penalty the loss is that of scikit-learn's solution; steps have two vectors for two classes, where it has one."""
    trainer = make(POOL + 1)
    curve, outcome = run(trainer, path())
    stepped, _ = run(trainer, path(dropout=1e-6))
    inputs = trainer._inputs_for(path(), (POOL + 1,), False)
    train, val = (inputs.batch(rows, 0)[0].astype(np.float64) for rows in (dataset.train, dataset.val))
    mean, deviation = train.mean(axis=0), train.std(axis=0) + LEAST_DEVIATION
    labels = dataset.labels[dataset.train]
    assert len(curve) == len(stepped) == len(PATH)
    for measured, by_steps, inverse in zip(curve, stepped, PATH, strict=True):
        for one, c, near in ((measured, inverse, 0.005), (by_steps, 2 * inverse, 0.05)):
            exact = LogisticRegression(C=c, max_iter=5000).fit((train - mean) / deviation, labels)
            found = exact.predict_proba((val - mean) / deviation)
            assert one.val_loss == pytest.approx(log_loss(found, dataset.labels[dataset.val]), rel=near, abs=near / 5)
    assert outcome.best.val_loss == min(m.val_loss for m in curve if m.score >= outcome.best.score)


def test_neither_rate_nor_seed_nor_epochs_matter_to_a_head_that_is_solved(make):
    trainer = make(POOL + 1)
    solved, _ = run(trainer, path())
    for changes, job in (({"learning_rate": 1e-5, "epochs": 1}, {}), ({}, {"seed": 9})):
        again, _ = run(trainer, path(**changes), **job)
        assert [m.val_loss for m in again] == [m.val_loss for m in solved]


@pytest.mark.parametrize("cuts", [(POOL + 1,), ()], ids=["cached", "in memory"])
def test_standardisation_is_folded_into_the_head(make, dataset, network, cuts):
    """The kept model, which knows nothing of it, predicts what was measured."""
    _, outcome = run(make(*cuts, test=True), path(head_units=8, head_layers=1), test=True, keep=True)
    model = trained_model(path(head_units=8, head_layers=1), network, 2, outcome.weights)
    predicted = model.predict(dataset.images()[dataset.test], verbose=0)
    np.testing.assert_allclose(predicted, outcome.test, atol=0.02)
    assert outcome.trained_from == "features"


def test_fine_tuning_starts_from_the_head_of_the_path(make):
    one = recipe("fine-tune", l2_path=True, schedule="cosine", head_epochs=30, epochs=4)
    head, _ = run(make(143), path(learning_rate=one.head_learning_rate), seed=2)
    curve, outcome = run(make(143), one)
    start = curve[0]
    assert start.epoch == 0 and start.val_accuracy == max(m.val_accuracy for m in head)
    best = max(head, key=lambda m: (m.val_accuracy, -m.val_loss))
    assert outcome.head_c == PATH[best.epoch - 1]


def test_a_small_data_set_is_passed_over_more_often(make, dataset):
    steps = -(-len(dataset.train) // 8)
    curve, outcome = run(make(POOL + 1), recipe(epochs=3, schedule="cosine", least_steps=7 * steps))
    assert [m.epoch for m in curve] == [1, 2, 3]
    # Seven passes at least make three in each of three epochs, and are those of nine epochs.
    nine, _ = run(make(POOL + 1), recipe(epochs=9, schedule="cosine"))
    assert [m.val_loss for m in curve] == pytest.approx([m.val_loss for m in nine[2::3]])
    assert outcome.best in curve


def test_a_run_of_so_many_rounds_keeps_the_last_and_is_as_far_as_the_whole_run_was(make):
    trainer = make(POOL + 1)
    whole, _ = run(trainer, path())
    part, outcome = run(trainer, path(), rounds=2)
    assert len(part) == 2 and outcome.best is part[-1]
    assert [m.val_loss for m in part] == pytest.approx([m.val_loss for m in whole[:2]])


def test_a_path_leaves_hidden_layers_alive(make):
    _, outcome = run(make(POOL + 1), path(head_units=128, head_layers=3))
    assert outcome.best.val_accuracy >= 0.9
