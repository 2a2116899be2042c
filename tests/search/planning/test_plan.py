from pathlib import Path

import pytest

from tlsearch.search.planning.plan import plan_run
from tlsearch.search.storage.folder.study import FolderStudy
from tlsearch.spaces.errors import OptionError, SpaceError


def plan(folder=Path("photos"), **changes):
    return plan_run(folder, **{"demo": "small-similar", "study": None, "space": "default", **changes})


def test_defaults_for_ones_own_images():
    found = plan()
    assert (found.backbone.size, found.backbone.alpha, found.backbone.weights) == (160, 1.0, "imagenet")
    assert found.study == FolderStudy(Path("runs/photos"))
    assert (found.engine, found.algorithm) == ("optuna", "tpe")


def test_defaults_for_the_built_in_images():
    found = plan(None)
    assert (found.backbone.size, found.backbone.alpha, found.backbone.weights) == (96, 0.35, "starter")
    assert found.study == FolderStudy(Path("runs/demo-small-similar"))


def test_labels_stand_in_for_a_folder():
    found = plan(None, labels=Path("data/animals.csv"))
    assert (found.folder, found.labels, found.study) == (
        Path("data"),
        Path("data/animals.csv"),
        FolderStudy(Path("runs/animals")),
    )
    assert found.backbone.weights == "imagenet"
    assert plan(labels=Path("data/animals.csv")).study == FolderStudy(Path("runs/photos"))


def test_the_posts_preset_brings_its_size_and_width_and_options_win():
    assert (plan(space="post").backbone.size, plan(space="post").backbone.alpha) == (128, 1.0)
    assert plan(space="post", size=96, alpha=0.35).backbone.size == 96
    assert not plan(space="post").early_stopping and plan().early_stopping


def test_options_narrow_the_space():
    space = plan(techniques=["fine-tune"], fine_tune_at=[30, 60], epochs=4, augment=True, batch_norm="train").space
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
