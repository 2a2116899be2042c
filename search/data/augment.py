"""Fixed augmented views of an image: flipped, rotated and zoomed by amounts that follow from seed, row and view alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROTATION = math.radians(7)
"""Largest rotation either way, the blog post's companion notebooks' 7 degrees."""

ZOOM = 0.2
"""Largest zoom in or out, as a share of the side; from the same notebooks."""


def view(images: NDArray[np.uint8], rows: NDArray[np.int64], view: int, seed: int) -> NDArray[np.uint8]:
    """A view of each image, ``(n, height, width, 3)`` uint8; corners that come from outside repeat the border.

    Args:
        images: ``(n, height, width, 3)`` uint8.
        rows: Of each image in its data set, ``(n,)``.
        view: 0 for the images themselves, from 1 for altered ones.
        seed: Of all views, 0 or above.
    """
    if view == 0 or not len(images):
        return images
    drawn = [_view(image, np.random.default_rng([seed, view, row])) for image, row in zip(images, rows, strict=True)]
    return np.stack(drawn)


def _view(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    flip = rng.random() < 0.5
    angle, zoom = rng.uniform(-ROTATION, ROTATION), 1 + rng.uniform(-ZOOM, ZOOM)
    if flip:
        image = image[:, ::-1]
    # Zoomed out to 0.8 and turned by 7°, a square looks 0.2 of its side beyond each border.
    border = math.ceil(0.25 * max(height, width))
    padded = np.pad(image, ((border, border), (border, border), (0, 0)), mode="edge")
    # Output pixel → input pixel: rotate and scale about the centre of the padded picture.
    c, s = math.cos(angle) / zoom, math.sin(angle) / zoom
    x, y = width / 2, height / 2
    matrix = (c, -s, x + border - c * x + s * y, s, c, y + border - s * x - c * y)
    turned = Image.fromarray(padded).transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(turned)


VIEWS = 4
"""Views of each training image under augmentation, the image itself among them; epoch e trains on view e mod 4."""
