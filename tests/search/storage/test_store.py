import json
import os
import subprocess
import sys

import numpy as np
import optuna
import pytest

from tlsearch.search.depth_profile import DepthPoint, DepthProfile
from tlsearch.search.settings import differences
from tlsearch.search.storage.folder.lock import hold
from tlsearch.search.storage.places import list_studies
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import Confirmation, FailedTrial, RunningTrial
from tlsearch.spaces.errors import StudyError

from ..factory import begin, complete, failed, measurement, pruned, recipe, settings, values


@pytest.fixture
def store(tmp_path):
    return StudyStore.create(tmp_path / "photos", settings())


def add(store, trial, technique="frozen"):
    started = begin(store, values(technique), trial.recipe, seed=trial.seed, worker=trial.worker)
    store.finish(trial)
    return started


def without_times(trial):
    return {name: getattr(trial, name) for name in type(trial).__dataclass_fields__ if name not in ("started", "ended")}


def test_a_note_that_cannot_be_written_is_said(store, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tlsearch.search.storage.folder.files.atomic_write", full)
    with pytest.raises(StudyError, match=r"study's folder must be writable, got .* \(No space left on device\)"):
        store.notes.keep_test_files(["cats/1.jpg"])


def test_the_file_of_the_weights_is_remembered(store):
    assert store.notes.weights_file() == ("", False)
    store.notes.keep_weights_file("weights.h5", downloaded=True)
    assert StudyStore.open(store.place.path).notes.weights_file() == ("weights.h5", True)


def test_gives_back_what_was_recorded(store):
    trials = [complete(0), pruned(1, "fine-tune"), failed(2, "full"), complete(3, "full")]
    for trial in trials:
        add(store, trial, str(trial.recipe.technique))
    again = StudyStore.open(store.place.path)
    assert [type(trial) for trial in again.trials()] == [type(trial) for trial in trials]
    assert [without_times(trial) for trial in again.trials()] == [without_times(trial) for trial in trials]
    assert again.settings == settings()
    assert again.values()[1] == values("fine-tune")


def test_a_curve_may_hold_nan(store):
    trial = failed(0, curve=(measurement(1, 0.5, val_loss=float("nan")),))
    add(store, trial)
    (again,) = StudyStore.open(store.place.path).trials()
    assert np.isnan(again.curve[0].val_loss)


def test_optuna_opens_the_storage_as_it_is(store):
    add(store, complete(0))
    number = begin(store, values("fine-tune"), recipe("fine-tune"), seed=9).number
    store.measure(number, measurement(1, 0.61))
    study = optuna.load_study(study_name="photos", storage=f"sqlite:///{store.place.path / 'study.db'}")
    assert study.best_value == 0.8
    assert study.best_params == values()
    assert study.trials[1].intermediate_values == {1: 0.61}
    assert study.trials[1].params["fine-tune/fine_tune_at"] == 100
    assert study.trials[0].user_attrs["technique"] == "frozen"


def test_log_loss_is_minimised(tmp_path):
    store = StudyStore.create(tmp_path / "s", settings(metric="log_loss", name="s"))
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{store.place.path / 'study.db'}")
    assert study.direction is optuna.study.StudyDirection.MINIMIZE


def test_a_killed_search_leaves_running_trials_that_a_sweep_records(store):
    begin(store, values(), recipe(), seed=1)
    assert isinstance(StudyStore.open(store.place.path).trials()[0], RunningTrial)
    (swept,) = StudyStore.open(store.place.path).sweep()
    assert swept.interrupted
    (trial,) = StudyStore.open(store.place.path).trials()
    assert isinstance(trial, FailedTrial) and trial.interrupted
    assert store.sweep() == ()


def test_confirmations_keep_their_predictions(store):
    confirmation = Confirmation(
        recipe=recipe(), trial=3, seed=17, seconds=2.5, val_score=0.9, scores={"accuracy": 0.5}, predictions=""
    )
    probabilities, labels = np.full((4, 2), 0.5, np.float32), np.array([0, 1, 0, 1])
    store.confirm(confirmation, probabilities, labels)
    (again,) = StudyStore.open(store.place.path).confirmations()
    assert (again.recipe, again.trial, again.seed, again.scores) == (recipe(), 3, 17, {"accuracy": 0.5})
    stored, stored_labels = store.predictions(again)
    np.testing.assert_array_equal(stored, probabilities)
    np.testing.assert_array_equal(stored_labels, labels)


def test_the_traceback_of_a_failed_trial_is_kept_and_said_where(store):
    assert store.traceback_of(7) is None
    assert store.keep_traceback(7, "Traceback: 'a\udcff'") == str(store.place.path / "errors" / "trial-00007.txt")
    assert StudyStore.open(store.place.path).traceback_of(7) == "Traceback: 'a\\udcff'"


def test_timing_adds_up(store):
    store.add_timing("search", 1.5)
    StudyStore.open(store.place.path).add_timing("search", 2.0)
    assert store.timing() == {"search": 3.5}


def test_refuses_a_folder_that_holds_something_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StudyError, match=r"holds thesis.txt"):
        StudyStore.create(tmp_path, settings())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_refuses_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StudyError, match="must be a folder"):
        StudyStore.create(tmp_path / "file", settings())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_refuses_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StudyError, match="must be writable"):
        StudyStore.create(tmp_path / "study", settings())


def test_starts_anew_where_a_kill_came_between_database_and_settings(tmp_path):
    store = StudyStore.create(tmp_path / "s", settings(name="s"))
    (store.place.path / "study.json").unlink()
    assert StudyStore.create(tmp_path / "s", settings(name="s")).trials() == ()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "study.json").unlink(), "no study in it"),
        (lambda path: (path / "study.json").write_text('{"schema": 1'), "study.json cannot be read"),
        (lambda path: (path / "study.json").write_text('{"schema": 1, "name": "s"}'), "study.json cannot be read"),
        (lambda path: (path / "study.json").write_text('{"schema": 99}'), "later version"),
        (lambda path: (path / "study.db").unlink(), "study.db is missing"),
        (lambda path: (path / "study.db").write_bytes(b"not a database" * 100), "study.db cannot be read"),
    ],
)
def test_a_damaged_study_is_refused_and_left_as_it_is(store, damage, message):
    damage(store.place.path)
    before = {path.name: path.read_bytes() for path in store.place.path.iterdir()}
    with pytest.raises(StudyError, match=message):
        StudyStore.open(store.place.path)
    assert {path.name: path.read_bytes() for path in store.place.path.iterdir()} == before


def test_a_second_search_is_refused_with_the_name_of_the_first(store):
    code = (
        "import sys; from pathlib import Path; from tlsearch.search.storage.folder.lock import hold\n"
        "with hold(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(store.place.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        with pytest.raises(StudyError, match=f"process {other.pid} on"), hold(store.place.path):
            pass
        other.kill()
    with hold(store.place.path):  # a holder that died does not count
        assert json.loads((store.place.path / "study.lock.json").read_text())["pid"] == os.getpid()


def test_lists_the_newest_study_first(tmp_path):
    for number, name in enumerate(("old", "new")):
        path = StudyStore.create(tmp_path / name, settings(name=name)).place.path
        os.utime(path / "study.db", (number, number))
    (tmp_path / "other").mkdir()
    assert [path.name for path in list_studies(tmp_path)] == ["new", "old"]
    assert list_studies(tmp_path / "missing") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "the seed was 0, now 1"),
        ({"size": 96}, "the image size was 160, now 96"),
        ({"weights_fingerprint": "x"}, "the weights were imagenet"),
        ({"engine": "keras-tuner"}, "the engine was optuna, now keras-tuner"),
        ({"space": {**settings().space, "dropout": 0.5}}, "the space's dropout was"),
    ],
)
def test_differences_are_named(changes, words):
    (found,) = differences(settings(), settings(**changes))
    assert words in found


def test_name_date_and_version_are_no_difference():
    assert differences(settings(), settings(name="b", created="later", version="9")) == []


def test_what_is_learned_once_is_kept(tmp_path):
    store = StudyStore.create(tmp_path / "photos", settings())
    assert store.notes.test_files() == () and store.notes.profile() is None
    store.notes.keep_test_files(["cats/1.jpg", "dogs/\udcff.jpg"])
    profile = DepthProfile((DepthPoint(8, "expanded_conv", 0.5, (0.4, 0.6)),), 100, 0.5, 0.25)
    store.notes.keep_profile(profile)
    again = StudyStore.open(store.place.path)
    assert again.notes.test_files() == ("cats/1.jpg", "dogs/\udcff.jpg") and again.notes.profile() == profile


@pytest.mark.parametrize("damage", ["", "[]", "null", '{"points": [{}]}', '{"points": 3, "images": 1}'])
def test_a_damaged_profile_is_measured_again(tmp_path, damage):
    store = StudyStore.create(tmp_path / "photos", settings())
    (store.place.path / "similarity.json").write_text(damage)
    assert store.notes.profile() is None
