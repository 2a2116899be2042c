"""Runs the installed command on a tiny folder of images with both engines, exports a model, and checks what comes out.

Usage: ``python .ci/smoke.py FOLDER``, a folder to work in.
"""

from __future__ import annotations

import importlib.resources
import json
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
from PIL import Image

ENGINES = ("optuna", "keras-tuner")
TRIALS = 4
PER_CLASS = 20


def main() -> None:
    """Draws the images, searches with each engine, checks the reports."""
    work = Path(sys.argv[1])
    photos = work / "photos"
    draw(photos)
    schema = json.loads(importlib.resources.files("tlsearch.reports").joinpath("schema-1.json").read_text())
    for engine in ENGINES:
        study = work / engine
        run = ["run", photos, "--study", study, "--engine", engine, "--space", "smoke", "--trials", TRIALS]
        run += ["--weights", "starter", "--alpha", 0.35, "--size", 32, "--confirm", 2, "--quiet"]
        began = time.monotonic()
        print(tlsearch(*run))
        again = time.monotonic()
        tlsearch(*run)
        seconds = f"{again - began:.0f} s, the same command again {time.monotonic() - again:.1f} s"
        report = json.loads(tlsearch("report", study, "--format", "json"))
        jsonschema.validate(report, schema)
        assert report["study"]["engine"] == engine
        assert [trial["state"] for trial in report["trials"]] == ["complete"] * TRIALS, report["trials"]
        assert {entry["technique"] for entry in report["techniques"]} == {"frozen", "fine-tune", "full"}
        assert all(len(entry["test_accuracy"]["seeds"]) == 2 for entry in report["techniques"]), report["techniques"]
        assert report["verdict"]["decision"] in ("win", "tie", "insufficient")
        if engine == ENGINES[0]:
            print(tlsearch("export", study, work / "model.keras"))
            predictions = json.loads(tlsearch("predict", work / "model.keras", photos, "--format", "json"))
            assert len(predictions) == 2 * PER_CLASS, predictions
        print(f"{engine}: {report['verdict']['decision']}, {report['verdict']['reason']} ({seconds})")


def draw(photos: Path) -> None:
    """Plain grounds of many colours, against the same with stripes."""
    rng = np.random.default_rng(0)
    for name in ("plain", "striped"):
        (photos / name).mkdir(parents=True)
        for number in range(PER_CLASS):
            pixels = np.full((32, 32, 3), rng.integers(60, 190, 3), np.uint8)
            if name == "striped":
                pixels[::8] = 255
            Image.fromarray(pixels).save(photos / name / f"{number}.png")


def tlsearch(*arguments: object) -> str:
    """The command's standard output."""
    done = subprocess.run(["tlsearch", *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


if __name__ == "__main__":
    main()
