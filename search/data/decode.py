"""One image file as an array of pixels, whatever its format, without trusting it."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP")
"""Pillow's names of what is read. Its JPEG reader also takes MPO, which many phones write into a ``.jpg``."""

MAX_PIXELS = 178_956_970
"""The count at which Pillow refuses a file as a decompression bomb by default: half a gigabyte of RGB pixels."""

MAX_BYTES = 1 << 30
"""Of a file; a larger one is no photograph."""

MAX_MEMORY = 512 << 20
"""Bytes that decoding one image may take. Without it the worst file found took 2.7 GB: 34 bytes of WebP. Photographs of 50
megapixels need less, and so does an ordinary JPEG of `MAX_PIXELS`, which is decoded at an eighth of its size."""

_WEBP_BYTES, _ALPHA_BYTES, _OTHER_BYTES = 16, 12, 8
"""Bytes a pixel from the open file to the squashed image at their peak, measured with Pillow 12 and rounded up; the
second for palettes and transparency, which are made RGBA first."""

_NONBLOCKING: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Each is missing where the other one is needed: POSIX has no text mode, Windows no named pipes among its files."""

VERSION = 4
"""Raised whenever the pixels that come out of this module change: caches made before are then made anew."""


class UnreadableImageError(Exception):
    """The file is no image that can be used; the message is the reason in a few plain words."""


class DecodedFile(NamedTuple):
    """What came out of an image file.

    Attributes:
        pixels: ``(size, size, 3)`` uint8, RGB.
        digest: Of the file's bytes.
        pixels_digest: Of ``pixels``: the same for files that differ in nothing but how they are stored.
    """

    pixels: NDArray[np.uint8]
    digest: str
    pixels_digest: str


def decode(path: Path, size: int) -> DecodedFile:
    """The image in RGB, squashed to ``(size, size, 3)`` uint8, with digests of it and of the file's bytes.

    It is turned as its EXIF data say. Transparent parts become white, 16 bits become 8, of an animation the first frame
    counts. It is squashed, not cropped, as Keras' ``image_dataset_from_directory`` does by default: what tells two classes
    apart may well be at the border, and a plain resize is what users deploy with.

    Args:
        path: The file.
        size: Pixels.

    Raises:
        UnreadableImageError: It cannot be read or decoded, or is unreasonably large.
    """
    try:
        data = _read(path)
    except OSError as error:
        raise UnreadableImageError(f"cannot be read ({error.strerror})") from error
    try:
        with warnings.catch_warnings():
            # Of odd metadata and of large images: neither matters here.
            warnings.simplefilter("ignore")
            pixels = _decode(data, size)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError("not an image, or a damaged one") from error
    except Image.DecompressionBombError as error:
        # Pillow's own look at the header, at the same count unless the program around us has set another.
        raise UnreadableImageError(f"more than {MAX_PIXELS:,} pixels") from error
    except MemoryError as error:
        raise UnreadableImageError("needs more memory than there is") from error
    except (OSError, SyntaxError) as error:
        # What Pillow raises on purpose for files cut short and for broken chunks.
        raise UnreadableImageError(f"damaged ({_first_line(error)})") from error
    except Exception as error:
        # Its parsers let anything else through on hostile bytes (struct.error, IndexError, …), and promise no closed set.
        raise UnreadableImageError(f"damaged ({type(error).__name__})") from error
    return DecodedFile(pixels, _digest(data), _digest(pixels.tobytes()))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _read(path: Path) -> bytes:
    # Whatever has taken the file's place since the folder was scanned: opening a pipe must not wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | _NONBLOCKING)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImageError("not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadableImageError("larger than 1 GiB")
        return file.read(MAX_BYTES)


def _decode(data: bytes, size: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableImageError(f"more than {MAX_PIXELS:,} pixels")
        full = image.width * image.height
        # Only JPEG heeds this: it decodes at the smallest of 1/1, 1/2, 1/4, 1/8 that is still twice what is needed.
        drafted = image.draft("RGB", (2 * size, 2 * size))
        if (needed := _memory(image, full)) > MAX_MEMORY:
            raise UnreadableImageError(f"needs {needed >> 20:,} MiB to decode, more than {MAX_MEMORY >> 20}")
        image.load()
        # The part that holds the picture: the last block of a JPEG may reach beyond it, more so when it is reduced.
        box = drafted[1] if drafted else None
        # Resized before anything else is done to it, since every further step would copy a large image once more.
        small = _resizable(image).resize((size, size), Image.Resampling.BILINEAR, box, reducing_gap=3.0)
        return np.asarray(_to_rgb(_upright(small)))


def _memory(image: Image.Image, full: int) -> int:
    """Bytes that decoding takes at its peak, before any of them is taken.

    Args:
        image: Opened, and reduced by its ``draft`` where it has one.
        full: Pixels before that.
    """
    pixels = image.width * image.height
    if isinstance(image, JpegImageFile) and image.info.get("progressive"):
        # libjpeg keeps two bytes for each coefficient of the whole picture, however much it is reduced.
        samples = [across * down for _, across, down, _ in image.layer]
        return pixels * _OTHER_BYTES + 2 * full * sum(samples) // (max(samples, default=1) or 1)
    if image.format == "WEBP":
        return pixels * _WEBP_BYTES
    if image.mode in ("P", "PA", "LA") or image.has_transparency_data:
        return pixels * _ALPHA_BYTES
    return pixels * _OTHER_BYTES


def _resizable(image: Image.Image) -> Image.Image:
    """The image in a mode whose values may be averaged: a palette's indices, or 16 bits of a "I;16", may not."""
    if image.mode.startswith("I"):
        return image.convert("I")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I":
        # 0 to 65535, whether Pillow opened the file as "I;16" or, as its older versions do with PNG, as "I".
        grey = Image.fromarray(np.clip(np.rint(np.asarray(image) / 257), 0, 255).astype(np.uint8))
        return grey.convert("RGB")
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        return white.convert("RGB")
    return image


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the EXIF data say that it came along with; as it is where they are broken.

    Turning after squashing gives the same pixels: both sides are ``size`` by then.
    """
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # Broken EXIF data under a sound image are common, and Pillow's parser promises no closed set of errors.
        return image


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
