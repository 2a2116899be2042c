import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.machine import shards as shards_module
from tlsearch.search.machine.shards import Shards, checksum, map_shard


def make(folder, counts, row_shape=(2, 3)):
    whole = np.random.default_rng(0).integers(0, 256, (sum(counts), *row_shape), np.uint8)
    files, first = [], 0
    for number, count in enumerate(counts):
        files.append(folder / f"{number}.npy")
        np.save(files[-1], whole[first : first + count])
        first += count
    return Shards(files, counts, row_shape, np.uint8), whole


@given(data=st.data(), counts=st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_rows_are_those_of_the_whole(tmp_path_factory, data, counts):
    shards, whole = make(tmp_path_factory.mktemp("shards"), counts)
    rows = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=20)) if len(whole) else [], np.int64)
    assert shards.shape == whole.shape and len(shards) == len(whole)
    np.testing.assert_array_equal(shards.take(rows), whole[rows])
    np.testing.assert_array_equal(shards[np.sort(rows)], whole[np.sort(rows)])
    np.testing.assert_array_equal(shards[1:4], whole[1:4])


@pytest.mark.parametrize("rows", [[5], [-1], [0, 99]])
def test_a_row_that_is_not_there_is_an_error(tmp_path, rows):
    with pytest.raises(IndexError, match="from 0 to 4"):
        make(tmp_path, [3, 2])[0].take(np.array(rows))


def test_it_travels_without_its_rows(tmp_path):
    shards, whole = make(tmp_path, [40, 2], row_shape=(100, 100))
    np.testing.assert_array_equal(shards[:], whole)
    assert len(pickle.dumps(shards)) < 1000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(shards))[:], whole)


def test_what_is_given_is_a_copy(tmp_path):
    shards, whole = make(tmp_path, [3, 2])
    shards[:][:] = 0
    np.testing.assert_array_equal(shards[:], whole)


def test_no_more_files_are_mapped_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(shards_module, "MOST_MAPPED", 2)
    shards, whole = make(tmp_path, [1] * 6)
    for _ in range(2):
        np.testing.assert_array_equal(shards[:], whole)
        assert len(shards._mapped) == 2


@pytest.mark.parametrize(("shape", "dtype"), [((4, 3), "u1"), ((5, 3), "i1"), ((5, 4), "u1")])
def test_a_file_that_holds_something_else_is_an_error(tmp_path, shape, dtype):
    np.save(tmp_path / "0.npy", np.zeros((5, 3), "u1"))
    with pytest.raises(ValueError, match="must hold"):
        map_shard(tmp_path / "0.npy", shape, dtype)


def test_a_checksum_is_of_every_byte():
    values = np.arange(12, dtype=np.float16).reshape(3, 4)
    other = values.copy()
    other[2, 3] = -values[2, 3]
    assert checksum(values) == checksum(values.copy()) == checksum(np.asfortranarray(values))
    assert checksum(values) != checksum(other)
