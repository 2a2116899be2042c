"""What every place for studies promises: add yours to ``PLACES``."""

import json
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import optuna
import pytest

from tlsearch.search.depth_profile import DepthPoint, DepthProfile
from tlsearch.search.machine.devices import Device
from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.folder.study import FolderStudy
from tlsearch.search.storage.places import list_studies
from tlsearch.search.storage.shared.studies import SharedStudy
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import Confirmation, FailedTrial, RunningTrial
from tlsearch.spaces.errors import DamagedStudyError, StudyError

from ..search.factory import add, begin, complete, failed, measurement, pruned, recipe, settings, traceback_of, values

PLACES = {
    "folder": lambda request: FolderStudy(request.getfixturevalue("tmp_path") / "photos"),
    "database": lambda request: SharedStudy(parse_storage(request.getfixturevalue("database")), "photos"),
}


@pytest.fixture(params=PLACES)
def place(request):
    return PLACES[request.param](request)


@pytest.fixture
def store(place):
    return StudyStore.create(place, settings())


def without_times(trial):
    fields = {name: getattr(trial, name) for name in type(trial).__dataclass_fields__ if name not in ("started", "ended")}
    return repr(fields)  # in which NaN equals NaN


def confirmation(**changes):
    fields = {"trial": 3, "seed": 17, "seconds": 2.5, "val_score": 0.9, "scores": {"accuracy": 0.5}, "predictions": ""}
    return Confirmation(recipe=recipe(), **{**fields, **changes})


def test_is_there_once_it_is_made_until_it_is_deleted(place):
    assert not place.exists()
    place.check()
    with pytest.raises(StudyError, match=r"STUDY must be .* \(no such|must hold studies"):
        place.settings()
    store = StudyStore.create(place, settings())
    assert place.exists() and place.name == "photos" and place.settings() == settings() == StudyStore.open(place).settings
    add(store, complete(0))
    place.check(fresh=True)
    place.delete()
    place.delete()
    assert not place.exists()
    with pytest.raises(StudyError, match="STUDY must be"):
        StudyStore.open(place)


def test_of_two_who_make_it_the_second_opens_what_the_first_has_made(place, store):
    assert StudyStore.create(place, settings(seed=5)).settings == settings()


def test_places_are_equal_by_what_they_name(place):
    assert place == type(place)(*(getattr(place, name) for name in type(place).__dataclass_fields__))
    assert str(place) in place.address


def test_the_one_that_was_written_to_last_is_listed_first(place, store):
    where = place.storage if isinstance(place, SharedStudy) else place.path.parent
    other = SharedStudy(place.storage, "cars") if isinstance(place, SharedStudy) else FolderStudy(place.path.parent / "cars")
    newer = StudyStore.create(other, settings(name="cars"))
    add(newer, complete(0))
    newer.notes.keep_test_files(["a"])
    assert list_studies(where) == [other, place]
    time.sleep(0.01)  # as much later as the clocks of file systems can tell
    store.notes.keep_test_files(["a"])
    add(store, complete(0))
    assert list_studies(where) == [place, other]


def test_gives_back_what_was_recorded(place, store):
    trials = [
        complete(0),
        pruned(1, "fine-tune"),
        failed(2, "full", curve=(measurement(1, 0.5, val_loss=float("nan")),)),
        failed(3, interrupted=True),
        complete(4, "full", head_c=0.01),
    ]
    for trial in trials:
        assert add(store, trial, str(trial.recipe.technique))
    again = StudyStore.open(place)
    assert [type(trial) for trial in again.trials()] == [type(trial) for trial in trials]
    assert [without_times(trial) for trial in again.trials()] == [without_times(trial) for trial in trials]
    assert again.values()[1] == values("fine-tune")


def test_a_trial_that_begins_is_seen_by_everybody(place, store):
    begun = begin(store, values("fine-tune"), recipe("fine-tune"), seed=9, worker="worker-1")
    assert begun.number == 0 and store.recorder.owns(0)
    (seen,) = StudyStore.open(place).trials()
    assert isinstance(seen, RunningTrial) and without_times(seen) == without_times(begun)
    assert store.begin(lambda: None) is None and len(store.trials()) == 1


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be changed here")
def test_times_are_in_utc_wherever_the_clock_stands(place, store, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        add(store, complete(0))
        (trial,) = StudyStore.open(place).trials()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert trial.started <= trial.ended
    assert all(abs(moment - datetime.now(UTC)) < timedelta(minutes=5) for moment in (trial.started, trial.ended))


def test_trials_that_nobody_trains_any_more_are_recorded_as_interrupted(place, store):
    kept, lost = (begin(store, values(), recipe(), seed=seed) for seed in (1, 2))
    (swept,) = store.sweep({kept.number})
    assert swept.number == lost.number and swept.interrupted
    running, cut_off = StudyStore.open(place).trials()
    assert isinstance(running, RunningTrial) and isinstance(cut_off, FailedTrial) and cut_off.interrupted
    assert store.sweep({kept.number}) == ()


def test_optuna_opens_it_as_it_is(store):
    add(store, complete(0))
    number = begin(store, values("fine-tune"), recipe("fine-tune"), seed=9).number
    store.measure(number, measurement(1, 0.61))
    store.measure(number, measurement(2, float("nan")))
    storage = store.recorder.storage(optuna.storages.RDBStorage)
    study = optuna.load_study(study_name="photos", storage=storage)
    assert study.best_value == 0.8 and study.best_params == values()
    assert study.trials[1].intermediate_values == {1: 0.61}
    assert study.trials[1].params["fine-tune/fine_tune_at"] == 100
    assert study.trials[0].user_attrs["technique"] == "frozen"
    storage.engine.dispose()


def test_log_loss_is_minimised(place):
    storage = StudyStore.create(place, settings(metric="log_loss")).recorder.storage(optuna.storages.RDBStorage)
    assert optuna.load_study(study_name="photos", storage=storage).direction is optuna.study.StudyDirection.MINIMIZE
    storage.engine.dispose()


def test_trials_of_other_programs_are_left_out(place, store):
    storage = store.recorder.storage(optuna.storages.RDBStorage)
    optuna.load_study(study_name="photos", storage=storage).ask()
    storage.engine.dispose()
    assert begin(store, values(), recipe(), seed=1).number == 1
    assert [trial.number for trial in StudyStore.open(place).trials()] == [1]


def test_a_trial_of_a_later_version_is_refused_and_a_damaged_one_is_said(store):
    number = begin(store, values(), recipe(), seed=1).number
    storage = store.recorder.storage(optuna.storages.RDBStorage)
    trial_id = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name("photos"), number)
    storage.set_trial_user_attr(trial_id, "seed", "one")
    with pytest.raises(DamagedStudyError, match=r"trial 0 cannot be read \(Expected `int`, got `str` - at `\$.seed`\)"):
        store.trials()
    storage.set_trial_user_attr(trial_id, "schema", 2)
    with pytest.raises(StudyError, match=r"^trial 0 was made by a later version of tlsearch"):
        store.trials()
    storage.engine.dispose()


def test_confirmations_keep_their_predictions(place, store):
    probabilities, labels = np.full((4, 2), 0.5, np.float32), np.array([0, 1, 0, 1])
    assert store.recorder.claim("confirm 3 17")
    stored = store.confirm(confirmation(), probabilities, labels, claim="confirm 3 17")
    assert stored == confirmation(predictions=stored.predictions)
    again = StudyStore.open(place)
    assert again.confirmations() == (stored,)
    for kept, given in zip(again.predictions(stored), (probabilities, labels), strict=True):
        np.testing.assert_array_equal(kept, given)
        assert kept.dtype == given.dtype


def test_a_damaged_confirmation_is_said(store):
    store.files.write({"confirm/frozen-00003-17.json": b'{"trial": '})
    with pytest.raises(DamagedStudyError, match=r"confirm/frozen-00003-17\.json cannot be read \(no JSON"):
        store.confirmations()


def test_predictions_that_are_missing_are_damage(store):
    with pytest.raises(DamagedStudyError, match=r"confirm/gone\.npz cannot be read"):
        store.predictions(confirmation(predictions="confirm/gone.npz"))


def test_what_is_learned_once_is_kept(place, store):
    assert store.notes.test_files() == () and store.notes.profile() is None and store.notes.runs() == ()
    assert store.notes.weights_file() == ("", False)
    store.notes.keep_test_files(["cats/1.jpg", "dogs/\udcff.jpg"])
    store.notes.keep_weights_file("weights.h5", downloaded=True)
    store.notes.keep_run(Device("tensorflow"), 2)
    profile = DepthProfile((DepthPoint(8, "expanded_conv", 0.5, (0.4, 0.6)),), 100, 0.5, 0.25)
    store.notes.keep_profile(profile)
    again = StudyStore.open(place).notes
    assert again.test_files() == ("cats/1.jpg", "dogs/\udcff.jpg") and again.profile() == profile
    assert again.weights_file() == ("weights.h5", True)
    again.keep_run(Device("jax"), 3)
    runs = [(run.device.backend, run.workers) for run in store.notes.runs()]
    assert sorted(runs) == [("jax", 3), ("tensorflow", 2)], "drivers have no order"


@pytest.mark.parametrize("damage", ["", "[]", "null", '{"points": [{}]}', '{"points": 3, "images": "1"}'])
def test_a_damaged_note_was_not_taken(store, damage):
    notes = ("similarity.json", "test_files.json", "weights.json", "runs.json", "timing.json")
    store.files.write(dict.fromkeys(notes, damage.encode()))
    assert store.notes.profile() is None and store.notes.test_files() == () and store.notes.weights_file() == ("", False)
    assert store.notes.runs() == () and store.notes.timing() == {}


def test_seconds_add_up_over_all_drivers(place, store):
    store.notes.add_timing("search", 1.5)
    store.notes.add_timing("wall", 3.0)
    StudyStore.open(place).notes.add_timing("search", 2.0)
    store.notes.add_timing("search", 0.25)
    assert store.notes.timing() == {"search": 3.75, "wall": 3.0}


def test_the_traceback_of_a_failed_trial_is_kept_and_said_where(place, store):
    assert traceback_of(store, 7) is None
    where = store.keep_traceback(7, "Traceback: 'a\udcff'")
    assert where == store.files.where("errors/trial-00007.txt")
    store.keep_traceback(7, "Fatal Python error", seed=12)
    again = StudyStore.open(place)
    assert traceback_of(again, 7) == "Traceback: 'a\\udcff'" and traceback_of(again, 7, seed=12) == "Fatal Python error"


def test_files_are_replaced_whole_and_listed_by_folder(store):
    assert store.files.names("confirm") == [] and store.files.total_bytes("confirm") == 0
    store.files.write({"confirm/b": b"12", "confirm/a": b"1"})
    store.files.write({"confirm/b": b"123"})
    store.files.write({"confirmed.json": json.dumps(1).encode()})
    assert store.files.names("confirm") == ["confirm/a", "confirm/b"] and store.files.total_bytes("confirm") == 4
    assert store.files.read("confirm/b") == b"123"
    with pytest.raises(FileNotFoundError):
        store.files.read("confirm/c")


def test_a_claim_is_free_again_when_it_is_released(store):
    with store.hold():
        assert store.recorder.claim("confirm 1 1") and store.recorder.claim("confirm 1 1"), "whoever has it may ask again"
        store.recorder.release("confirm 1 1")
        assert store.recorder.claim("confirm 1 1")


def test_damaged_settings_are_said(place, store):
    store.files.write({"study.json": b"x"})
    with pytest.raises(DamagedStudyError, match=r"photos.* is damaged: study\.json cannot be read \(no JSON"):
        StudyStore.open(place)
