import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.machine.devices import machine_memory
from tlsearch.search.training.order import BLOCK_BYTES, MEMORY_SHARE, WINDOW_BYTES, epoch_order, windowed

SIZES = {"count": st.integers(1, 300), "block": st.integers(1, 20), "window": st.integers(1, 12)}


@given(**SIZES, seed=st.integers(0, 5))
def test_every_row_comes_exactly_once(count, block, window, seed):
    order = windowed(count, np.random.default_rng(seed), block=block, window=window)
    assert sorted(order) == list(range(count))


@given(**SIZES, seed=st.integers(0, 5))
def test_a_seed_gives_one_order(count, block, window, seed):
    one, other = (windowed(count, np.random.default_rng(seed), block=block, window=window) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@given(**SIZES)
def test_what_is_read_at_a_time_is_no_more_than_a_window(count, block, window):
    """Between a block's first row and its last there are no more rows than a window holds."""
    order = windowed(count, np.random.default_rng(0), block=block, window=window)
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    for first in range(0, count, block):
        own = place[first : first + block]
        assert own.max() - own.min() < window * block


def test_a_window_has_blocks_from_all_over_the_disk():
    """100,000 rows in four classes, one after the other on disk, 25 windows: each has each class within a block."""
    labels = np.repeat(np.arange(4), 25_000)
    order = windowed(100_000, np.random.default_rng(0), block=10, window=400)
    for part in order.reshape(25, 4000):
        assert np.abs(np.bincount(labels[part], minlength=4) - 1000).max() <= 10
        # Shuffled: the labels of neighbours tell no more of each other than chance. False failure: 6 standard deviations.
        same = (labels[part[1:]] == labels[part[:-1]]).mean()
        assert abs(same - 0.25) < 6 * np.sqrt(0.25 * 0.75 / 4000)


def test_epochs_differ():
    rng = np.random.default_rng(0)
    first, second = (windowed(1000, rng, block=10, window=10) for _ in range(2))
    assert (first != second).mean() > 0.9


def test_what_fits_in_memory_is_permuted_as_ever():
    """Results of studies that were made before depend on it."""
    rows = np.arange(10, 110)
    order = epoch_order(rows, np.random.default_rng(3), row_bytes=1000, memory=int(100_000 / MEMORY_SHARE))
    np.testing.assert_array_equal(order, np.random.default_rng(3).permutation(rows))


def test_what_does_not_fit_is_read_in_blocks():
    rows = 2 * np.arange(100_000)
    row_bytes = BLOCK_BYTES // 10
    memory = int(100_000 * row_bytes / MEMORY_SHARE) - 100
    order = epoch_order(rows, np.random.default_rng(3), row_bytes=row_bytes, memory=memory)
    assert sorted(order) == list(rows)
    windows = -(-100_000 // (WINDOW_BYTES // row_bytes))
    for window in np.split(order, windows):
        assert len(np.unique(window // 20)) == len(window) // 10, "a window is made of whole blocks of ten"


@pytest.mark.parametrize("row_bytes", [2 * BLOCK_BYTES, 2 * WINDOW_BYTES])
def test_rows_larger_than_a_block_or_a_window_are_rows_all_the_same(row_bytes):
    assert sorted(epoch_order(np.arange(50), np.random.default_rng(0), row_bytes=row_bytes, memory=1000)) == list(range(50))


def test_the_memory_is_the_machines_where_none_is_given():
    """Rows that just fit in its share of it are permuted; with one byte more each they are not."""
    rows = np.arange(1000)
    fitting = int(MEMORY_SHARE * machine_memory()) // len(rows)
    permuted = np.random.default_rng(3).permutation(rows)
    np.testing.assert_array_equal(epoch_order(rows, np.random.default_rng(3), row_bytes=fitting), permuted)
    assert not np.array_equal(epoch_order(rows, np.random.default_rng(3), row_bytes=fitting + 1), permuted)
