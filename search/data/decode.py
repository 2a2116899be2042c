"""One image file as an array of pixels, whatever its format, without trusting it."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "MPO")
"""Pillow's names of what is read; MPO is what many phones write into a ``.jpg``."""

MAX_PIXELS = 178_956_970
"""Pillow's own limit for a decompression bomb: a quarter of a gigabyte of RGB pixels, rounded up to its next warning."""

MAX_BYTES = 1 << 30
"""Of a file; a larger one is no photograph."""

VERSION = 1
"""Raised whenever the pixels that come out of this module change: caches made before are then made anew."""


class UnreadableImageError(Exception):
    """The file is no image that can be used; the message is the reason in a few plain words."""


def decode(path: Path, size: int) -> tuple[NDArray[np.uint8], str]:
    """The image in RGB, squashed to ``(size, size, 3)`` uint8, and a digest of the file's bytes.

    It is turned as its EXIF data say. Transparent parts become white, 16 bits become 8, of an animation the first frame
    counts. It is squashed, not cropped, as Keras' ``image_dataset_from_directory`` does by default: what tells two classes apart
    may well be at the border, and users deploy with a plain resize.

    Args:
        path: The file.
        size: Pixels.

    Raises:
        UnreadableImageError: It cannot be decoded, is no picture, or is unreasonably large.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableImageError("larger than 1 GiB")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImageError(f"cannot be read ({error.strerror})") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = _decode(data, size)
        except UnreadableImageError:
            raise
        except UnidentifiedImageError as error:
            raise UnreadableImageError("not an image, or a damaged one") from error
        except (OSError, SyntaxError) as error:
            # What Pillow raises for files cut short and broken chunks.
            raise UnreadableImageError(f"damaged ({_plain(error)})") from error
        except (ValueError, IndexError, KeyError, TypeError, EOFError, OverflowError, ZeroDivisionError) as error:
            # What Pillow's parsers let through on hostile headers.
            raise UnreadableImageError(f"damaged ({type(error).__name__})") from error
        except MemoryError as error:
            raise UnreadableImageError("needs more memory than there is") from error
    return pixels, hashlib.blake2b(data, digest_size=16).hexdigest()


def _decode(data: bytes, size: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableImageError(f"{image.width} × {image.height} pixels, more than {MAX_PIXELS:,}")
        # Only JPEG heeds this: it decodes at the smallest of 1/1, 1/2, 1/4, 1/8 that is still twice what is needed.
        image.draft("RGB", (2 * size, 2 * size))
        image.load()
        upright = ImageOps.exif_transpose(image)
        rgb = _to_rgb(upright)
        return np.asarray(rgb.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        # 16-bit pictures come as "I;16" or, from PNG in some versions of Pillow, as "I": both hold 0 to 65535.
        return Image.fromarray(np.clip(values / 257, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _plain(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
