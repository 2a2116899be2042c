import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.spaces.errors import SpaceError
from tlsearch.spaces.recipe import LAYERS, Recipe, Technique

techniques = st.sampled_from(list(Technique))


@st.composite
def recipes(draw):
    technique = draw(techniques)
    hidden = draw(st.booleans())
    return Recipe(
        technique=technique,
        learning_rate=draw(st.floats(1e-6, 10)),
        fine_tune_at=draw(st.integers(1, 153)) if technique is Technique.FINE_TUNE else None,
        head_units=draw(st.integers(1, 8192)) if hidden else 0,
        head_layers=draw(st.integers(1, 3)) if hidden else 0,
        dropout=draw(st.floats(0, 0.99)),
        optimizer=draw(st.sampled_from(["adam", "rmsprop"])),
        augment=draw(st.booleans()),
        head_epochs=draw(st.integers(0, 50)),
        batch_norm=draw(st.sampled_from(["folded", "inference", "train"])),
        l2_path=draw(st.booleans()),
    )


@given(recipes())
def test_survives_json(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


@given(recipes())
def test_the_first_stage_trains_the_same_head_on_the_frozen_base(recipe):
    first = recipe.first_stage
    if recipe.technique is Technique.FROZEN or recipe.head_epochs == 0:
        assert first is None
        return
    assert first.first_trained_layer == LAYERS
    assert (first.head_units, first.head_layers) == (recipe.head_units, recipe.head_layers)
    # Where penalties regularise a head that can be solved, it is.
    assert first.dropout == (0.0 if recipe.l2_path and not recipe.head_layers else recipe.dropout)
    assert (first.learning_rate, first.epochs) == (recipe.head_learning_rate, recipe.head_epochs)


@pytest.mark.parametrize(
    ("technique", "fine_tune_at", "layer"), [("frozen", None, 154), ("fine-tune", 100, 100), ("full", None, 0)]
)
def test_first_trained_layer(technique, fine_tune_at, layer):
    assert Recipe(technique=technique, learning_rate=1e-3, fine_tune_at=fine_tune_at).first_trained_layer == layer


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"technique": "thaw"}, "technique must be one of frozen, fine-tune, full, got 'thaw'"),
        ({"technique": "fine-tune"}, "fine_tune_at must be between 1 and 153 .* got None"),
        ({"technique": "fine-tune", "fine_tune_at": 0}, 'got 0. Use technique "full"'),
        ({"technique": "fine-tune", "fine_tune_at": 154}, "got 154"),
        ({"technique": "fine-tune", "fine_tune_at": True}, "got True"),
        ({"fine_tune_at": 100}, 'belongs to technique "fine-tune" alone'),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"head_learning_rate": "fast"}, "head_learning_rate must be above 0"),
        ({"head_units": 64}, "head_units and head_layers must both be 0 or both be above 0"),
        ({"head_units": 64, "head_layers": 4}, "head_layers must be a whole number from 0 to 3"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, rmsprop"),
        ({"batch_norm": "fused"}, "batch_norm must be one of folded, inference, train"),
        ({"augment": 1}, "augment must be true or false"),
    ],
)
def test_refuses(changes, message):
    with pytest.raises(SpaceError, match=message):
        Recipe(**{"technique": "frozen", "learning_rate": 1e-3, **changes})


def test_what_a_record_does_not_name_has_its_default():
    assert Recipe.from_dict({"technique": "frozen", "learning_rate": 1e-3}).as_dict() == {
        "technique": "frozen",
        "learning_rate": 1e-3,
        "fine_tune_at": None,
        "head_units": 0,
        "head_layers": 0,
        "dropout": 0.0,
        "optimizer": "adam",
        "batch_size": 32,
        "epochs": 10,
        "head_learning_rate": 1e-3,
        "head_epochs": 10,
        "augment": False,
        "batch_norm": "folded",
        "class_weight": "none",
        "schedule": "constant",
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "l2_path": False,
        "least_steps": 0,
    }


def test_from_dict_names_what_is_unknown_or_missing():
    with pytest.raises(SpaceError, match="no field colour"):
        Recipe.from_dict({"technique": "frozen", "learning_rate": 1e-3, "colour": 1})
    with pytest.raises(SpaceError, match="needs learning_rate"):
        Recipe.from_dict({"technique": "frozen"})


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 10},
        {"head_units": 8192, "head_layers": 3},
        {"head_units": 1, "head_layers": 1},
        {"batch_size": 1},
        {"batch_size": 4096},
        {"epochs": 1, "head_epochs": 0},
        {"epochs": 10_000, "head_epochs": 10_000},
        {"dropout": 0},
        {"technique": "fine-tune", "fine_tune_at": 1},
        {"technique": "fine-tune", "fine_tune_at": 153},
    ],
)
def test_accepts_the_bounds(changes):
    Recipe(**{"technique": "frozen", "learning_rate": 1e-3, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 10.1},
        {"head_units": 8193, "head_layers": 1},
        {"batch_size": 4097},
        {"epochs": 0},
        {"epochs": 10_001},
        {"head_epochs": -1},
        {"head_epochs": 10_001},
        {"dropout": -0.01},
        {"batch_size": True},
    ],
)
def test_refuses_what_lies_just_beyond_the_bounds(changes):
    with pytest.raises(SpaceError, match=next(iter(changes))):
        Recipe(**{"technique": "frozen", "learning_rate": 1e-3, **changes})
