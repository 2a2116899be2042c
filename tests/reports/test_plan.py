import dataclasses
from pathlib import Path

from tlsearch.reports.plan import outline
from tlsearch.search.plan import plan_run

from ..search.factory import striped_dataset


def plan(**changes):
    options = {"demo": "small-similar", "study": None, "space": "default", "size": 32, "alpha": 0.35, "weights": "starter"}
    return plan_run(Path("photos"), **{**options, **changes})


def test_says_what_would_be_done(tmp_path):
    dataset = dataclasses.replace(striped_dataset(tmp_path), path="photos")
    splits = f"{len(dataset.train)} training, {len(dataset.val)} validation, {len(dataset.test)} test images"
    assert outline(plan(), dataset, 20, 3).splitlines() == [
        f"data      photos: 2 classes, {splits}, 0 files skipped",
        "backbone  MobileNetV2, alpha 0.35, 32 px, weights starter",
        "space     frozen, fine-tune, full; fine_tune_at 54, 81, 98, 100, 116, 134",
        "search    20 trials with optuna (tpe), then 3 seeds a finalist",
        "study     runs/photos",
    ]


def test_a_space_with_fewer_recipes_than_trials(tmp_path):
    assert "search    2 trials with" in outline(plan(space="post"), striped_dataset(tmp_path), 20, 3)


def test_names_do_nothing_to_the_terminal(tmp_path):
    dataset = dataclasses.replace(striped_dataset(tmp_path), path="ph\x1b[31motos\n")
    assert "\x1b" not in outline(plan(), dataset, 20, 3)
    assert len(outline(plan(), dataset, 20, 3).splitlines()) == 5
