"""An image in whatever mode it is kept, as 8-bit RGB in the colours of sRGB."""

from __future__ import annotations

import functools
import io
from typing import cast

import numpy as np
from PIL import Image, ImageCms

from .readers import UnreadableImageError

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that the values of 16-bit greyscale images may use: those of cameras and scanners."""


def resizable(image: Image.Image) -> Image.Image:
    """The image in a mode whose values may be averaged: a palette's indices, or 16 bits of a "I;16", may not.

    Raises:
        UnreadableImageError: Its values have no known white.
    """
    if image.mode == "F":
        raise UnreadableImageError("floating-point values, whose white nothing tells: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        wide = image.convert("I")
        low, high = _extrema(wide)
        if low < 0 or high > 65535:
            raise UnreadableImageError(f"values from {low} to {high}, not from 0 to 65535: save it with 8 or 16 bits")
        return wide
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB")


def bits_used(image: Image.Image) -> int:
    """The smallest of `DEPTHS` that holds the largest value of an image in mode "I"; 0 for any other mode."""
    if image.mode != "I":
        return 0
    _, high = _extrema(image)
    return next(bits for bits in DEPTHS if high < 1 << bits)


def _extrema(image: Image.Image) -> tuple[int, int]:
    return cast(tuple[int, int], image.getextrema())


def to_rgb(image: Image.Image, depth: int) -> Image.Image:
    """An image that was made `resizable` in RGB: its transparent parts white, its values of ``depth`` bits as 8."""
    if image.mode == "I":
        grey = np.rint(np.asarray(image) * (255 / ((1 << depth) - 1)))
        return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        return white.convert("RGB")
    return image


def in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """The colours of an RGB image in sRGB.

    Args:
        image: In RGB.
        profile: The ICC profile that says which colours they are; anything else than one of RGB leaves the image as it is.
    """
    if not isinstance(profile, bytes) or profile[16:20] != b"RGB " or (transform := _transform(profile)) is None:
        return image
    return ImageCms.applyTransform(image, transform) or image


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """What turns a profile's colours into sRGB; None where they are sRGB already, or the profile is broken.

    Kept, because the images of a set mostly have one of a few profiles, and nearly all of them that of sRGB.
    """
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(own).lower():
            return None
        return ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        # A sound image with a broken profile is shown as if it had none, as browsers do.
        return None
