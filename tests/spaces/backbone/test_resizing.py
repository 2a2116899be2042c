"""The resize alone, against Pillow's."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tlsearch.spaces.backbone.resizing import with_resize

SIZE = 24


@pytest.fixture(scope="module")
def resize():
    """Gives the pixels that a model behind the resize sees."""
    image = keras.Input((SIZE, SIZE, 3))
    return with_resize(keras.Model(image, keras.layers.ReLU()(image)))


def pillow(images):
    return np.stack([np.asarray(Image.fromarray(one).resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for one in images])


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 3), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_pixels_are_those_of_pillow_but_for_rounding(resize, height, width, count, seed):
    images = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)
    found = np.asarray(resize(images))
    assert np.abs(found - pillow(images)).max() <= 1


def test_few_pixels_are_rounded_otherwise(resize):
    images = np.random.default_rng(0).integers(0, 256, (4, 60, 80, 3), np.uint8)
    assert (np.asarray(resize(images)) != pillow(images)).mean() < 0.1


def test_what_has_the_size_already_stays_as_it_is(resize):
    images = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(resize(images)), images)
