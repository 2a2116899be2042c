"""Studies that are damaged, foreign or of another version: what can be read is reported, and nothing is written."""

import random
import sqlite3

import optuna
import pytest

from tlsearch.reports.answer.summary import summarize
from tlsearch.search.storage.folder.lock import hold
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.study import Study
from tlsearch.spaces.errors import DamagedStudyError, StudyError

from ...reports.factory import whole_study
from ..factory import settings


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return whole_study(tmp_path_factory.mktemp("runs") / "study").place.path


@pytest.fixture
def study(sound):
    database = (sound / "study.db").read_bytes()
    yield sound
    (sound / "study.db").write_bytes(database)


def damage(data, rng):
    kind = rng.choice(["bytes", "page", "cut", "zeros"])
    at = rng.randrange(len(data))
    if kind == "bytes":
        for _ in range(rng.randint(1, 200)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == "page":
        at -= at % 4096
        data[at : at + 4096] = rng.randbytes(4096)
    elif kind == "cut":
        del data[at:]
    else:
        data[at : at + 9000] = bytes(len(data[at : at + 9000]))
    return data


def test_whatever_the_damage_a_report_or_an_error_and_not_a_byte_changed(study):
    rng = random.Random(0)
    good = (study / "study.db").read_bytes()
    read = {0: 0}
    for _ in range(25):
        data = bytes(damage(bytearray(good), rng))
        (study / "study.db").write_bytes(data)
        try:
            summary = summarize(study)
        except DamagedStudyError:
            read[0] += 1
        else:
            assert summary.damage or len(summary.trials) == 6
            read[len(summary.trials)] = read.get(len(summary.trials), 0) + 1
        assert (study / "study.db").read_bytes() == data
        assert not list(study.glob("study.db-*"))
    # Not all is lost in most cases: a third is a lower bound of what was seen.
    assert sum(read.values()) - read[0] >= 8


def test_a_search_refuses_what_a_report_still_reads(study):
    data = bytearray((study / "study.db").read_bytes())
    with sqlite3.connect(study / "study.db") as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trial_intermediate_values'")
    data[4096 * (page - 1) : 4096 * page] = bytes(range(256)) * 16
    (study / "study.db").write_bytes(data)
    with pytest.raises(DamagedStudyError, match="`tlsearch report` shows what can still be read"):
        StudyStore.open(study)
    summary = summarize(study)
    assert len(summary.trials) == 6 and "6 trials could be read" in summary.damage


def test_an_empty_or_foreign_database_is_not_filled(study):
    for data in (b"", _foreign(study.parent / "other.db")):
        (study / "study.db").write_bytes(data)
        with pytest.raises(DamagedStudyError, match="is no storage of Optuna's"):
            StudyStore.open(study)
        with pytest.raises(DamagedStudyError, match="no trials could be read"):
            summarize(study)
        assert (study / "study.db").read_bytes() == data


def _foreign(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS recipes (name TEXT)")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("schema", "words"), [("2", "later version"), ("0", "is damaged"), ('"1"', "is damaged"), ("null", "is damaged")]
)
def test_a_study_of_another_schema_is_refused(tmp_path, schema, words):
    path = StudyStore.create(tmp_path / "s", settings(name="s")).place.path
    text = (path / "study.json").read_text().replace('"schema": 1', f'"schema": {schema}')
    (path / "study.json").write_text(text)
    with pytest.raises(StudyError, match=words):
        StudyStore.open(path)
    assert (path / "study.json").read_text() == text


def test_a_storage_of_another_optuna_is_refused_with_what_to_do(tmp_path):
    path = StudyStore.create(tmp_path / "s", settings(name="s")).place.path
    with sqlite3.connect(path / "study.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
    with pytest.raises(StudyError, match="another version of Optuna"):
        StudyStore.open(path)


def test_trials_of_other_programs_are_left_out(sound, tmp_path):
    store = whole_study(tmp_path / "study")
    study = optuna.load_study(study_name="study", storage=f"sqlite:///{store.place.path / 'study.db'}")
    study.ask()
    assert len(StudyStore.open(store.place.path).trials()) == 6


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "{SCHEMA_VERSION}", "{}", "a b", "'; --", "?mode=memory"])
def test_any_folder_name_is_a_place_and_not_a_url(tmp_path, name):
    StudyStore.create(tmp_path / name, settings(name=name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "study.db").stat().st_size > 0
    assert StudyStore.open(tmp_path / name).trials() == ()


def test_what_a_kill_leaves_in_a_new_folder_is_no_hindrance(tmp_path):
    path = tmp_path / "s"
    path.mkdir()
    for name in (".study.json.123-0123abcd.tmp", "study.db", "study.db-journal", "study.lock"):
        (path / name).write_bytes(b"half")
    StudyStore.create(path, settings(name="s"))
    assert not list(path.glob(".*")) and not (path / "study.db-journal").exists()
    assert StudyStore.open(path).trials() == ()


def test_a_fresh_start_that_was_killed_can_be_given_again(tmp_path):
    store = whole_study(tmp_path / "study")
    (store.place.path / "study.db").unlink()
    Study.delete(store.place.path)
    Study.delete(store.place.path)
    assert [entry.name for entry in store.place.path.iterdir() if not entry.name.startswith("study.lock")] == []


def test_two_that_create_a_study_at_once_share_it(tmp_path, monkeypatch):
    first = StudyStore.create(tmp_path / "s", settings(name="s"))
    # As if it had looked before the first was there.
    monkeypatch.setattr("tlsearch.search.storage.folder.study.FolderStudy.check", lambda place: None)
    second = StudyStore.create(tmp_path / "s", settings(name="s", seed=5))
    assert second.settings == first.settings


def test_drafts_that_a_kill_left_are_removed_by_the_next_holder(tmp_path):
    store = whole_study(tmp_path / "study")
    drafts = [store.place.path / ".timing.json.99-0123abcd.tmp", store.place.path / "confirm" / ".x.npz.99-0123abcd.tmp"]
    mine = store.place.path / "notes.tmp"
    for path in [*drafts, mine]:
        path.touch()
    with hold(store.place.path):
        pass
    assert not any(path.exists() for path in drafts) and mine.exists()
