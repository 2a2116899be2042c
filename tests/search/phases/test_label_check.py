import numpy as np
import pytest

from tlsearch.search.data.dataset import open_folder
from tlsearch.search.events import ignore
from tlsearch.search.phases import label_check as room
from tlsearch.spaces.backbone.spec import BackboneSpec

BACKBONE = BackboneSpec(alpha=0.35, size=32, weights="random")


@pytest.fixture
def data(make_folder):
    return open_folder(make_folder({"cats": 40, "dogs": 40}), size=32, processes=0)


def features(data, wrong):
    """What tells the classes apart, as if the labels of some files were wrong."""
    true = np.array([label ^ (file in wrong) for file, label in zip(data.files, data.labels, strict=True)])
    return np.random.default_rng(0).normal(size=(len(true), 8)) * 0.01 + true[:, None]


def test_labels_that_the_features_contradict_are_named(data, monkeypatch):
    wrong = {"cats/3.png", "dogs/7.png", "cats/12.png"}
    monkeypatch.setattr(room, "features_alone", lambda dataset, backbone, rows, **options: [None, features(data, wrong)[rows]])
    found = room.check_labels(data, BACKBONE, listener=ignore)
    assert {one.file for one in found} == wrong
    assert all({one.label, one.likely} == {"cats", "dogs"} and one.file.startswith(one.label) for one in found)
    assert all(one.probability > 0.5 for one in found)


def test_a_head_is_never_asked_about_a_group_that_it_has_seen():
    # Each pair of images has a number of its own in its features, and a label drawn at random: only a twin tells it.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 2)
    labels = rng.integers(0, 2, 100)[groups]
    own = np.eye(100)[groups]
    apart = room._unseen(own, labels, groups, 2, 0)
    parted = room._unseen(own, labels, np.arange(200), 2, 0)
    right = [float((one.argmax(axis=1) == labels).mean()) for one in (apart, parted)]
    assert right[0] < 0.6 and right[1] > 0.7


def test_without_features_no_label_is_doubted(data, monkeypatch):
    monkeypatch.setattr(room, "features_alone", lambda *arguments, **options: None)
    assert room.check_labels(data, BACKBONE, listener=ignore) == ()
