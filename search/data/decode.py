"""One image file as an array of pixels, whatever its format, without trusting it."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from .colours import bits_used, in_srgb, resizable, to_rgb
from .formats import NotRegularFileError, open_regular
from .readers import MAX_PIXELS, UnreadableImageError, open_image, reduced, without_texts

MAX_BYTES = 1 << 30
"""Of a file; a larger one is no photograph."""

MAX_RATIO = 20
"""Of the sides of an image; one that is longer is squashed beyond recognition, and is remarked on."""

VERSION = 4
"""Raised whenever the pixels that come out of this module change: caches made before are then made anew."""


class DecodedFile(NamedTuple):
    """What came out of an image file.

    Attributes:
        pixels: ``(size, size, 3)`` uint8, RGB.
        digest: Of the file's bytes.
        pixels_digest: Of ``pixels``: the same for files that differ in nothing but how they are stored.
        bits: The smallest of `colours.DEPTHS` that holds its largest value; 0 where it is no 16-bit greyscale image.
        remark: Why one should look at it, though it can be used; empty for most.
    """

    pixels: NDArray[np.uint8]
    digest: str
    pixels_digest: str
    bits: int = 0
    remark: str = ""


def decode(path: Path, size: int, depth: int = 16) -> DecodedFile:
    """The image in RGB, squashed to ``(size, size, 3)`` uint8, with digests of it and of the file's bytes.

    It is turned as its EXIF data say. Transparent parts become white, 16 bits become 8, the colours those of sRGB; of an
    animation or several pages the first counts. It is squashed, not cropped, as Keras' ``image_dataset_from_directory`` does by
    default: what tells two classes apart may well be at the border, and a plain resize is what users deploy with.

    Args:
        path: The file.
        size: Pixels.
        depth: Bits that the values of 16-bit greyscale images use: the largest of so many bits is white.

    Raises:
        UnreadableImageError: It cannot be read or decoded, or is unreasonably large.
    """
    try:
        data = _read(path)
    except NotRegularFileError as error:
        raise UnreadableImageError("not a regular file") from error
    except OSError as error:
        raise UnreadableImageError(f"cannot be read ({error.strerror})") from error
    try:
        with warnings.catch_warnings():
            # Of odd metadata and of large images: neither matters here.
            warnings.simplefilter("ignore")
            pixels, bits, remark = _decode(data, size, depth)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError("damaged (its header cannot be read)") from error
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
    return DecodedFile(pixels, _digest(data), _digest(pixels.tobytes()), bits, remark)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _read(path: Path) -> bytes:
    with open(open_regular(path), "rb") as file:
        if os.fstat(file.fileno()).st_size > MAX_BYTES:
            raise UnreadableImageError("larger than 1 GiB")
        return file.read(MAX_BYTES)


def _decode(data: bytes, size: int, depth: int) -> tuple[NDArray[np.uint8], int, str]:
    """The pixels, the bits that they use where there are 16, and a remark or none."""
    try:
        return _squashed(data, size, depth)
    except ValueError:
        # Pillow takes a megabyte of text in a PNG for an attack.
        if data.startswith(b"\x89PNG") and len(bare := without_texts(data)) < len(data):
            return _squashed(bare, size, depth)
        raise


def _squashed(data: bytes, size: int, depth: int) -> tuple[NDArray[np.uint8], int, str]:
    with open_image(io.BytesIO(data)) as image:
        width, height, profile = *image.size, image.info.get("icc_profile")
        box = reduced(image, size)
        image.load()
        # Resized before anything else is done to it, since every further step would copy a large image once more.
        whole = resizable(image)
        bits = bits_used(whole)
        small = to_rgb(_upright(whole.resize((size, size), Image.Resampling.BILINEAR, box, reducing_gap=3.0)), depth)
        if image.mode not in ("L", "1", "CMYK"):
            small = in_srgb(small, profile)
        pixels = np.asarray(small)
        return pixels, bits, _remark(image, pixels, width, height)


def _remark(image: Image.Image, pixels: NDArray[np.uint8], width: int, height: int) -> str:
    """What is odd about an image that can be used."""
    if width == height == 1:
        return "a single pixel"
    if max(width, height) > MAX_RATIO * min(width, height):
        return f"{width:,} × {height:,} pixels: one side is more than {MAX_RATIO} times the other"
    # The first row tells it of nearly all; the whole would take a tenth of decoding.
    if (pixels[0] == pixels[0, 0]).all() and (pixels == pixels[0, 0]).all():
        return "one colour only"
    return "the first of several pages" if isinstance(image, TiffImageFile) and image.is_animated else ""


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
