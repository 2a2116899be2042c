"""The depth profile, on features that are made up; one test has the real network compute them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from tlsearch.search.activations.blocks import BLOCKS
from tlsearch.search.activations.extract import Extractor
from tlsearch.search.context import Context
from tlsearch.search.depth_profile import NEIGHBOURS
from tlsearch.search.events import Warned
from tlsearch.search.phases.profile import measure_profile, nearest_agree, profile_alone, profile_of, sample
from tlsearch.search.workers.messages import Features
from tlsearch.search.workers.pool import TaskFailedError
from tlsearch.spaces.backbone.network import IMAGE, POOL
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network
from tlsearch.spaces.errors import WeightsError
from tlsearch.spaces.space import BLOCK_STARTS

from ..factory import striped_dataset

NAMES = list(BLOCKS)


def features(informative, n=300, classes=2, seed=0):
    """Noise at every block, but for those named: there each class has a direction of its own, of the strength given."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    found = []
    for block in NAMES:
        values = rng.normal(0, 1, (n, 8))
        values[np.arange(n), labels] += informative.get(block, 0.0)
        found.append(values.astype(np.float32))
    return found, labels


def test_the_profile_peaks_where_the_classes_are_told_apart():
    early = profile_of(*features({"block_5": 6.0}))
    assert early.peak.block == "block_5" and early.label == "different"
    assert early.suggested_cut == BLOCKS["block_5"] + 1 and early.suggested_cut in BLOCK_STARTS
    late = profile_of(*features({"block_5": 2.0, "top": 6.0}))
    assert late.peak.block == "top" and late.label == "similar" and late.suggested_cut is None


def test_the_last_two_points_are_both_the_end():
    found = profile_of(*features({"block_16": 3.0, "top": 3.0}))
    assert found.label == "similar"
    before = profile_of(*features({"block_15": 3.0}))
    assert before.label == "different" and before.last_share < 0.1


def test_noise_is_no_similarity():
    """At each of 18 blocks noise beats chance with its 95% interval in 2.5% of cases; this seed is one of the rest."""
    found = profile_of(*features({}))
    assert found.label == "uncertain" and found.suggested_cut is None


def test_correction_for_chance():
    found = profile_of(*features({"top": 50.0}, classes=4))
    assert found.knn_accuracy == 1 and found.corrected == 1
    rare = np.array([0] * 90 + [1] * 10)
    always_the_frequent_one = profile_of([np.ones((100, 3), np.float32)] * len(NAMES), rare)
    assert always_the_frequent_one.chance == 0.9
    assert always_the_frequent_one.corrected == pytest.approx(0, abs=0.02)


def test_intervals_hold_the_accuracy():
    for point in profile_of(*features({"block_9": 2.0})).points:
        assert 0 <= point.ci95[0] <= point.knn_accuracy <= point.ci95[1] <= 1


@given(st.integers(0, 2**32), st.integers(12, 40))
@settings(max_examples=20)
def test_neighbours_are_those_that_a_classifier_without_the_image_has(seed, n):
    rng = np.random.default_rng(seed)
    values, labels = rng.normal(0, 1, (n, 5)), np.arange(n) % 2
    right = nearest_agree(values, labels)
    for left_out in range(n):
        rest = np.arange(n) != left_out
        other = KNeighborsClassifier(NEIGHBOURS, metric="cosine").fit(values[rest], labels[rest])
        assert right[left_out] == (other.predict(values[[left_out]])[0] == labels[left_out])


def test_few_images_have_few_neighbours():
    assert nearest_agree(np.eye(2), np.array([0, 1])).tolist() == [False, False]
    assert nearest_agree(np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]]), np.array([0, 0, 1, 1])).all()


@given(st.integers(1, 300), st.integers(1, 120), st.integers(0, 2**31))
def test_a_sample_keeps_the_proportions(n, most, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, 2 * n, p=[0.6, 0.3, 0.1])
    rows = np.arange(0, 2 * n, 2)
    chosen = sample(rows, labels, seed, most)
    assert len(chosen) == min(n, most) and set(chosen) <= set(rows) and (np.diff(chosen) > 0).all()
    for label in range(3):
        share = (labels[rows] == label).sum() * len(chosen) / n
        assert abs((labels[chosen] == label).sum() - share) <= 2
    np.testing.assert_array_equal(chosen, sample(rows, labels, seed, most))


class FeaturePool:
    """A pool of one worker that answers with the rows themselves as features, or fails from the second task on."""

    def __init__(self, fails=False):
        self.fails, self.rows = fails, []

    def map(self, tasks):
        for task in tasks:
            self.rows.append(task.rows)
            if self.fails and len(self.rows) > 1:
                raise TaskFailedError("no luck")
            yield task, Features([task.rows[:, None].astype(np.float32) + 1] * len(NAMES))


def context_of(dataset, folder):
    """Under random weights, with the caches in ``folder``."""
    return Context(dataset, BackboneSpec(0.35, 32, "random"), None, "w", folder / "activations", 0, "accuracy")


def test_only_training_images_are_read(tmp_path):
    dataset = striped_dataset(tmp_path)
    pool = FeaturePool()
    found = measure_profile(pool, context_of(dataset, tmp_path), lambda event: None)
    np.testing.assert_array_equal(np.concatenate(pool.rows), dataset.train)
    assert found.images == len(dataset.train) and [point.block for point in found.points] == NAMES


def test_a_worker_that_fails_costs_the_profile_and_nothing_else(tmp_path):
    heard = []
    context = context_of(striped_dataset(tmp_path, count=2000), tmp_path)
    assert measure_profile(FeaturePool(fails=True), context, heard.append) is None
    (warned,) = [event for event in heard if isinstance(event, Warned)]
    assert "no luck" in warned.message


def test_a_profile_is_measured_once(tmp_path):
    context = context_of(striped_dataset(tmp_path), tmp_path)
    heard = []
    first = measure_profile(FeaturePool(), context, heard.append)
    assert heard.pop(0).phase == "profile"
    heard.clear()
    idle = FeaturePool()
    assert measure_profile(idle, context, heard.append) == first
    assert not idle.rows and not heard


def other_labels(context):
    return dataclasses.replace(context, dataset=dataclasses.replace(context.dataset, labels=1 - context.dataset.labels))


@pytest.mark.parametrize(
    "change",
    [
        lambda context: dataclasses.replace(context, weights_fingerprint="other"),
        lambda context: dataclasses.replace(context, backbone=BackboneSpec(0.5, 32, "random")),
        lambda context: dataclasses.replace(context, dataset=dataclasses.replace(context.dataset, images_digest="other")),
        lambda context: dataclasses.replace(
            context, dataset=dataclasses.replace(context.dataset, train=context.dataset.train[1:])
        ),
        other_labels,
    ],
)
def test_a_profile_is_of_what_it_was_measured_on(tmp_path, change):
    context = context_of(striped_dataset(tmp_path), tmp_path)
    measure_profile(FeaturePool(), context, lambda event: None)
    again = FeaturePool()
    measure_profile(again, change(context), lambda event: None)
    assert again.rows


def test_a_damaged_profile_is_measured_again(tmp_path):
    context = context_of(striped_dataset(tmp_path), tmp_path)
    first = measure_profile(FeaturePool(), context, lambda event: None)
    (file,) = (tmp_path / "profiles").iterdir()
    for damaged in (b"", b"{}", b"[1]", file.read_bytes()[:-20]):
        file.write_bytes(damaged)
        again = FeaturePool()
        assert measure_profile(again, context, lambda event: None) == first and again.rows


def test_a_profile_that_cannot_be_kept_costs_nothing_but_time(tmp_path):
    context = context_of(striped_dataset(tmp_path), tmp_path)
    (tmp_path / "profiles").write_text("no folder")
    for _ in range(2):
        pool = FeaturePool()
        assert measure_profile(pool, context, lambda event: None) is not None and pool.rows


@pytest.fixture(scope="module")
def network():
    return load_network(BackboneSpec(0.35, 32, "random"), None)


def test_the_blocks_end_where_the_next_ones_start(network):
    assert [layer + 1 for layer in BLOCKS.values()][:16] == list(BLOCK_STARTS)
    for block, layer in BLOCKS.items():
        name = network.step(layer).config["name"]
        assert name == "out_relu" if block == "top" else name.startswith(f"{block}_")
        # One tensor leaves the block: nothing beside its output is taken further on.
        assert len(network.frontier(layer + 1)) == 1


def test_pooled_outputs_are_those_of_the_network(network, tmp_path):
    dataset, rows = striped_dataset(tmp_path), np.arange(40)
    found = Extractor(context_of(dataset, tmp_path), network).features(rows)
    assert [len(block) for block in found] == [40] * len(NAMES)
    model = network.build(IMAGE, POOL + 1, outputs=[BLOCKS["block_3"], POOL])
    middle, last = (np.asarray(tensor) for tensor in model.predict_on_batch(dataset.images()[rows]))
    np.testing.assert_allclose(found[NAMES.index("block_3")], middle.mean(axis=(1, 2)), atol=1e-4)
    np.testing.assert_allclose(found[-1], last, atol=1e-4)


@pytest.mark.slow
def test_without_a_study_it_is_measured_with_workers_of_its_own(tmp_path):
    dataset = striped_dataset(tmp_path)
    found = profile_alone(dataset, BackboneSpec(0.35, 32, "random"), cache_dir=tmp_path / "cache", workers=1)
    assert found.images == len(dataset.train) and [point.block for point in found.points] == NAMES
    heard = []
    options = {"cache_dir": tmp_path / "cache", "listener": heard.append}
    assert profile_alone(dataset, BackboneSpec(0.35, 32, "random"), **options) == found and not heard, "no worker is started"
    with pytest.raises(WeightsError):
        profile_alone(dataset, BackboneSpec(0.35, 32, str(tmp_path / "images.npy")), cache_dir=tmp_path / "cache", workers=1)
