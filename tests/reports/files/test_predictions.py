import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tlsearch.reports.files import predictions as room
from tlsearch.reports.files.predictions import PredictionWriter
from tlsearch.search.predict.predictor import Prediction, Unreadable
from tlsearch.spaces.errors import OptionError

CLASSES = ("cat", "red panda")


def prediction(path, panda):
    best = int(panda > 0.5)
    probabilities = np.float32([1 - panda, panda])
    return Prediction(Path(path), CLASSES[best], float(probabilities[best]), probabilities)


def written(form, *predictions):
    out = io.StringIO()
    with PredictionWriter(out, form, CLASSES) as writer:
        for one in predictions:
            writer.write(one)
    return out.getvalue()


def test_a_table_for_people():
    assert written("table", prediction("a.jpg", 0.875), prediction("b\x1b.jpg", 0)) == (
        "red panda   87.5%  a.jpg\ncat        100.0%  b\\x1b.jpg\n"
    )


def test_csv_for_spreadsheets():
    rows = list(csv.reader(io.StringIO(written("csv", prediction("a,b.jpg", 0.875), prediction("=x.jpg", 0.25)))))
    assert rows == [
        ["path", "class", "probability"],
        ["a,b.jpg", "red panda", "0.875000"],
        ["'=x.jpg", "cat", "0.750000"],
    ]


def test_json_for_programs():
    values = json.loads(written("json", prediction("a.jpg", 0.875), prediction("b.jpg", 0.25)))
    assert values[0] == {
        "path": "a.jpg",
        "class": "red panda",
        "probability": 0.875,
        "probabilities": {"cat": 0.125, "red panda": 0.875},
    }
    assert [value["path"] for value in values] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_nothing_to_predict_is_a_valid_answer(form):
    text = written(form)
    assert text == {"table": "", "csv": "path,class,probability\n", "json": "[\n]\n"}[form]


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    class Fake:
        classes = CLASSES

        def __init__(self, path):
            self.results = [prediction("a.jpg", 0.875), Unreadable(Path("b.jpg"), "no such file"), prediction("c.jpg", 0.25)]

        def predict_files(self, paths, batch_size):
            yield from self.results
            if batch_size == 1:
                raise RuntimeError("in the middle")

    monkeypatch.setattr(room, "Predictor", Fake)
    console = Console(file=io.StringIO())
    with pytest.raises(RuntimeError):
        room.predict_to(console, str(tmp_path / "out.csv"), "csv", Path("m"), [], 1)
    assert not list(tmp_path.iterdir())
    assert room.predict_to(console, str(tmp_path / "out.csv"), "csv", Path("m"), [], 2) == 1
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == ["a.jpg,red panda,0.875000", "c.jpg,cat,0.750000"]
    assert "skipped b.jpg: no such file" in console.file.getvalue()
    with pytest.raises(OptionError, match="--output must be a file that can be written"):
        room.predict_to(console, str(tmp_path / "no" / "out.csv"), "csv", Path("m"), [], 2)
