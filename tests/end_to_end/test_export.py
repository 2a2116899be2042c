"""From a search to predictions with its winner, through the command."""

import csv
import json

import pytest
from PIL import Image

from .test_run import OPTIONS, photos, report, tlsearch

pytestmark = [pytest.mark.trains, pytest.mark.slow]
__all__ = ["photos"]


def test_a_search_is_taken_home_and_used(photos):
    home = photos.parent
    # On images that 48 examples teach: a model that only guesses would not show a difference.
    run = [*OPTIONS, "--trials", 4, "--confirm", 2, "--batch-norm", "inference", "--workers", 1]
    done = tlsearch("run", "photos", *run, cwd=home)
    kept = sorted(path.name for path in (home / "runs" / "photos" / "models").iterdir())
    assert kept == ["fine-tune.npz", "frozen.npz", "full.npz"] and "the best of each technique is kept" in done.stdout

    (home / "out").mkdir()
    for name in ("pets.keras", "pets.tflite"):
        exported = tlsearch("export", f"out/{name}", cwd=home)
        assert "the median in" in exported.stdout and "Look twice" not in exported.stdout and not exported.stderr
    card = (home / "out" / "MODEL_CARD.md").read_text()
    assert "| pets\\.keras |" in card and "| pets\\.tflite |" in card
    about = json.loads((home / "out" / "pets.keras.json").read_text())
    assert about["technique"] == report("runs/photos", home)["verdict"]["recommended"]
    # What the export gives on the test images is what confirmation had measured.
    own = [json.loads(path.read_text()) for path in (home / "runs" / "photos" / "confirm").glob("*.json")]
    (measured,) = [one for one in own if (one["trial"], one["seed"]) == (about["trial"], about["seed"])]
    assert about["measured"]["trained_accuracy"] == pytest.approx(measured["scores"]["accuracy"], abs=1 / 8)

    predicted = {}
    for name in ("pets.keras", "pets.tflite"):
        # The folder of the pictures holds one that is broken.
        text = tlsearch("predict", f"out/{name}", "photos", "--format", "csv", cwd=home, code=3)
        assert "broken.jpg" in text.stderr
        predicted[name] = list(csv.DictReader(text.stdout.splitlines()))
    assert len(predicted["pets.keras"]) == 48
    for one, other in zip(*predicted.values(), strict=True):
        assert one["path"] == other["path"]
        assert float(one["probability"]) == pytest.approx(float(other["probability"]), abs=1e-3)
    right = sum(row["path"].split("/")[1] == row["class"] for row in predicted["pets.keras"])
    assert right > 24, "no better than guessing on images that most of it was trained on"


def test_a_refit_trains_on_all_but_the_test_images(photos, in_process):
    home = photos.parent
    tlsearch("run", "photos", *OPTIONS, "--trials", 2, "--confirm", 1, "--technique", "frozen", cwd=home)
    for name in ("one.keras", "two.keras"):
        assert in_process("export", name, "--refit", cwd=home).returncode == 0
    about = [json.loads((home / f"{name}.keras.json").read_text()) for name in ("one", "two")]
    assert about[0]["trained_on"] == "training and validation images"
    assert about[0]["measured"]["accuracy"] == about[1]["measured"]["accuracy"], "every export holds the same model"
    assert sorted(path.name for path in (home / "runs" / "photos" / "models").iterdir()) == ["frozen-refit.npz", "frozen.npz"]
    assert "belong to the models before that" in (home / "MODEL_CARD.md").read_text()
    refused = in_process("export", "three.keras", cwd=home)
    assert refused.returncode == 2 and "is about something else" in refused.stderr and not (home / "three.keras").exists()


def test_predictions_need_no_study(photos, in_process):
    home = photos.parent
    tlsearch("run", "photos", *OPTIONS, "--trials", 1, "--confirm", 1, "--technique", "frozen", cwd=home)
    assert in_process("export", "runs/photos", "m.keras", "--technique", "frozen", cwd=home).returncode == 0
    (home / "runs").rename(home / "elsewhere")
    Image.new("L", (300, 20), 90).save(home / "grey.png")
    answer = json.loads(in_process("predict", "m.keras", "grey.png", "--format", "json", cwd=home).stdout)
    assert [set(one["probabilities"]) for one in answer] == [{"plain", "striped"}]


def test_a_search_in_folds_is_reported_and_its_model_trained_on_all_images(photos, in_process):
    home = photos.parent
    run = [*OPTIONS, "--trials", 2, "--folds", 3, "--technique", "frozen", "--technique", "fine-tune"]
    planned = json.loads(tlsearch("run", "photos", *run, "--dry-run", "--format", "json", cwd=home).stdout)
    assert (planned["data"]["folds"], planned["trials"]) == (3, 2)
    done = tlsearch("run", "photos", *run, cwd=home)
    assert "fold 3 of 3" in done.stderr and "48 images in 3 folds" in done.stdout
    found = report("runs/photos", home)
    assert (found["data"]["folds"], found["data"]["test"]) == (3, 48)
    assert [trial["fold"] for trial in found["trials"]] == [0, 0, 1, 1, 2, 2]
    assert sum(map(sum, found["confusion"]["matrix"])) == 48 and len(found["techniques"][0]["test_score"]["seeds"]) == 3
    assert not tlsearch("run", "photos", *run, cwd=home).stderr, "nothing is left to do"

    for name in ("one.keras", "two.keras"):
        assert "validation images" in in_process("export", name, cwd=home).stdout
    about = [json.loads((home / f"{name}.keras.json").read_text()) for name in ("one", "two")]
    assert about[0]["trained_on"] == "training images of all folds" and about[0]["model"] == about[1]["model"]
    card = (home / "MODEL_CARD.md").read_text()
    assert "belong to the models of 3 folds before that" in card and "| two\\.keras |" in card

    refused = in_process("run", "photos", *OPTIONS, "--trials", 2, cwd=home)
    assert refused.returncode == 2 and "the folds were 3, now 1" in refused.stderr
