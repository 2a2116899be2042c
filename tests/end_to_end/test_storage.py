"""A study in a shared database through the command: two drivers that really train, and a colleague who has only the URL."""

import json
import os
import subprocess

import optuna
import pytest
from sqlalchemy import make_url

from ..postgres import PASSWORD, QUOTED
from .test_run import OPTIONS, command, photos, tlsearch

__all__ = ["photos"]


def shown(text):
    """Any spelling of the password, or a part of it, in what was shown."""
    return [spelt for spelt in (PASSWORD, QUOTED, "w{0}rd", "p%40ss", "p@ss") if spelt in text]


@pytest.mark.slow
@pytest.mark.trains
def test_two_drivers_search_and_a_colleague_reads(photos, database, tmp_path, monkeypatch):
    monkeypatch.setenv("TLSEARCH_STORAGE", database)
    run = command("run", photos, *OPTIONS, "--trials", 6, "--no-prune", "--confirm", 2, "--workers", 1, "--study", "pets")
    folders = [tmp_path / name for name in ("one", "two")]
    drivers = []
    for folder in folders:
        folder.mkdir()
        own = {**os.environ, "TLSEARCH_CACHE_DIR": str(folder / "cache")}
        drivers.append(subprocess.Popen(run, cwd=folder, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    texts = [driver.communicate(timeout=280) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], texts
    assert not shown(str(texts))
    assert not [path for folder in folders for path in folder.iterdir() if path.name != "cache"], "all of it is in the database"

    # The URL is enough.
    monkeypatch.delenv("TLSEARCH_STORAGE")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = tlsearch("report", "--storage", database, "--study", "pets", "--format", "json", cwd=elsewhere)
    found = json.loads(done.stdout)
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 6
    assert all(len(entry["test_accuracy"]["seeds"]) == 2 for entry in found["techniques"])
    assert found["data"]["skipped"][0]["path"].endswith("broken.jpg") and found["data"]["depth_profile"]
    assert found["study"]["path"].startswith("pets in postgresql://team:***@127.0.0.1")
    page = tlsearch("report", "pets", "--storage", database, "--format", "html", cwd=elsewhere)
    text = tlsearch("report", "--storage", database, cwd=elsewhere)
    listed = tlsearch("studies", "--storage", database, cwd=elsewhere)
    assert "pets" in listed.stdout and "6 complete trials" in text.stdout
    export = tlsearch("export", "pets", "pets.keras", "--technique", "frozen", "--storage", database, cwd=elsewhere)
    assert (elsewhere / "pets.keras").is_file()
    for one in (done, page, text, listed, export):
        assert not shown(one.stdout + one.stderr)
    for path in elsewhere.rglob("*"):
        assert path.is_dir() or not shown(path.read_bytes().decode("utf-8", "replace"))

    url = make_url(database).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    # Optuna fills in templates.
    study = optuna.load_study(study_name="pets", storage=url.replace("{", "{{").replace("}", "}}"))
    assert len(study.trials) == 6 and study.best_value == max(trial["val_accuracy"] for trial in found["trials"])
    study._storage._backend.engine.dispose()


def test_a_database_that_refuses_is_one_line(postgres, tmp_path):
    """With the traceback too, the password is not shown; what else is refused: tests/search/shared/test_connection.py."""
    wrong = postgres.url(password=QUOTED + "x")
    done = tlsearch("report", "--storage", wrong, cwd=tmp_path, code=2)
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1 and not done.stdout
    assert "password authentication failed" in done.stderr and not shown(done.stderr)
    done = tlsearch("--debug", "report", "--storage", wrong, cwd=tmp_path, code=1)
    assert "Traceback" in done.stderr and "authentication failed" in done.stderr and not shown(done.stderr)
