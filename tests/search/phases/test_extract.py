"""The extract phase with a worker that extracts in this process."""

import dataclasses
import shutil
import threading
import time

import pytest

from tlsearch.search.activations import cache as cache_module
from tlsearch.search.activations.cache import entries
from tlsearch.search.activations.cache_plan import cuts_that_pay
from tlsearch.search.activations.eviction import in_use
from tlsearch.search.activations.extract import Extractor
from tlsearch.search.activations.passes import passes
from tlsearch.search.context import Context
from tlsearch.search.events import PhaseAdvanced, PhaseEnded, PhaseStarted, Warned
from tlsearch.search.machine.paths import folder_bytes
from tlsearch.search.phases.extract import CacheFiller
from tlsearch.search.workers.messages import Extracted
from tlsearch.search.workers.pool import TaskFailedError
from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.network import POOL
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network, weights_fingerprint
from tlsearch.spaces.ranges import OneOf
from tlsearch.spaces.space import SearchSpace

from ..factory import striped_dataset

pytestmark = pytest.mark.trains
SPEC = BackboneSpec(0.35, 32, "starter")
SPACE = SearchSpace(fine_tune_at=OneOf((134, 143)))
CUTS = frozenset({POOL + 1, 134, 143})


@pytest.fixture(scope="module")
def network():
    return load_network(SPEC, SPEC.locate())


@pytest.fixture
def context(tmp_path):
    weights = SPEC.locate()
    fingerprint = weights_fingerprint(SPEC, weights)
    return Context(striped_dataset(tmp_path), SPEC, weights, fingerprint, tmp_path / "cache", 0, "accuracy")


class Pool:
    """One worker; ``fails`` may give an error in place of a shard."""

    def __init__(self, context, network, fails=lambda task: None):
        self.extractor, self.fails, self.tasks = Extractor(context, network), fails, []

    def share(self, keys):
        self.shared = [key.name for key in keys]

    def map(self, tasks, *, at_cache):
        assert at_cache
        for task in tasks:
            self.tasks.append(task)
            if error := self.fails(task):
                raise TaskFailedError(error)
            yield task, Extracted(self.extractor.shard(task.work, task.shard))


@pytest.fixture
def fill(context, network):
    def fill(rows="search", context=context, **options):
        heard, pool = [], Pool(context, network, **options)
        values_at = cuts_that_pay(fold(network), SPACE.cuts)
        with CacheFiller(pool, context, SPACE, values_at, heard.append) as filler:
            cuts = filler.fill(rows)
            assert cuts == frozenset() or len(in_use(context.cache)) == 2 * len(CUTS), "what is filled is protected"
        return cuts, pool.tasks, [event.message for event in heard if isinstance(event, Warned)]

    return fill


def test_one_pass_fills_every_cut_and_the_next_search_finds_them(fill, context):
    cuts, tasks, warnings = fill()
    assert cuts == CUTS and warnings == []
    assert [set(task.work.cuts) for task in tasks] == [CUTS]
    assert fill() == (CUTS, [], [])
    assert in_use(context.cache) == {}


def test_the_test_split_is_filled_when_asked_for_and_not_before(fill, context):
    _, tasks, _ = fill()
    assert not set(tasks[0].work.rows) & set(context.dataset.test)
    _, tasks, _ = fill("test")
    assert set(tasks[0].work.rows) == set(context.dataset.test)


def test_only_what_is_missing_is_computed(fill, context):
    fill()
    shutil.rmtree(entries(context.cache)[0])
    cuts, tasks, _ = fill()
    assert cuts == CUTS
    assert [len(task.work.cuts) for task in tasks] == [1]


def test_what_two_passes_share_is_computed_by_one_of_them(context, network):
    """Two workers would else write one file at once, with values that differ in their last digits."""
    space = SPACE.replace(batch_norm=OneOf(("folded", "inference")))
    pool = Pool(context, network)
    values_at = cuts_that_pay(fold(network), space.cuts)
    with CacheFiller(pool, context, space, values_at, lambda event: None) as filler:
        assert filler.fill("search") == CUTS
    keys = [key for task in pool.tasks for key in task.work.keys(context)]
    assert len(keys) == len(set(keys)) == 5


def test_float16_and_float32_are_different_entries(fill, context):
    fill()
    half = folder_bytes(context.cache)
    cuts, _, _ = fill(context=dataclasses.replace(context, cache_dtype="float32"))
    assert cuts == CUTS
    assert folder_bytes(context.cache) == pytest.approx(3 * half, rel=0.1)


def test_the_dearest_cuts_are_left_out_where_they_do_not_fit_and_that_is_said(fill, context, network):
    values_at = cuts_that_pay(fold(network), SPACE.cuts)
    dearest = max(CUTS, key=values_at.__getitem__)
    all_of_them = 2 * sum(values_at.values()) * len(context.search_rows())
    cuts, tasks, (warning,) = fill(context=dataclasses.replace(context, cache_limit=all_of_them - 1))
    assert cuts == CUTS - {dearest}
    assert {cut for task in tasks for cut in task.work.cuts} == cuts
    assert "Activations at 1 of 3 cuts do not fit" in warning
    assert "--cache-limit" in warning and "train from pixels" in warning


def test_an_older_search_makes_room(fill, context):
    fill(context=dataclasses.replace(context, weights_fingerprint="other"))
    taken = folder_bytes(context.cache)
    cuts, _, warnings = fill(context=dataclasses.replace(context, cache_limit=taken + 1000))
    assert cuts == CUTS and warnings == []
    assert len(entries(context.cache)) == len(CUTS)


def test_a_full_disk_turns_caching_off_with_a_warning(fill, context):
    cuts, tasks, (warning,) = fill(fails=lambda task: "OSError: No space left on device")
    assert cuts == frozenset() and len(tasks) == 1
    assert "No space left on device" in warning and "train from pixels" in warning
    assert entries(context.cache) == []


def test_what_is_complete_is_shared_with_every_worker(context, network):
    pool = Pool(context, network)
    with CacheFiller(pool, context, SPACE, cuts_that_pay(fold(network), SPACE.cuts), lambda event: None) as filler:
        filler.fill("search")
        assert sorted(pool.shared) == sorted(entry.name for entry in entries(context.cache))


def test_a_cache_that_cannot_be_written_turns_caching_off_with_a_warning(fill, context):
    context.cache.write_text("a file where a folder must be")
    cuts, tasks, (warning,) = fill()
    assert (cuts, tasks) == (frozenset(), [])
    assert "not cached" in warning


def test_progress_counts_images(context, network):
    heard, pool, began = [], Pool(context, network), time.monotonic()
    with CacheFiller(pool, context, SPACE, cuts_that_pay(fold(network), SPACE.cuts), heard.append) as filler:
        filler.fill("search")
    assert [event.done for event in heard if isinstance(event, PhaseAdvanced)] == [len(context.search_rows())]
    (ended,) = [event for event in heard if isinstance(event, PhaseEnded)]
    assert 0 < ended.seconds < time.monotonic() - began


class TestTwoSearchesAtOnce:
    """The first stands still in its first shard until it may go on."""

    @pytest.fixture
    def first(self, context, network):
        begun, go_on, found = threading.Event(), threading.Event(), []

        def hold(task):
            begun.set()
            assert go_on.wait(60)

        def fill():
            found.append(self.fill(context, network, [], hold))

        thread = threading.Thread(target=fill)
        thread.start()
        assert begun.wait(60)

        def end():
            go_on.set()
            thread.join(60)
            return found[0]

        yield end
        end()

    @staticmethod
    def fill(context, network, heard, fails=lambda task: None, on_warning=lambda: None):
        def listen(event):
            if isinstance(event, Warned):
                heard.append(event.message)
                on_warning()

        pool = Pool(context, network, fails)
        with CacheFiller(pool, context, SPACE, cuts_that_pay(fold(network), SPACE.cuts), listen) as filler:
            return filler.fill("search"), len(pool.tasks)

    def test_on_the_same_images_the_second_waits_and_says_so(self, first, context, network):
        heard = []
        assert self.fill(context, network, heard, on_warning=first) == (CUTS, 0)
        assert heard == ["Waiting for another search that computes the same activations."]
        assert first() == (CUTS, 1)

    def test_on_other_images_the_second_does_not_wait(self, first, context, network):
        heard = []
        assert self.fill(dataclasses.replace(context, weights_fingerprint="other"), network, heard) == (CUTS, 1)
        assert heard == []

    def test_both_together_keep_to_the_limit(self, first, context, network):
        """The second leaves the room that the first will take."""
        values_at = cuts_that_pay(fold(network), SPACE.cuts)
        room = 2 * sum(values_at.values()) * len(context.search_rows())
        other = dataclasses.replace(context, weights_fingerprint="other", cache_limit=2 * room - 1)
        cuts, _ = self.fill(other, network, [])
        assert cuts == CUTS - {max(CUTS, key=values_at.__getitem__)}


class TestResume:
    """Ten rows a shard, four shards; the pass is cut off after some."""

    @pytest.fixture(autouse=True)
    def ten_rows_a_shard(self, monkeypatch):
        monkeypatch.setattr(cache_module, "SHARD_ROWS", 10)

    def cut_off(self, context, network, after):
        def kill(task):
            if task.shard == after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.run(context, network, kill)

    def run(self, context, network, fails=lambda task: None):
        heard, pool = [], Pool(context, network, fails)
        with CacheFiller(pool, context, SPACE, cuts_that_pay(fold(network), SPACE.cuts), heard.append) as filler:
            return filler.fill("search"), pool.tasks, heard

    def values(self, context):
        """Every entry's values by its name."""
        cache = cache_module.ActivationCache(context.cache)
        keys = [
            key for work in passes(context, "search", sorted(CUTS), folded=True, augment=False) for key in work.keys(context)
        ]
        return {key: cache.open(key)[:] for key in keys}

    def test_goes_on_at_the_last_whole_shard_with_the_same_values(self, context, network, tmp_path):
        self.cut_off(context, network, after=2)
        assert len(entries(context.cache)) == len(CUTS)
        cuts, tasks, heard = self.run(context, network)
        assert cuts == CUTS and [task.shard for task in tasks] == [2, 3]
        started = next(event for event in heard if isinstance(event, PhaseStarted))
        assert (started.total, started.done) == (32, 20)
        assert [event.done for event in heard if isinstance(event, PhaseAdvanced)] == [30, 32]

        whole = dataclasses.replace(context, cache=tmp_path / "other")
        self.run(whole, network)
        for (key, found), expected in zip(self.values(context).items(), self.values(whole).values(), strict=True):
            assert len(found) == 32, key
            assert (found == expected).all(), key

    @pytest.mark.parametrize("entry", range(len(CUTS)))
    def test_a_shard_that_some_entries_lack_is_computed_for_all(self, context, network, entry):
        """As where the kill came between two of a shard's files."""
        self.cut_off(context, network, after=2)
        next(entries(context.cache)[entry].glob("00001-*.npy")).unlink()
        cuts, tasks, _ = self.run(context, network)
        assert cuts == CUTS and [task.shard for task in tasks] == [1, 2, 3]
        assert all(len(list(entry.glob("*.npy"))) == 4 for entry in entries(context.cache))

    def test_a_shard_that_was_damaged_since_is_computed_again(self, context, network):
        self.cut_off(context, network, after=2)
        path = next(entries(context.cache)[0].glob("00000-*.npy"))
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        cuts, tasks, _ = self.run(context, network)
        assert cuts == CUTS and [task.shard for task in tasks] == [0, 2, 3]
        self.values(context)

    def test_an_entry_that_only_lacked_its_index_is_done_without_a_task(self, context, network):
        self.run(context, network)
        (entries(context.cache)[0] / "entry.json").unlink()
        cuts, tasks, _ = self.run(context, network)
        assert cuts == CUTS and tasks == []

    def test_what_is_there_counts_once_against_the_limit(self, context, network):
        values_at = cuts_that_pay(fold(network), SPACE.cuts)
        rows = len(context.search_rows())
        # Headers of the files are not reckoned with: 128 bytes a shard.
        limit = 2 * sum(values_at.values()) * rows + 3 * len(CUTS) * 128
        limited = dataclasses.replace(context, cache_limit=limit)
        self.cut_off(limited, network, after=2)
        cuts, tasks, heard = self.run(limited, network)
        assert cuts == CUTS and len(tasks) == 2
        assert not [event for event in heard if isinstance(event, Warned)]

    def test_what_was_begun_needs_no_room_twice(self, context, network):
        """An older search's entries stay where what is missing fits beside them."""
        older = dataclasses.replace(context, weights_fingerprint="other")
        self.run(older, network)
        taken = folder_bytes(context.cache)
        self.cut_off(context, network, after=2)
        # As much again, and what is written beside the values.
        limited = dataclasses.replace(context, cache_limit=2 * taken + 1000)
        cuts, _, _ = self.run(limited, network)
        assert cuts == CUTS and len(entries(context.cache)) == 2 * len(CUTS)

    def test_a_begun_entry_that_no_longer_fits_makes_room_for_cheaper_ones(self, context, network):
        values_at = cuts_that_pay(fold(network), SPACE.cuts)
        self.cut_off(context, network, after=3)
        cheapest = min(CUTS, key=values_at.__getitem__)
        limited = dataclasses.replace(context, cache_limit=2 * values_at[cheapest] * len(context.search_rows()))
        cuts, _, _ = self.run(limited, network)
        assert cuts == {cheapest}
        assert len(entries(context.cache)) == 1
