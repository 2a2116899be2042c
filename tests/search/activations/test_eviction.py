import json
import multiprocessing
import os
import shutil

import numpy as np
import pytest

from tlsearch.search.activations.cache import SHARD_ROWS, ActivationCache, EntryKey, entries
from tlsearch.search.activations.eviction import affordable, clear, default_limit, in_use, make_room, reserving, using
from tlsearch.search.machine.paths import folder_bytes


def key(cut):
    return EntryKey(images="i", rows="r", weights="w", alpha=0.35, cut=cut, folded=True, view=0)


@pytest.fixture
def cache(tmp_path):
    return ActivationCache(tmp_path / "activations")


def write(cache, cut, last_used, values=100):
    rows = np.zeros((SHARD_ROWS, values), np.float32)
    cache.complete(key(cut), SHARD_ROWS, [cache.write_shard(key(cut), 0, rows)])
    os.utime(cache.folder / key(cut).name / "entry.json", (last_used, last_used))
    return folder_bytes(cache.folder / key(cut).name)


def test_the_least_recently_used_entries_go_first_and_no_more_than_need_be(cache):
    size = sum(write(cache, cut, last_used=cut) for cut in (1, 2, 3, 4)) // 4
    cache.open(key(1))  # used just now
    freed = make_room(cache.folder, needed=size, limit=3 * size + 10)
    assert freed == pytest.approx(2 * size, abs=20)
    assert [cache.has(key(cut)) for cut in (1, 2, 3, 4)] == [True, False, False, True]


def test_nothing_goes_while_there_is_room(cache):
    size = write(cache, 1, last_used=1)
    assert make_room(cache.folder, needed=size, limit=2 * size) == 0
    assert cache.has(key(1))


def test_what_is_in_use_stays_even_if_the_limit_is_exceeded(cache):
    for cut in (1, 2):
        write(cache, cut, last_used=cut)
    with using(cache, [key(1), key(9)]):
        assert in_use(cache.folder) == {key(1).name: 0, key(9).name: 0}
        make_room(cache.folder, needed=10**9, limit=0)
        assert (cache.has(key(1)), cache.has(key(2))) == (True, False)
        assert clear(cache.folder) == (0, folder_bytes(cache.folder / key(1).name))
    assert in_use(cache.folder) == {}
    assert clear(cache.folder)[0] > 0 and not entries(cache.folder)
    assert not list((cache.folder / "uses").iterdir())


def _use_and_die(folder, started):
    with using(ActivationCache(folder), [key(1)]):
        started.send(None)
        os.kill(os.getpid(), 9)


def test_what_a_killed_search_used_is_free_again(cache):
    write(cache, 1, last_used=1)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_use_and_die, args=(cache.folder, theirs))
    process.start()
    process.join()
    assert ours.poll() and process.exitcode == -9
    assert json.loads(next((cache.folder / "uses").glob("*.json")).read_text()) == {key(1).name: 0}
    assert in_use(cache.folder) == {}
    assert not list((cache.folder / "uses").iterdir())


def test_the_cheapest_cuts_are_afforded_first(cache):
    sizes = {54: 60, 98: 30, 155: 20}
    assert affordable(sizes, cache.folder, limit=109) == {155, 98}
    assert affordable(sizes, cache.folder, limit=110) == {155, 98, 54}
    assert affordable(sizes, cache.folder, limit=0) == set()


def test_what_is_there_already_of_an_entry_is_part_of_its_size(cache):
    begun = write(cache, 1, last_used=1)
    with using(cache, [key(1)]):
        assert affordable({1: 2 * begun}, cache.folder, 2 * begun, replaced={key(1).name}) == {1}
        assert affordable({1: 2 * begun}, cache.folder, 2 * begun) == set()


def test_an_unfinished_entry_goes_like_any_other(cache):
    write(cache, 1, last_used=1)
    (cache.folder / key(1).name / "entry.json").unlink()
    size = write(cache, 2, last_used=2**33)
    assert [entry.name for entry in entries(cache.folder)] == [key(1).name, key(2).name]
    make_room(cache.folder, needed=0, limit=size)
    assert [entry.name for entry in entries(cache.folder)] == [key(2).name]


def test_what_others_use_leaves_less_room(cache):
    size = write(cache, 1, last_used=1)
    with using(cache, [key(1)]):
        assert affordable({98: 30}, cache.folder, limit=size + 29) == set()
        assert affordable({98: 30}, cache.folder, limit=size + 30) == {98}


def test_what_others_are_about_to_write_leaves_less_room(cache):
    size = write(cache, 1, last_used=1)
    with using(cache, [key(2)]), reserving(cache, {key(2): 1000}):
        assert affordable({98: 30}, cache.folder, limit=1029) == set()
        assert affordable({98: 30}, cache.folder, limit=1030) == {98}
        assert affordable({98: 30}, cache.folder, limit=30, replaced={key(2).name}) == {98}
        assert make_room(cache.folder, needed=30, limit=size + 1030) == 0
        assert make_room(cache.folder, needed=30, limit=size + 1029) == size
    assert affordable({98: 30}, cache.folder, limit=30) == {98}


def test_the_entries_that_version_0_1_uses_are_protected_too(cache):
    with using(cache, [key(1)]):
        (note,) = (cache.folder / "uses").glob("*.json")
        note.write_text(json.dumps([key(1).name, key(2).name]))
        assert in_use(cache.folder) == {key(1).name: 0, key(2).name: 0}


def test_the_default_is_half_of_what_the_disk_could_give(cache, monkeypatch):
    size = write(cache, 1, last_used=1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    assert default_limit(cache.folder) == (1000 + size) // 2
    assert default_limit(cache.folder / "not" / "there") == 500
    assert default_limit(cache.folder / "not" / "there", spoken_for=600) == 200
    assert default_limit(cache.folder / "not" / "there", spoken_for=1600) == 0


def test_only_entries_are_ever_removed(cache):
    write(cache, 1, last_used=1)
    (cache.folder / "notes").mkdir()
    (cache.folder / "notes" / "entry.json").write_text("not ours")
    clear(cache.folder)
    assert (cache.folder / "notes" / "entry.json").exists()
