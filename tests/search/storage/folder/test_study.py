"""What is particular to a study in a folder."""

import json
import os
import sqlite3
import subprocess
import sys

import optuna
import pytest

from tlsearch.search.storage.folder.lock import hold
from tlsearch.search.storage.places import list_studies
from tlsearch.search.storage.store import StudyStore
from tlsearch.spaces.errors import DamagedStudyError, StudyError

from ....platforms import needs
from ...factory import add, begin, complete, measurement, recipe, settings, values


@pytest.fixture
def store(tmp_path):
    return StudyStore.create(tmp_path / "photos", settings())


def test_a_note_that_cannot_be_written_is_said(store, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tlsearch.search.storage.folder.files.atomic_write", full)
    with pytest.raises(StudyError, match=r"study's folder must stay and be writable, got .* \(No space left on device\)"):
        store.notes.keep_test_files(["cats/1.jpg"])


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


def test_refuses_a_folder_that_holds_something_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StudyError, match=r"holds thesis.txt"):
        StudyStore.create(tmp_path, settings())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_refuses_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StudyError, match="must be a folder"):
        StudyStore.create(tmp_path / "file", settings())


@needs("os.geteuid")
def test_refuses_a_folder_that_cannot_be_written(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
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


def test_a_trial_in_a_state_that_does_not_exist_is_damage(store):
    add(store, complete(0))
    with sqlite3.connect(store.place.path / "study.db") as connection:
        connection.execute("UPDATE trials SET state = 'ODD'")
    connection.close()
    with pytest.raises(DamagedStudyError, match=r"study.db cannot be read \(a trial is damaged\)"):
        StudyStore.open(store.place.path).trials()


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
