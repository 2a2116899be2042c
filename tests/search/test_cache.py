import dataclasses
import threading

import numpy as np
import pytest

from tlsearch.search.cache import (
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
        lambda folder: (folder / "00001.npy").write_bytes((folder / "00001.npy").read_bytes()[:-3]),
        lambda folder: _flip(folder / "00000.npy"),
        lambda folder: (folder / "00000.npy").unlink(),
        lambda folder: (folder / "entry.json").write_text("{"),
        lambda folder: (folder / "entry.json").write_text('{"rows": 300}'),
        lambda folder: (folder / "00000.npy").write_bytes(b""),
    ],
    ids=["cut short", "altered", "missing", "index damaged", "index incomplete", "empty"],
)
def test_damage_is_noticed_and_the_entry_removed(cache, values, damage):
    write(cache, values)
    damage(cache.folder / KEY.name)
    with pytest.raises(DamagedEntryError):
        cache.open(KEY)
    assert not cache.has(KEY)


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def test_what_a_kill_has_left_is_removed_by_the_next_one_who_fills(cache, values):
    cache.write_shard(KEY, 0, values[:SHARD_ROWS])
    (cache.folder / KEY.name / ".00001.npy.123-abcd.tmp").write_bytes(b"half of a shard")
    other = dataclasses.replace(KEY, cut=54)
    with cache.filling([other]) as missing:
        assert missing == [other]
        assert not (cache.folder / KEY.name).exists()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_values_are_kept_as_asked_for(cache, values, dtype):
    key = dataclasses.replace(KEY, dtype=dtype)
    write(cache, values, key)
    found = cache.open(key)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.take(np.arange(ROWS)), values.astype(dtype))


def test_pickled_content_is_never_loaded(cache, values):
    write(cache, values)
    np.save(cache.folder / KEY.name / "00000.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DamagedEntryError):
        cache.open(KEY)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EntryKey)])
def test_the_name_depends_on_everything(field):
    other = {"alpha": 0.5, "cut": 99, "folded": False, "view": 1, "dtype": "float32"}.get(field, "other")
    assert dataclasses.replace(KEY, **{field: other}).name != KEY.name


def test_who_comes_second_waits_and_then_finds_it_done(cache, values):
    found = []
    entered = threading.Event()

    def second():
        entered.wait()
        with cache.filling([KEY]) as missing:
            found.extend(missing)

    thread = threading.Thread(target=second)
    thread.start()
    with cache.filling([KEY]) as missing:
        assert missing == [KEY]
        entered.set()
        thread.join(0.3)
        assert thread.is_alive()
        write(cache, values)
    thread.join()
    assert found == []


def test_rows_are_told_apart():
    assert digest_of_rows(np.array([1, 2])) != digest_of_rows(np.array([2, 1]))
