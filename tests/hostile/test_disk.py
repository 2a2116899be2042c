"""Disks that are full or read-only, databases that are locked, folders that vanish: one clear error, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

from tlsearch.search.activations.cache import ActivationCache, EntryKey
from tlsearch.search.storage.folder import database
from tlsearch.search.storage.folder.lock import hold
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import CompleteTrial
from tlsearch.spaces.errors import DataError, StudyError

from ..platforms import needs, require
from ..search.factory import settings
from ..search.fakes import FakePool, searcher


def good(job):
    return 0.5 + (job.seed % 997) / 2000


def search(store, total=6, result=good):
    with hold(store.place.path):
        store.sweep()
        searcher(store, total).run(FakePool(result, count=1))


def finished(path):
    return [trial for trial in StudyStore.open(path).trials() if isinstance(trial, CompleteTrial)]


@contextlib.contextmanager
def mounted(folder, size):
    require("mount")
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    with mounted(tmp_path / "disk", "1m") as folder:
        yield folder


def fill_up(folder):
    with contextlib.suppress(OSError), (folder / "ballast").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_disk_that_fills_up_in_mid_search(small_disk):
    store = StudyStore.create(small_disk / "study", settings(name="study"))

    def fill_after_two(job, done=[]):  # noqa: B006
        done.append(job)
        if len(done) == 3:
            fill_up(small_disk)
        return good(job)

    with pytest.raises(StudyError, match=r"room to grow|must .*be writable.*[Ss]pace|is full"):
        search(store, result=fill_after_two)
    (small_disk / "ballast").unlink()
    kept = finished(store.place.path)
    assert len(kept) == 2
    search(StudyStore.open(store.place.path))
    assert finished(store.place.path)[:2] == kept and len(finished(store.place.path)) == 6


def test_a_full_disk_from_the_start(small_disk):
    fill_up(small_disk)
    with pytest.raises(StudyError, match=r"writable|room to grow"):
        StudyStore.create(small_disk / "study", settings(name="study"))


def test_a_full_disk_while_the_cache_is_written(small_disk):
    cache = ActivationCache(small_disk / "cache")
    key = EntryKey("i", "r", "w", 0.35, 100, True, 0)
    fill_up(small_disk)
    with pytest.raises(OSError, match="No space left"):
        cache.write_shard(key, 0, np.zeros((256, 2000), np.float32))
    assert not cache.has(key)
    assert not [path for path in small_disk.rglob("*") if path.name.endswith(".tmp")]


def test_a_full_disk_while_images_are_decoded(small_disk, make_folder):
    from tlsearch.search.data import open_folder

    photos = make_folder({"cats": 8, "dogs": 8})
    with pytest.raises(DataError, match=r"No space left.*--cache-dir"):
        open_folder(photos, size=512, cache_dir=small_disk, processes=0)
    assert not [path for path in small_disk.rglob("*") if path.name.endswith(".tmp")]


def test_a_disk_that_becomes_read_only(small_disk):
    store = StudyStore.create(small_disk / "study", settings(name="study"))
    search(store, 3)
    kept = finished(store.place.path)
    # Over itself, since the file system as a whole is in use.
    subprocess.run(["mount", "--bind", str(small_disk), str(small_disk)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(small_disk)], check=True)
    with pytest.raises(StudyError, match=r"must be writable, got .*[Rr]ead-only"):
        search(StudyStore.open(store.place.path), 6)
    assert finished(store.place.path) == kept, "it can be read all the same"
    subprocess.run(["umount", "-l", str(small_disk)], check=True)
    search(StudyStore.open(store.place.path), 6)
    assert finished(store.place.path)[:3] == kept and len(finished(store.place.path)) == 6


@needs("os.geteuid")
def test_permission_denied(tmp_path):
    """As a user without rights, since root has them all."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    code = (
        "import sys; from tlsearch.search.machine.paths import cache_root; from tlsearch.spaces.errors import OptionError\n"
        "try: cache_root(sys.argv[1])\n"
        "except OptionError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(folder)]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may write everywhere, and nothing here gives its rights up")
        # Without the right to disregard permissions, but still the owner of what it must read.
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert f"must be writable, got {folder} (Permission denied). Name another with --cache-dir" in done.stdout, done.stderr


@pytest.mark.parametrize("what", ["folder", "database"])
def test_what_is_deleted_in_mid_search(tmp_path, what):
    store = StudyStore.create(tmp_path / "study", settings(name="study"))

    def delete_after_two(job, done=[]):  # noqa: B006
        done.append(job)
        if len(done) == 3:
            shutil.rmtree(store.place.path) if what == "folder" else (store.place.path / "study.db").unlink()
        return good(job)

    with pytest.raises(StudyError, match=r"deleted or moved|the file is gone|is missing"):
        search(store, result=delete_after_two)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr("optuna.storages._rdb.storage.time.sleep", lambda seconds: None)


@pytest.mark.usefixtures("impatient")
def test_a_database_that_another_program_locks(tmp_path):
    store = StudyStore.create(tmp_path / "study", settings(name="study"))
    search(store, 2)
    kept = finished(store.place.path)
    other = sqlite3.connect(store.place.path / "study.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StudyError, match=r"must not be locked by another program .* the same command goes on"):
        search(store, 4)
    with pytest.raises(StudyError, match="must not be locked"):
        StudyStore.open(store.place.path)
    other.execute("ROLLBACK")
    other.close()
    search(StudyStore.open(store.place.path), 4)
    assert finished(store.place.path)[:2] == kept and len(finished(store.place.path)) == 4


def test_a_short_lock_is_waited_for(tmp_path):
    store = StudyStore.create(tmp_path / "study", settings(name="study"))
    other = sqlite3.connect(store.place.path / "study.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    releasing = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
    releasing.start()
    search(store, 1)
    releasing.join()
    other.close()
    assert len(finished(store.place.path)) == 1
