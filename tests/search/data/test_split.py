from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.data.folder import Candidate, Layout
from tlsearch.search.data.split import FLAT_SHARES, VAL_SHARE, TooFewImagesError, deal, split, split_folder
from tlsearch.spaces.errors import DataError

SHARES = st.sampled_from([FLAT_SHARES, (VAL_SHARE,)])
SEEDS = st.integers(0, 2**32)


@st.composite
def collections(draw: st.DrawFn, copies: int = 4) -> tuple[list[str], np.ndarray]:
    """Digests and labels of two or three classes, each picture up to ``copies`` times, in any order."""
    rows = [
        (f"picture {label}-{number}", label)
        for label in range(draw(st.integers(2, 3)))
        for number in range(draw(st.integers(3, 40)))
        for _ in range(draw(st.integers(1, copies)))
    ]
    rows = draw(st.permutations(rows))
    return [digest for digest, _ in rows], np.array([label for _, label in rows], np.int64)


@given(collections(), SHARES, SEEDS)
def test_every_row_is_in_exactly_one_part(collection, shares, seed):
    digests, labels = collection
    parts = split(digests, labels, shares, seed)

    assert sorted(np.concatenate(parts)) == list(range(len(digests)))
    assert all(np.all(np.diff(part) > 0) for part in parts)


@given(collections(), SHARES, SEEDS)
def test_identical_images_are_on_one_side(collection, shares, seed):
    digests, labels = collection
    sides = [{digests[row] for row in part} for part in split(digests, labels, shares, seed)]

    assert sum(map(len, sides)) == len(set(digests))


@given(collections(), SHARES, SEEDS)
def test_every_part_has_every_class(collection, shares, seed):
    digests, labels = collection

    for part in split(digests, labels, shares, seed):
        assert set(labels[part]) == set(labels)


@given(collections(copies=1), SHARES, SEEDS)
def test_shares_hold_within_an_image_in_every_class(collection, shares, seed):
    digests, labels = collection
    parts = split(digests, labels, shares, seed)

    for label in np.unique(labels):
        for part, share in zip(parts, shares, strict=False):
            assert abs(np.sum(labels[part] == label) - share * np.sum(labels == label)) <= 1


@given(collections(), SHARES, SEEDS)
def test_copies_never_push_a_part_beyond_its_share_where_single_pictures_fill_it(collection, shares, seed):
    digests, labels = collection
    digests = [*digests, *(f"single {number}" for number in range(40))]
    labels = np.concatenate([labels, np.zeros(40, np.int64)])
    images = int(np.sum(labels == 0))

    for part, share in zip(split(digests, labels, shares, seed), shares, strict=False):
        assert np.sum(labels[part] == 0) <= max(1, round(share * images))


@given(collections(), SHARES, SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(collection, shares, seed, random):
    digests, labels = collection
    order = list(range(len(digests)))
    random.shuffle(order)
    shuffled = split([digests[row] for row in order], labels[order], shares, seed)

    for part, other in zip(split(digests, labels, shares, seed), shuffled, strict=True):
        assert list(part) == sorted(order[row] for row in other)


def test_the_seed_decides():
    digests, labels = [str(number) for number in range(200)], np.zeros(200, np.int64)
    first, same, other = (list(split(digests, labels, (VAL_SHARE,), seed)[0]) for seed in (0, 0, 1))

    assert first == same
    # Equal by chance with a probability of 1 in C(200, 40) > 1e41.
    assert first != other


def test_a_split_stays_what_it_is_on_another_machine_and_in_later_versions():
    digests, labels = [f"digest {number}" for number in range(10)], np.zeros(10, np.int64)

    assert [list(part) for part in split(digests, labels, FLAT_SHARES, 7)] == [[0, 6], [5, 9], [1, 2, 3, 4, 7, 8]]


@pytest.mark.parametrize(("shares", "needed"), [(FLAT_SHARES, 3), ((VAL_SHARE,), 2)])
def test_a_class_with_fewer_pictures_than_parts_cannot_be_split(shares, needed):
    # Copies of one picture do not help.
    digests, labels = [*"abcd", *["e"] * 9, *"fghij"[: needed - 2]], np.array([0] * 4 + [1] * (9 + needed - 2), np.int64)

    with pytest.raises(TooFewImagesError) as caught:
        split(digests, labels, shares, 0)

    assert (caught.value.label, caught.value.found, caught.value.needed) == (1, needed - 1, needed)


def test_a_class_of_large_groups_of_copies_gives_its_smallest():
    digests, labels = [*"aaaaaa", *"bbbb", *"ccccc"], np.zeros(15, np.int64)
    val, test, train = split(digests, labels, FLAT_SHARES, 0)

    assert [{digests[row] for row in part} for part in (val, test, train)] == [{"b"}, {"c"}, {"a"}]


def part_sizes(images, shares):
    """Images of each part of a class whose images are all different."""
    return [len(part) for part in split([str(number) for number in range(images)], np.zeros(images, np.int64), shares, 0)]


@given(collections(copies=1), SHARES | st.sampled_from([(0.8, 0.7), (0.9, 0.5), (0.99,)]), SEEDS)
def test_sizes_of_parts_are_known_beforehand_where_no_two_images_are_the_same(collection, shares, seed):
    digests, labels = collection
    parts = split(digests, labels, shares, seed)
    for label in np.unique(labels):
        sizes = [int((labels[part] == label).sum()) for part in parts]
        assert sizes == part_sizes(int((labels == label).sum()), shares)


def test_just_enough_for_the_parts():
    with pytest.raises(TooFewImagesError) as caught:
        part_sizes(2, FLAT_SHARES)
    assert (caught.value.found, caught.value.needed) == (2, 3)
    assert part_sizes(3, FLAT_SHARES) == [1, 1, 1]


@pytest.mark.parametrize(
    ("images", "shares", "sizes"),
    [
        (10, (0.8, 0.7), [8, 1, 1]),
        (10, (0.95, 0.5), [8, 1, 1]),
        (4, (0.5, 0.9), [2, 1, 1]),
        (300, (0.99,), [297, 3]),
        (300, (0.999, 0.5), [298, 1, 1]),
        (20, FLAT_SHARES, [3, 3, 14]),
        (10, (0.3, 0.9, 0.9), [3, 5, 1, 1]),
    ],
)
def test_however_large_the_shares_every_later_part_keeps_a_picture(images, shares, sizes):
    assert part_sizes(images, shares) == sizes


def test_an_error_names_the_class_and_where_it_is():
    files = [Candidate(f"train/{label}/0.png", label, "train", 1, 0) for label in ("cats", "cats", "dogs")]
    layout = Layout(Path("photos"), {"train": "train", "test": "test"}, tuple(files), ())
    with pytest.raises(DataError, match=r"at least 2 different images .* got 1 of class 'dogs' in photos/train/dogs"):
        split_folder(layout, files, ["a", "b", "c"], range(3), seed=0)
    with pytest.raises(TooFewImagesError, match="class 3 has 1 different pictures, at least 2 are needed"):
        split(["a"], np.array([3]), (VAL_SHARE,), 0)


PARTS = st.integers(2, 6)


def dealt(collection, parts, seed):
    digests, labels = collection
    try:
        return deal(digests, labels, parts, seed)
    except TooFewImagesError as error:
        assert error.needed == parts and error.found < parts
        assert error.found == len({digests[row] for row in np.flatnonzero(labels == error.label)})
        return None


@given(collections(), PARTS, SEEDS)
def test_every_row_is_dealt_once_with_its_copies_and_every_part_has_every_class(collection, parts, seed):
    digests, labels = collection
    if (found := dealt(collection, parts, seed)) is None:
        return
    assert sorted(np.concatenate(found)) == list(range(len(digests)))
    assert sum(len({digests[row] for row in part}) for part in found) == len(set(digests))
    assert all(set(labels[part]) == set(labels) for part in found)


@given(collections(copies=1), PARTS, SEEDS)
def test_single_pictures_are_dealt_evenly_in_every_class_and_in_all(collection, parts, seed):
    _, labels = collection
    if (found := dealt(collection, parts, seed)) is None:
        return
    for label in np.unique(labels):
        sizes = [int((labels[part] == label).sum()) for part in found]
        assert max(sizes) - min(sizes) <= 1
    assert max(map(len, found)) - min(map(len, found)) <= 1


@given(collections(), PARTS, SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter_to_folds(collection, parts, seed, random):
    digests, labels = collection
    order = list(range(len(digests)))
    random.shuffle(order)
    if (found := dealt(collection, parts, seed)) is None:
        return
    shuffled = deal([digests[row] for row in order], labels[order], parts, seed)
    assert [list(part) for part in found] == [sorted(order[row] for row in part) for part in shuffled]


def test_folds_stay_what_they_are_on_another_machine_and_in_later_versions():
    digests, labels = [f"digest {number}" for number in range(10)], np.zeros(10, np.int64)
    assert [list(part) for part in deal(digests, labels, 3, 7)] == [[0, 3, 8, 9], [1, 4, 6], [2, 5, 7]]


@st.composite
def patients(draw: st.DrawFn) -> tuple[list[str], np.ndarray]:
    """Groups of up to ten images, of up to three classes each."""
    rows = [
        (f"patient {number}", draw(st.integers(0, 2)))
        for number in range(draw(st.integers(2, 25)))
        for _ in range(draw(st.integers(1, 10)))
    ]
    return [key for key, _ in rows], np.array([label for _, label in rows], np.int64)


@given(patients(), SHARES | PARTS, SEEDS)
def test_groups_of_several_classes_are_parted_from_none_of_their_images(collection, asked, seed):
    keys, labels = collection
    try:
        parts = deal(keys, labels, asked, seed) if isinstance(asked, int) else split(keys, labels, asked, seed)
    except TooFewImagesError:
        return

    assert sorted(np.concatenate(parts)) == list(range(len(keys)))
    assert sum(len({keys[row] for row in part}) for part in parts) == len(set(keys))
    assert all(set(labels[part]) == set(labels) for part in parts)


@pytest.mark.parametrize("folds", [False, True])
def test_many_small_groups_of_several_classes_fill_parts_evenly(folds):
    rng = np.random.default_rng(0)
    keys = [f"patient {number // 4}" for number in range(400)]
    labels = rng.integers(0, 2, 400)
    parts = deal(keys, labels, 4, 0) if folds else split(keys, labels, FLAT_SHARES, 0)
    wanted = [1 / 4] * 4 if folds else [*FLAT_SHARES, 1 - sum(FLAT_SHARES)]

    for part, share in zip(parts, wanted, strict=True):
        for label in (0, 1):
            assert abs(np.sum(labels[part] == label) - share * np.sum(labels == label)) <= 6
