"""Opens images with Pillow's readers, and keeps them within bounds before a pixel is decoded."""

from __future__ import annotations

import ctypes
import functools
import logging
from contextlib import suppress
from typing import IO, cast

from PIL import Image, _imaging
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import ROWSPERSTRIP, TILELENGTH, TILEWIDTH, TiffImageFile

from .formats import HEAD_BYTES, refusal, sniff

MAX_PIXELS = 178_956_970
"""The count at which Pillow refuses a file as a decompression bomb by default: half a gigabyte of RGB pixels."""

MAX_MEMORY = 512 << 20
"""Bytes that decoding one image may take. Without it the worst file found took 2.7 GB: 34 bytes of WebP. Photographs of 50
megapixels need less, and so does an ordinary JPEG of `MAX_PIXELS`, which is decoded at an eighth of its size."""

_BYTES = {"WEBP": 16, "AVIF": 16, "JPEG2000": 26, "HEIF": 20, "PPM": 24}
_OTHER_BYTES, _ALPHA_BYTES = 8, 4
"""Bytes a pixel from the open file to the squashed image at their peak, without the file's own, measured with Pillow 13 and
rounded up: of some formats, of the others, and what palettes and transparency add, which are made RGBA first. The most that a
PPM takes are those of numbers in text; a JPEG 2000, those of four channels in one tile."""

_STRIP_BYTES = 8
"""Most bytes that a pixel of a compressed TIFF takes in its strip or tile, which is decoded as a whole: four times 16 bits."""

_COMPRESSIONS = frozenset(
    {"raw", "tiff_ccitt", "group3", "group4", "tiff_lzw", "jpeg", "tiff_adobe_deflate", "tiff_deflate", "packbits", "lzma"}
    | {"zstd"}
)
"""Pillow's names of what may be in a TIFF. Nobody writes the others any more, and their decoders are the least tried ones."""

_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
"""Tags of a TIFF; the first one's lowest bit says that a page is a reduced copy of another one."""

# Pillow's remarks on odd files: without a handler, logging would print them.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class UnreadableImageError(Exception):
    """The file is no image that can be used; the message is the reason in a few plain words."""


def open_image(file: IO[bytes]) -> Image.Image:
    """Opens an image, whose pixels are not decoded yet, by the one reader that its first bytes call for.

    Raises:
        UnreadableImageError: It is of no format that is read.
        Exception: Whatever a reader raises on a damaged header.
    """
    form = sniff(file.read(HEAD_BYTES))
    file.seek(0)
    if form is None:
        raise UnreadableImageError("not an image")
    if reason := refusal(form):
        raise UnreadableImageError(reason)
    if form == "JPEG":
        # Without Pillow's look at the number of pixels, which is of the whole image: `reduced` looks at what is decoded of it.
        return JpegImageFile(file)
    if form == "HEIF":
        from pillow_heif import HeifImageFile

        return cast(Image.Image, HeifImageFile(file))
    if form == "TIFF":
        _silence_libtiff()
    return Image.open(file, formats=[form])


def reduced(image: Image.Image, size: int) -> tuple[float, float, float, float] | None:
    """Sees to it that an image decodes no larger than it must, and is not decoded at all where that would take too much.

    Returns:
        The part of it that holds the picture; None for all of it. The last block of a JPEG may reach beyond the picture.

    Raises:
        UnreadableImageError: It is too large.
    """
    if isinstance(image, JpegImageFile):
        coefficients = _coefficients(image)
        # At the smallest of 1/1, 1/2, 1/4, 1/8 that is still twice what is needed.
        drafted = image.draft("RGB", (2 * size, 2 * size))
        needed = _memory(image) + coefficients
    else:
        drafted = None
        needed = _memory(image)
        if isinstance(image, TiffImageFile):
            needed += _check_tiff(image)
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableImageError(f"more than {MAX_PIXELS:,} pixels")
    if needed > MAX_MEMORY:
        raise UnreadableImageError(f"needs {needed >> 20:,} MiB to decode, more than {MAX_MEMORY >> 20}")
    return drafted[1] if drafted else None


def _memory(image: Image.Image) -> int:
    """Bytes that decoding takes at its peak, before any of them is taken; of a JPEG as reduced by its ``draft``."""
    each = _BYTES.get(image.format or "", _OTHER_BYTES)
    if image.mode in ("P", "PA", "LA") or image.has_transparency_data:
        each += _ALPHA_BYTES
    return image.width * image.height * each


def _coefficients(image: JpegImageFile) -> int:
    """Bytes that libjpeg needs for an image whose samples come in several scans, however much it is reduced.

    It keeps two for each coefficient of the whole picture.
    """
    assert image.fp is not None
    if not image.info.get("progressive"):
        # Pillow has stopped behind the header of the first scan: is that one of all channels?
        end, length = image.fp.tell(), 8 + 2 * image.layers
        image.fp.seek(max(0, end - length))
        header = image.fp.read(length)
        if header[:2] == b"\xff\xda" and header[4] == image.layers:
            return 0
    samples = [across * down for _, across, down, _ in image.layer]
    return 2 * image.width * image.height * sum(samples) // (max(samples, default=1) or 1)


def _check_tiff(image: TiffImageFile) -> int:
    """Bytes that a strip or tile of it takes.

    Raises:
        UnreadableImageError: It is none that is read.
    """
    tags = image.tag_v2
    compression = str(image.info["compression"])
    if compression not in _COMPRESSIONS:
        raise UnreadableImageError(f"a TIFF with {compression} compression: save it with LZW or without compression")
    if tags.get(_SUBFILE_TYPE, 0) & 1 or _DNG_VERSION in tags:
        raise UnreadableImageError("a camera's raw file: convert it to JPEG or PNG")
    if compression == "raw":
        return 0
    strip = image.width * min(tags.get(ROWSPERSTRIP, image.height), image.height)
    # A small image may have a single tile of a gigabyte.
    return int(max(strip, tags.get(TILEWIDTH, 0) * tags.get(TILELENGTH, 0))) * _STRIP_BYTES


@functools.cache
def _silence_libtiff() -> None:
    """Stops libtiff from writing what it thinks of broken files to the standard error, which Pillow has no way to do."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def without_texts(data: bytes) -> bytes:
    """A PNG without the chunks of text, of which Pillow takes a megabyte for an attack; what is broken stays as it is."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in (b"tEXt", b"zTXt", b"iTXt"):
            parts.append(data[at:end])
        at = end
    return b"".join([*parts, data[at:]])
