import importlib.resources
import json
import math

import jsonschema
import pytest

from tlsearch.reports import summarize
from tlsearch.reports.files.json import trial_dict
from tlsearch.reports.render import render
from tlsearch.search.activations.blocks import BLOCKS
from tlsearch.search.machine.devices import Device
from tlsearch.search.settings import WarmRecipe, WarmStart
from tlsearch.search.trial import ClosedTechnique
from tlsearch.spaces.recipe import Technique

from ...search.factory import begin, complete, failed, measurement, recipe, values
from ..factory import SKILLS, confirm, store_of, whole_study, with_outlook_on_seeds

SCHEMA = json.loads(importlib.resources.files("tlsearch.reports").joinpath("schema-1.json").read_text(encoding="utf-8"))
check = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate


def strict(text):
    """JSON as the standard has it: without NaN and Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_schema_is_one_and_refuses_what_is_none():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        check({"schema": 2})


def test_a_whole_study_follows_the_schema(summary):
    found = strict(render(summary, "json"))
    check(found)
    assert found["verdict"]["decision"] == "win" and found["verdict"]["winner"] == "fine-tune"
    assert [entry["technique"] for entry in found["techniques"]] == ["frozen", "fine-tune", "full"]
    for entry in found["techniques"]:
        test = entry["test_accuracy"]
        assert test["ci95"][0] <= test["mean"] <= test["ci95"][1]
        assert test["mean"] == pytest.approx(sum(test["seeds"]) / 3)
        assert abs(test["mean"] - SKILLS[entry["technique"]]) < 0.1
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3 + ["pruned", "failed", "complete"]
    assert found["trials"][4]["error"] == "the training loss became nan"
    timing = found["timing"]
    assert timing["wall"] == timing["extract"] + timing["train"] + timing["confirm"] + timing["overhead"]


def test_closed_techniques_are_told_in_json_and_on_the_page(tmp_path):
    store = store_of(tmp_path / "photos", [complete(0)])
    assert strict(render(summarize(store), "json"))["closed"] == []
    store.notes.keep_closed(20, 0.005, [ClosedTechnique(Technique.FULL, 3, 2, 0.0003)])
    found = strict(render(summarize(store), "json"))
    check(found)
    assert found["closed"] == [{"technique": "full", "trials": 3, "left": 2, "gain": 0.0003}]
    told = "full after 3: 2 more would raise the best score by 0.03 points in expectation"
    assert told in render(summarize(store), "html")


def test_every_fact_about_the_data_is_filled(summary):
    data = strict(render(summary, "json"))["data"]
    assert (data["size"], data["similarity"], data["suggested_cut"], data["imbalance"]) == ("small", "similar", None, 1)
    assert [point["block"] for point in data["depth_profile"]] == list(BLOCKS)
    assert data["knn"] == pytest.approx({"accuracy": 0.86, "corrected": 0.72, "chance": 0.5, "images": 160})
    assert data["similarity_sentence"].startswith("The images are similar")


def test_what_was_expected_and_what_was_tested_is_in_every_report(summary):
    expected = strict(render(summary, "json"))["data"]["expected"]
    assert expected["sets"] == 20 and list(expected["gaps"]) == ["fine-tune", "full"]
    assert all(one["half_width"] > 0.01 for one in expected["gaps"].values())
    said = f"fine-tune +{100 * expected['gaps']['fine-tune']['gap']:.1f} ± "
    for form in ("terminal", "markdown", "html"):
        text = " ".join(render(summary, form).split())
        assert said in text and "tested: fine-tune +13.3 and full +7.8" in text


def test_each_technique_has_its_chances(summary):
    verdict = strict(render(summary, "json"))["verdict"]
    assert set(verdict["probability_best"]) == set(verdict["expected_regret"]) == set(verdict["within_care"]) == set(Technique)
    assert sum(verdict["probability_best"].values()) == pytest.approx(1)
    assert verdict["proven"] and verdict["care"] == 0.005
    for comparison in verdict["comparisons"]:
        any_seeds = comparison["outlook"]["any_seeds"]
        assert any_seeds is None or any_seeds <= comparison["outlook"]["now"]
        assert comparison["outlook"]["now"] == pytest.approx((comparison["ci95"][1] - comparison["ci95"][0]) / 2)
    check(strict(render(with_outlook_on_seeds(summary, None), "json")))


def test_cost_confusion_and_rule_are_filled(summary):
    found = strict(render(summary, "json"))
    assert found["cost"]["pareto_seconds"] == found["cost"]["pareto_params"] == ["frozen", "fine-tune"]
    assert found["cost"]["sentence"].startswith("frozen is ") and "of the training time" in found["cost"]["sentence"]
    assert [entry["confirm_seconds"] for entry in found["techniques"]] == [30, 75, 130]
    confusion = found["confusion"]
    assert confusion["technique"] == found["verdict"]["recommended"] == "fine-tune"
    assert [sum(row) for row in confusion["matrix"]] == [300, 300], "100 test images a class, three seeds"
    for label, recall in enumerate(confusion["recall"]):
        assert recall == confusion["matrix"][label][label] / 300
    worst = confusion["most_confused"][0]
    assert {worst["true"], worst["predicted"]} == {"cats", "dogs"} and worst["count"] > 0
    assert found["verdict"]["rule_of_thumb"]["predicts"] == "frozen" and found["verdict"]["rule_of_thumb"]["agrees"] is False


def test_what_was_not_measured_is_null(tmp_path):
    found = strict(render(summarize(store_of(tmp_path / "photos", [complete(0)])), "json"))
    check(found)
    data = found["data"]
    assert data["similarity"] is data["knn"] is data["depth_profile"] is data["suggested_cut"] is None
    assert found["confusion"] is None and found["cost"] == {"pareto_seconds": [], "pareto_params": [], "sentence": ""}
    assert found["verdict"]["rule_of_thumb"]["predicts"] is None


def test_a_class_without_a_test_image_has_no_recall(tmp_path):
    counts = {"classes": ("a", "b", "c"), "train_per_class": (60, 60, 40), "test_per_class": (60, 60, 0)}
    store = store_of(tmp_path / "photos", [complete(0)], data=counts)
    confirm(store, *store.trials(), 0.8)
    found = strict(render(summarize(store), "json"))
    check(found)
    assert found["confusion"]["recall"][2] is None and None not in found["confusion"]["recall"][:2]


def test_what_is_named_as_the_best_is_in_the_trials(summary):
    found = strict(render(summary, "json"))
    for entry in found["techniques"]:
        own = [t for t in found["trials"] if t["technique"] == entry["technique"] and t["state"] == "complete"]
        assert entry["best_val_accuracy"] == max(t["val_accuracy"] for t in own)
        assert entry["recipe"] in [t["recipe"] for t in own]


def test_a_trial_names_the_penalty_of_its_head_and_has_none_where_none_was_trained():
    trials_alone = jsonschema.Draft202012Validator({**SCHEMA, "required": ["trials"]})
    for c in (0.01, None):
        told = json.loads(json.dumps(trial_dict(complete(0, head_c=c))))
        trials_alone.validate({"trials": [told]})
        assert told["head_c"] == c
    assert trial_dict(failed(1))["head_c"] is None
    with pytest.raises(jsonschema.ValidationError):
        trials_alone.validate({"trials": [{**told, "head_c": 0}]})


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "log_loss"])
def test_every_metric_follows_the_schema_and_keeps_the_accuracy(tmp_path, metric):
    found = strict(render(summarize(whole_study(tmp_path / "photos", changes={"metric": metric})), "json"))
    check(found)
    # By log loss another frozen trial is the finalist, which nothing has confirmed.
    tested = [entry for entry in found["techniques"] if entry["test_accuracy"]]
    assert len(tested) == (2 if metric == "log_loss" else 3)
    for entry in tested:
        accuracy = entry["test_accuracy"]
        assert accuracy["ci95"][0] <= accuracy["mean"] <= accuracy["ci95"][1]
        assert abs(accuracy["mean"] - SKILLS[entry["technique"]]) < 0.1


def test_what_each_run_trained_on_is_in_every_report(tmp_path):
    store = whole_study(tmp_path / "photos")
    for device, workers in ((Device("tensorflow"), 2), (Device("tensorflow"), 2), (Device("jax", "<GPU>", "mixed_float16"), 1)):
        store.notes.keep_run(device, workers)
    summary = summarize(store.place.path)
    report = json.loads(render(summary, "json"))
    check(report)
    assert [(run["device"]["name"], run["workers"]) for run in report["study"]["runs"]] == [
        ("CPU", 2),
        ("CPU", 2),
        ("<GPU>", 1),
    ]
    line = "CPU, 2 workers, tensorflow, float32; <GPU>, 1 worker, jax, mixed_float16"
    assert line in " ".join(render(summary, "terminal").split())
    assert "Device: CPU\\, 2 workers" in render(summary, "markdown") and "&lt;GPU&gt;, 1 worker" in render(summary, "html")
    (store.place.path / "runs.json").write_text('[{"started": 1}]')
    assert json.loads(render(summarize(store.place.path), "json"))["study"]["runs"] == []


def test_what_a_study_was_started_from_is_in_every_report(tmp_path):
    values = {"technique": "frozen", "frozen/learning_rate": 1e-3, "head_units": 0, "dropout": 0.0}
    one = WarmRecipe(
        study="/runs/a_b", data="<pets>", technique=Technique.FROZEN, trial=3, metric="accuracy", score=0.94, values=values,
        changes=("dropout 0.5 → 0.4",),
    )  # fmt: skip
    warm = WarmStart(("/runs/a_b", "/runs/c"), (one,))
    summary = summarize(whole_study(tmp_path / "photos", {"warm_start": warm}).place.path)
    assert summary.settings.warm_start == warm
    report = json.loads(render(summary, "json"))
    check(report)
    told = report["study"]["settings"]["warm_start"]
    assert told["studies"] == ["/runs/a_b", "/runs/c"] and told["recipes"][0]["changes"] == ["dropout 0.5 → 0.4"]
    line = "/runs/a_b (<pets>): frozen as in trial 3 (94.0% there); /runs/c: nothing of it"
    assert line in " ".join(render(summary, "terminal").split())
    assert "Started from: \\/runs\\/a\\_b \\(\\<pets\\>" in render(summary, "markdown")
    assert "&lt;pets&gt;" in render(summary, "html")


def test_an_empty_study_and_one_that_runs_follow_the_schema(tmp_path):
    check(strict(render(summarize(store_of(tmp_path / "empty", timing={})), "json")))
    store = store_of(tmp_path / "running")
    begin(store, values(), recipe(), seed=1, worker="worker-1")
    found = strict(render(summarize(store), "json"))
    check(found)
    assert found["trials"][0]["state"] == "running"


def test_what_is_no_number_is_null(tmp_path):
    curve = (measurement(1, 0.5, loss=math.nan, val_loss=math.inf),)
    store = store_of(tmp_path / "photos", [failed(0, curve=curve)])
    (trial,) = strict(render(summarize(store), "json"))["trials"]
    assert trial["curve"][0]["loss"] is None and trial["curve"][0]["val_loss"] is None


def test_folds_follow_the_schema(divided):
    found = strict(render(divided, "json"))
    check(found)
    assert (found["data"]["folds"], found["data"]["test"]) == (5, 400)
    assert [trial["fold"] for trial in found["trials"]] == [fold for fold in range(5) for _ in Technique]
    assert all(len(entry["test_score"]["seeds"]) == 5 for entry in found["techniques"])
