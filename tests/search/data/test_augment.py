from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tlsearch.search.data import augment
from tlsearch.search.data.augment import view

ROWS = np.arange(400)


@pytest.fixture
def images(pictures) -> NDArray[np.uint8]:
    return np.stack([np.asarray(next(pictures)) for _ in range(6)])


@pytest.fixture
def halves() -> NDArray[np.uint8]:
    """The left half black, the right white; 400 times."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 255
    return np.broadcast_to(image, (400, 32, 32, 3))


def test_view_0_is_the_images(images):
    assert np.array_equal(view(images, np.arange(6), 0, seed=0), images)


def test_shape_and_type_are_kept():
    images = np.zeros((3, 20, 30, 3), np.uint8)

    assert view(images, np.arange(3), 1, seed=0).shape == (3, 20, 30, 3)
    assert view(images, np.arange(3), 1, seed=0).dtype == np.uint8
    assert view(images[:0], np.arange(0), 1, seed=0).shape == (0, 20, 30, 3)


def test_a_view_depends_on_seed_row_and_number_and_not_on_the_batch(images):
    rows = np.array([7, 3, 11, 0, 5, 2])
    batch = view(images, rows, 1, seed=4)

    for place in range(6):
        assert np.array_equal(view(images[place : place + 1], rows[place : place + 1], 1, seed=4)[0], batch[place])


@pytest.mark.parametrize(("number", "seed", "shift"), [(2, 0, 0), (1, 1, 0), (1, 0, 1)], ids=["number", "seed", "row"])
def test_another_number_seed_or_row_is_another_view(images, number, seed, shift):
    first, other = view(images, np.arange(6), 1, 0), view(images, np.arange(6) + shift, number, seed)

    assert all(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_images_are_left_alone(images):
    before = images.copy()
    view(images, np.arange(6), 1, seed=0)

    assert np.array_equal(images, before)


def test_half_are_flipped(halves):
    flipped = np.sum(view(halves, ROWS, 1, seed=0)[:, 16, 2, 0] > 128)

    # Binomial(400, 1/2): outside 150 to 250 once in two million seeds, and the seed is fixed.
    assert 150 <= flipped <= 250


def test_nothing_but_the_flip_remains_without_rotation_and_zoom(images, monkeypatch):
    monkeypatch.setattr(augment, "ROTATION", 0.0)
    monkeypatch.setattr(augment, "ZOOM", 0.0)

    for image, seen in zip(images, view(images, np.arange(6), 1, seed=0), strict=True):
        assert np.array_equal(seen, image) or np.array_equal(seen, image[:, ::-1])


def test_the_middle_stays_in_the_middle():
    image = np.zeros((41, 41, 3), np.uint8)
    image[17:24, 17:24] = 255
    for seen in view(np.broadcast_to(image, (50, 41, 41, 3)), np.arange(50), 1, seed=0):
        weights = seen[..., 0] / seen[..., 0].sum(dtype=float)
        centre = [float(np.sum(weights * axis)) for axis in np.indices((41, 41))]

        assert centre == pytest.approx([20, 20], abs=0.1)


def test_rotation_and_zoom_stay_in_their_ranges():
    image = np.zeros((201, 201, 3), np.uint8)
    image[:, 80:121] = 255
    angles, zooms = [], []
    for seen in view(np.broadcast_to(image, (100, 201, 201, 3)), np.arange(100), 1, seed=0):
        top, middle, bottom = (np.flatnonzero(seen[row, :, 0] > 127) for row in (20, 100, 180))
        slope = (bottom.mean() - top.mean()) / 160
        angles.append(np.degrees(np.arctan(slope)))
        zooms.append(len(middle) * np.cos(np.arctan(slope)) / 41)

    assert 5 < max(np.abs(angles)) <= 7.2
    assert 0.78 <= min(zooms) < 0.9
    assert 1.1 < max(zooms) <= 1.22


def test_borders_are_repeated_and_never_black():
    image = np.full((1, 30, 30, 3), 200, np.uint8)

    for number in range(1, 40):
        assert np.array_equal(view(image, np.arange(1), number, seed=0), image)
