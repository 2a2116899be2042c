from pathlib import Path

import pytest

from tlsearch.search.planning.options import RunOptions
from tlsearch.search.planning.plan import plan_run
from tlsearch.search.storage.folder.study import FolderStudy
from tlsearch.search.training.trainer import PATIENCE
from tlsearch.spaces.backbone.spec import BackboneSpec
from tlsearch.spaces.errors import OptionError, SpaceError


def plan(folder=Path("photos"), **changes):
    return plan_run(RunOptions(data=folder, **changes))


def test_defaults_for_ones_own_images():
    found = plan()
    assert found.search.backbone == BackboneSpec(alpha=1.0, size=160, weights="imagenet")
    assert found.study == FolderStudy(Path("runs/photos"))
    assert (found.search.engine, found.search.algorithm) == ("optuna", "tpe")


def test_defaults_for_the_built_in_images():
    found = plan(None)
    assert found.search.backbone == BackboneSpec(alpha=0.35, size=96, weights="starter")
    assert found.study == FolderStudy(Path("runs/demo-small-similar"))


def test_labels_stand_in_for_a_folder():
    found = plan(None, labels=Path("data/animals.csv"))
    assert (found.folder, found.options.labels, found.study) == (
        Path("data"),
        Path("data/animals.csv"),
        FolderStudy(Path("runs/animals")),
    )
    assert found.search.backbone.weights == "imagenet"
    assert plan(labels=Path("data/animals.csv")).study == FolderStudy(Path("runs/photos"))


def test_the_posts_preset_brings_its_size_and_width_and_options_win():
    found = plan(space="post").search.backbone
    assert (found.size, found.alpha) == (128, 1.0)
    assert plan(space="post", size=96, alpha=0.35).search.backbone.size == 96


def test_training_stops_early_where_both_the_option_and_the_preset_let_it():
    assert plan().patience == PATIENCE
    assert plan(early_stopping=False).patience is plan(space="post").patience is None


def test_what_a_study_is_opened_with_is_what_was_asked_for():
    asked = {"metric": "log_loss", "seed": 7, "cache_dir": Path("cache"), "cache_dtype": "float32", "cache_limit": 5}
    found = plan(**asked).search
    assert {name: getattr(found, name) for name in asked} == asked


def test_options_narrow_the_space():
    space = plan(techniques=["fine-tune"], fine_tune_at=[30, 60], epochs=4, augment=True, batch_norm="train").search.space
    assert space.cuts == (30, 60)
    assert set(space.epochs.values()) == {4} and space.head_epochs == 4
    assert space.augments and space.foldings == (False,)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"fine_tune_at": [999]}, SpaceError, "between 1 and 153"),
        ({"techniques": ["frozen"], "fine_tune_at": [100]}, OptionError, "--fine-tune-at belongs to"),
        ({"size": 7}, OptionError, "--size must be from 32"),
        ({"alpha": 0.4}, OptionError, "--alpha must be one of"),
        ({"algorithm": "bayesian"}, OptionError, "--algorithm of engine optuna"),
        ({"space": "nope"}, SpaceError, "--space must be"),
        ({"epochs": 0}, SpaceError, "epochs must be"),
    ],
)
def test_refuses(changes, kind, message):
    with pytest.raises(kind, match=message):
        plan(**changes)


def test_a_column_without_a_file_of_labels_is_an_error_for_the_built_in_set_too():
    with pytest.raises(OptionError, match="--group-column names a column of --labels, got who without"):
        plan_run(RunOptions(layout_options={"group_column": "who"})).survey()
