"""Studies recorded by earlier versions open, report what they reported, and go on."""

import json
from collections import Counter

import pytest

from tlsearch.reports.answer.summary import summarize
from tlsearch.reports.render import render
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import CompleteTrial, FailedTrial, PrunedTrial

from ...end_to_end.test_run import report, tlsearch
from ...fixtures import FOLDER, RECORDED, copy_study, draw

OPTIONS = {
    "photos": ["--space", "smoke", "--trials", 5],
    "warm": ["--technique", "frozen", "--technique", "full", "--epochs", 3, "--metric", "log_loss", "--trials", 15],
}
KINDS = {"photos": {CompleteTrial: 4}, "warm": {CompleteTrial: 8, PrunedTrial: 5, FailedTrial: 2}}


def lacks(recorded, now, at=""):
    """Where something that was reported is not reported any more; fields may be added."""
    if isinstance(recorded, dict):
        return [
            place
            for key, value in recorded.items()
            for place in (lacks(value, now[key], f"{at}/{key}") if key in now else [f"{at}/{key}"])
        ]
    if isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        return [place for n, (a, b) in enumerate(zip(recorded, now, strict=True)) for place in lacks(a, b, f"{at}/{n}")]
    same = recorded == pytest.approx(now) if isinstance(recorded, float) else recorded == now
    return [] if same else [f"{at}: {recorded!r}, now {now!r}"]


@pytest.mark.parametrize("name", RECORDED)
def test_it_opens(name, tmp_path):
    store = StudyStore.open(copy_study(name, tmp_path / name))
    assert Counter(map(type, store.trials())) == KINDS[name]
    assert all(store.predictions(one)[0].shape == (store.settings.data.test, 2) for one in store.confirmations())
    assert len(store.confirmations()) == len(store.settings.space["techniques"])
    assert store.values().keys() == {trial.number for trial in store.trials()}
    assert store.notes.profile() is not None and store.notes.runs() and store.notes.test_files()
    if name == "warm":
        assert [trial.interrupted for trial in store.trials() if isinstance(trial, FailedTrial)] == [False, True]
        assert [recipe.technique for recipe in store.settings.warm_start.recipes] == ["frozen", "full"]


@pytest.mark.parametrize("name", RECORDED)
def test_it_reports_what_it_reported(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_study(name, tmp_path / name)
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    del recorded["verdict"]["reason"]  # words may become clearer
    assert lacks(recorded, json.loads(render(summarize(name), "json"))) == []


@pytest.mark.trains
@pytest.mark.parametrize("name", ["photos", pytest.param("warm", marks=pytest.mark.slow)])
def test_it_goes_on(name, tmp_path):
    draw(tmp_path / "photos")
    copy_study(name, tmp_path / "runs" / name)
    options = ["--study", f"runs/{name}", "--weights", "starter", "--alpha", 0.35, "--size", 32, "--confirm", 1, "--workers", 1]
    before = json.loads((FOLDER / f"{name}.json").read_text())["trials"]
    tlsearch("run", "photos", *options, *OPTIONS[name], "--quiet", cwd=tmp_path)
    after = report(f"runs/{name}", tmp_path)["trials"]
    assert len(after) == len(before) + 1 and lacks(before, after[:-1]) == [] and after[-1]["state"] != "failed"
