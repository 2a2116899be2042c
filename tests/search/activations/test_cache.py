import dataclasses
import threading

import numpy as np
import pytest

from tlsearch.search.activations.cache import (
    SHARD_ROWS,
    ActivationCache,
    DamagedEntryError,
    EntryKey,
    digest_of_rows,
    shard_rows,
    shards_of,
)

KEY = EntryKey(images="i", rows="r", weights="w", alpha=0.35, cut=98, folded=True, view=0)
ROWS = SHARD_ROWS + 44


@pytest.fixture
def cache(tmp_path):
    return ActivationCache(tmp_path / "activations")


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(ROWS, 6)).astype(np.float32)


def write(cache, values, key=KEY):
    checksums = [cache.write_shard(key, shard, values[shard_rows(shard, len(values))]) for shard in shards_of(len(values))]
    cache.complete(key, len(values), checksums)


def test_gives_back_rows_in_the_order_asked_for(cache, values):
    write(cache, values)
    rows = np.array([299, 0, 256, 255, 0])
    np.testing.assert_array_equal(cache.open(KEY).take(rows), values[rows].astype(np.float16))


def test_is_there_once_it_is_complete_and_not_before(cache, values):
    for shard in shards_of(ROWS):
        cache.write_shard(KEY, shard, values[shard_rows(shard, ROWS)])
        assert not cache.has(KEY)
    with pytest.raises(DamagedEntryError):
        cache.open(KEY)


def test_values_beyond_float16_are_set_to_its_limit(cache):
    write(cache, np.array([[1e6, -1e6, 1.0]], np.float32))
    np.testing.assert_array_equal(cache.open(KEY).take(np.array([0])), np.array([[65504, -65504, 1]], np.float16))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: _shard(folder, 1).write_bytes(_shard(folder, 1).read_bytes()[:-3]),
        lambda folder: _flip(_shard(folder, 0)),
        lambda folder: _shard(folder, 0).unlink(),
        lambda folder: (folder / "entry.json").write_text("{"),
        lambda folder: (folder / "entry.json").write_text('{"rows": 300}'),
        lambda folder: _shard(folder, 0).write_bytes(b""),
        lambda folder: (folder / "entry.json").write_text('{"rows": 300, "checksums": []}'),
        lambda folder: (folder / "entry.json").write_text('{"rows": 300, "checksums": {"0": 1}}'),
        lambda folder: (folder / "entry.json").write_text('{"rows": 0, "checksums": []}'),
        lambda folder: np.save(_shard(folder, 0), np.float16(1)),
    ],
    ids=[
        "cut short",
        "altered",
        "missing",
        "index damaged",
        "index incomplete",
        "empty",
        "no shards",
        "no list",
        "no rows",
        "scalar",
    ],
)
def test_damage_is_noticed_and_the_entry_counts_as_unfinished(cache, values, damage):
    write(cache, values)
    damage(cache.folder / KEY.name)
    with pytest.raises(DamagedEntryError):
        cache.open(KEY)
    assert not cache.has(KEY)


@pytest.mark.parametrize("damaged", [0, 1])
def test_only_the_damaged_shard_is_to_be_written_again(cache, values, damaged):
    write(cache, values)
    whole = cache.finished(KEY, ROWS)
    assert sorted(whole) == [0, 1]
    _flip(_shard(cache.folder / KEY.name, damaged))
    with pytest.raises(DamagedEntryError):
        cache.open(KEY)
    assert cache.finished(KEY, ROWS) == {1 - damaged: whole[1 - damaged]}
    assert len(list((cache.folder / KEY.name).glob("*.npy"))) == 1, "the damaged file is gone"


def _shard(folder, number):
    (path,) = folder.glob(f"{number:05}-*.npy")
    return path


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def test_whole_shards_outlast_a_kill_and_drafts_do_not(cache, values):
    crc = cache.write_shard(KEY, 0, values[:SHARD_ROWS])
    (cache.folder / KEY.name / ".00001-01234567.npy.123-0123abcd.tmp").write_bytes(b"half of a shard")
    with cache.filling([dataclasses.replace(KEY, cut=54)]):
        assert cache.finished(KEY, ROWS) == {0: crc}
    with cache.filling([KEY]) as missing:
        assert missing == [KEY]
        assert cache.finished(KEY, ROWS) == {0: crc}
        assert len(list((cache.folder / KEY.name).iterdir())) == 1


@pytest.mark.parametrize("rows", [ROWS, SHARD_ROWS + 43, SHARD_ROWS])
def test_a_shard_of_other_rows_is_not_whole(cache, values, rows):
    write(cache, values)
    assert len(cache.finished(KEY, rows)) == (2 if rows == ROWS else 1)


def test_a_file_with_a_foreign_name_is_let_alone(cache, values):
    write(cache, values)
    foreign = cache.folder / KEY.name / "mine.npy"
    np.save(foreign, values)
    assert len(cache.finished(KEY, ROWS)) == 2 and foreign.exists()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_values_are_kept_as_asked_for(cache, values, dtype):
    key = dataclasses.replace(KEY, dtype=dtype)
    write(cache, values, key)
    found = cache.open(key)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.take(np.arange(ROWS)), values.astype(dtype))


def test_pickled_content_is_never_loaded(cache, values):
    write(cache, values)
    np.save(_shard(cache.folder / KEY.name, 0), np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DamagedEntryError):
        cache.open(KEY)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EntryKey)])
def test_the_name_depends_on_everything(field):
    other = {"alpha": 0.5, "cut": 99, "folded": False, "view": 1, "dtype": "float32"}.get(field, "other")
    assert dataclasses.replace(KEY, **{field: other}).name != KEY.name


def _fill(folder, keys, waiting, missing):
    with ActivationCache(folder).filling(keys, on_wait=waiting.set) as found:
        missing.extend(found)


def test_who_comes_second_says_that_it_waits_and_then_finds_it_done(cache, values):
    waiting, missing = threading.Event(), ["not yet"]
    with cache.filling([KEY]) as ours:
        assert ours == [KEY]
        second = threading.Thread(target=_fill, args=(cache.folder, [KEY], waiting, missing))
        second.start()
        assert waiting.wait(10) and missing == ["not yet"]
        write(cache, values)
    second.join(10)
    assert not second.is_alive() and missing == ["not yet"]


def test_other_entries_are_filled_meanwhile_without_waiting(cache):
    other, waiting, missing = dataclasses.replace(KEY, images="other"), threading.Event(), []
    with cache.filling([KEY]):
        second = threading.Thread(target=_fill, args=(cache.folder, [other], waiting, missing))
        second.start()
        second.join(10)
        assert missing == [other] and not waiting.is_set()


def test_two_that_lock_the_same_entries_in_another_order_never_wait_for_each_other(cache):
    keys = [dataclasses.replace(KEY, cut=cut) for cut in range(8)]
    rounds = 20

    def fill(mine):
        for _ in range(rounds):
            with ActivationCache(cache.folder).filling(mine) as missing:
                counts.append(len(missing))

    counts = []
    threads = [threading.Thread(target=fill, args=(mine,), daemon=True) for mine in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts == [8] * 2 * rounds


def test_rows_are_told_apart():
    assert digest_of_rows(np.array([1, 2])) != digest_of_rows(np.array([2, 1]))
