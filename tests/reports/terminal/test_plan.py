import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tlsearch.reports.files.plan import plan_json
from tlsearch.reports.terminal.drawing import plain
from tlsearch.reports.terminal.plan import PlanReport
from tlsearch.reports.words.plan import about
from tlsearch.search.data.dataset import Dataset
from tlsearch.search.data.folder import Candidate, Layout
from tlsearch.search.data.survey import Survey
from tlsearch.search.planning.dry_run import DryRun, PlannedCut
from tlsearch.search.planning.estimate import Forecast, TechniqueTime
from tlsearch.search.planning.options import RunOptions
from tlsearch.search.planning.plan import plan_run
from tlsearch.search.settings import SkippedFile
from tlsearch.spaces.recipe import LAYERS, Technique

from ...search.factory import striped_dataset


@pytest.fixture
def found():
    options = RunOptions(data=Path("photos"), size=160, alpha=0.35, weights="starter", fine_tune_at=[30, 98, 100])
    files = tuple(Candidate(f"cats/{number}.jpg", "cats", "all", 30_000, 0) for number in range(100))
    layout = Layout(Path("photos"), {"all": "."}, files, (SkippedFile("cats/a.txt", "not an image file"),))
    train, val, test = np.split(np.arange(100), [70, 85])
    stand_in = Dataset(
        path="photos", classes=("cats", "dogs"), size=160, files=(), labels=np.zeros(100, np.int64), train=train, val=val,
        test=test, skipped=layout.skipped, fingerprint="", images_digest="", images_folder=Path(),
    )  # fmt: skip
    survey = Survey(layout=layout, stand_in=stand_in, decoded=40, file_bytes=3_000_000, pixel_bytes=7_680_000)
    techniques = (
        TechniqueTime(Technique.FROZEN, 7, 0.5, 4.0),
        TechniqueTime(Technique.FINE_TUNE, 7, 8.4, 95.0),
        TechniqueTime(Technique.FULL, 6, 3700.0, 12_000.0),
    )
    return DryRun(
        plan=plan_run(options), survey=survey, dataset=None, trials=20,
        workers=2, cuts=(PlannedCut(155, (LAYERS,), 256_000, 0, True), PlannedCut(98, (98, 100), 612_000, 612_000, True)),
        from_pixels=(0, 30), limit=40_000_000_000, disk_free=80_000_000_000, memory=16_000_000_000,
        forecast=Forecast(9.0, 0.1, 12.0, 5000.0, 7099.0, techniques),
    )  # fmt: skip


def test_says_what_would_be_done_what_it_takes_and_how_long(found):
    assert plain(PlanReport(found)).splitlines() == [
        "Data      photos: 2 classes, about 70 training, 15 validation, 15 test images, 1 file skipped",
        "Images    100 files of 3.0 MB, 60 to decode, 40 decoded by an earlier run; 7.7 MB on disk at 160 × 160 pixels",
        "Backbone  MobileNetV2, alpha 0.35, 160 px, weights starter",
        "Space     frozen, fine-tune, full; fine_tune_at 30, 98, 100",
        "Search    20 trials with optuna (tpe), then 2 to 10 seeds a finalist",
        "Study     runs/photos",
        "",
        "Activations kept on disk  at most 40.0 GB; --cache-limit sets another limit",
        "  cut  for                                            on disk",
        "  ──────────────────────────────────────────────────────────────────────────",
        "  155  frozen, and the heads that others start from  256.0 kB  there already",
        "   98  fine_tune_at 98, 100                          612.0 kB",
        "  full trains from pixels: nothing of it is frozen.",
        "  fine_tune_at 30: trains from pixels, which are smaller than the activations there.",
        "",
        "Expected time  about; measured with 2 workers for 2 s",
        "  technique  trials  a trial  with confirmation",
        "  ─────────────────────────────────────────────",
        "  frozen          7    0.5 s              4.0 s",
        "  fine-tune       7    8.4 s              2 min",
        "  full            6   62 min              3.3 h",
        "  In all about 3.4 h: start 9.0 s, decoding 0.1 s, frozen features 12 s, search 83 min, confirmation 2.0 h.",
    ]


def test_a_decoded_data_set_is_known_exactly(found, tmp_path):
    data = striped_dataset(tmp_path)
    text = plain(PlanReport(dataclasses.replace(found, dataset=data, survey=dataclasses.replace(found.survey, decoded=100))))
    assert f"2 classes, {len(data.train)} training" in text and "decoded already" in text and "to decode" not in text


def test_what_will_not_go_well_is_said(found):
    text = plain(PlanReport(dataclasses.replace(found, disk_free=4_000_000, memory=10_000_000)))
    assert "The decoded images will not fit: they need 4.6 MB, and 4.0 MB are free." in text
    assert "read from disk in shuffled blocks: images (5.4 MB)" in text


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (None, "ends there: put the file there yourself, or name one with --weights FILE."),
        (Path("k/m_224.h5"), "takes those for another size, m_224.h5."),
    ],
)
def test_weights_that_are_to_be_downloaded_are_said(found, instead, words):
    away = dataclasses.replace(found, to_download=Path("k/m_160.h5"), without_network=instead)
    told = f"The ImageNet weights m_160.h5 are not in k: the run downloads them first. Without a network it {words}"
    assert told in plain(PlanReport(away)).replace("\n", " ")
    assert json.loads(plan_json(away))["concerns"] == [told]


def test_what_does_not_fit_in_the_cache_is_said(found):
    cuts = (found.cuts[0], dataclasses.replace(found.cuts[1], kept=False))
    text = plain(PlanReport(dataclasses.replace(found, cuts=cuts)))
    assert "does not fit" in text
    assert "Trained from pixels, since 612.0 kB more do not fit in the limit: fine_tune_at 98, 100." in text


def test_a_machine_that_was_not_measured(found):
    unmeasured = dataclasses.replace(found, forecast=None, unmeasured="a process died")
    assert plain(PlanReport(unmeasured)).endswith("How long it would take could not be measured: a process died.\n")
    assert json.loads(plan_json(unmeasured))["expected"] is None


def test_json_has_the_same(found):
    told = json.loads(plan_json(found))
    assert told["schema"] == 1
    assert told["images"] == {
        "files": 100, "file_bytes": 3_000_000, "to_decode": 60, "bytes_to_decode": 4_608_000, "decoded_bytes": 7_680_000,
        "disk_free": 80_000_000_000,
    }  # fmt: skip
    assert [(cut["cut"], cut["bytes"], cut["kept"]) for cut in told["cache"]["cuts"]] == [
        (155, 256_000, True),
        (98, 612_000, True),
    ]
    assert len(told["cache"]["not_kept"]) == 2
    assert told["expected"]["seconds"] == pytest.approx(sum(told["expected"]["phases"].values()))
    assert [one["technique"] for one in told["expected"]["techniques"]] == ["frozen", "fine-tune", "full"]


def test_a_warm_start_is_said(found):
    warm = dataclasses.replace(found, plan=dataclasses.replace(found.plan, warm_start=(Path("runs/old"), Path("runs/older"))))
    assert "Start     the best recipes of runs/old, runs/older\n" in plain(PlanReport(warm))
    assert json.loads(plan_json(warm))["warm_start"] == ["runs/old", "runs/older"]


def test_how_names_were_understood_is_said(found):
    layout = dataclasses.replace(found.survey.layout, remarks=("Cat = cat.",))
    survey = dataclasses.replace(found.survey, layout=layout)
    assert "Remarks   Cat = cat.\n" in plain(PlanReport(dataclasses.replace(found, survey=survey)))


def test_names_do_nothing_to_the_terminal(found):
    stand_in = dataclasses.replace(found.survey.stand_in, path="ph\x1b[31motos\n")
    text = plain(PlanReport(dataclasses.replace(found, survey=dataclasses.replace(found.survey, stand_in=stand_in))))
    assert "\x1b" not in text and "ph\\x1b[31motos\\n" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (4, "4.0 s"), (89, "89 s"), (95, "2 min"), (5399, "90 min"), (5400, "1.5 h"), (1e6, "12 days")],
)
def test_times(seconds, text):
    assert about(seconds) == text
