"""What versions before and after this one have written: read, or refused in one line; a bug of ours is neither."""

import json

import pytest

from tlsearch.search.storage.decoding import RecordError, decode
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import Confirmation, Measurement
from tlsearch.spaces.errors import DamagedStudyError, StudyError
from tlsearch.spaces.recipe import Recipe

from ...fixtures import copy_study

CONFIRMATION = "confirm/frozen-00000-779308544.json"


@pytest.fixture
def study(tmp_path):
    return copy_study("photos", tmp_path / "photos")


def change(path, **changes):
    """Changes fields, named with ``__`` between their parts; None takes one away."""
    fields = json.loads(path.read_text())
    for name, value in changes.items():
        *parents, last = name.split("__")
        inner = fields
        for parent in parents:
            inner = inner[parent]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    path.write_text(json.dumps(fields))


def test_fields_of_another_version_are_ignored_and_missing_ones_take_their_defaults(study):
    change(study / "study.json", invented=1, data__invented=[2], data__labels=None, warm_start=None)
    change(study / CONFIRMATION, invented=1, recipe__invented=2, recipe__augment=None)
    store = StudyStore.open(study)
    assert store.settings.data.labels == "" and store.settings.warm_start is None
    assert [one.recipe.augment for one in store.confirmations()] == [False] * 3


def test_how_a_folder_was_understood_comes_back_as_it_went(study):
    assert StudyStore.open(study).settings.data.remarks == ()
    change(study / "study.json", data__layout_options={"skip_class": ["birds"], "label_from_name": "(x)"}, data__remarks=["so"])
    data = StudyStore.open(study).settings.data
    assert data.layout_options == {"skip_class": ("birds",), "label_from_name": "(x)"} and data.remarks == ("so",)


def test_a_later_version_is_refused_in_one_line(study):
    change(study / CONFIRMATION, schema=2)
    with pytest.raises(StudyError, match=rf"^{CONFIRMATION} was made by a later version of tlsearch \(schema 2") as refused:
        StudyStore.open(study).confirmations()
    assert not isinstance(refused.value, DamagedStudyError)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"data__train": "16"}, r"Expected `int`, got `str` - at `\$\.data\.train`"),
        ({"data__classes": [1, 2]}, r"at `\$\.data\.classes\[0\]`"),
        ({"seed": True}, r"Expected `int`, got `bool`"),
        ({"metric": "beauty"}, r"at `\$\.metric`"),
        ({"engine": None}, r"missing required field `engine`"),
        ({"metric": "\udcff"}, r"surrogates not allowed"),
        ({"space__dropout": 7}, r"dropout"),
        ({"schema": 0}, r"schema must be"),
    ],
)
def test_damage_is_said_with_what_and_where(study, changes, where):
    change(study / "study.json", **changes)
    with pytest.raises(DamagedStudyError, match=rf"study.json cannot be read \(.*{where}"):
        StudyStore.open(study)


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b'{"schema": 1', b"\xff", b"[" * 100_000, b"1" * 5000])
def test_no_content_is_more_than_damage(content):
    with pytest.raises(RecordError):
        decode(content, Confirmation, "a record")


def test_a_number_may_be_none_that_is_finite():
    fields = b'{"epoch": 1, "loss": NaN, "accuracy": 1, "val_loss": Infinity, "val_accuracy": 0, "score": 0, "seconds": 1}'
    assert decode(fields, Measurement, "a record").val_loss == float("inf")


def test_a_bug_of_ours_keeps_its_traceback(study, monkeypatch):
    def bug(self):
        raise AttributeError("a bug")

    monkeypatch.setattr(Recipe, "__post_init__", bug)
    with pytest.raises(AttributeError, match="a bug"):
        StudyStore.open(study).trials()
