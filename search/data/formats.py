"""Which image files are read. What a file is, its first bytes tell, whatever its name."""

from __future__ import annotations

import errno
import os
import re
import stat
from importlib.util import find_spec
from pathlib import Path

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000", "HEIF")
"""Pillow's names of what is read; its JPEG reader also takes MPO, which many phones write into a ``.jpg``. HEIF is read where
the extra ``heic`` is installed."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
    | {".pnm", ".avif", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"}
)
"""Of files that are taken for images without a look inside until they are decoded."""

_RAW_SUFFIXES = frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"})
"""Of what cameras keep for themselves: mostly TIFF by its first bytes, with a thumbnail where a photo has its picture."""

OTHER_SUFFIXES = _RAW_SUFFIXES | {".heic", ".heif", ".svg", ".psd"}
"""Of images all the same, whose owner should hear that they are left out for their format alone, or not without an extra."""

HEAD_BYTES = 32
"""Of a file: enough for `sniff`."""

NO_IMAGE = "not an image file"
EMPTY = "an empty file"
"""Why a file is no candidate that is no image of any format."""

_SIDECARS = frozenset({".txt", ".json", ".xml", ".csv", ".npy"})
"""Of what data sets have beside each image: a hundred thousand files that are not opened to find that they are no images."""

_SIGNATURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    # Then the size of the second header, one of seven: "BM" alone is the beginning of words, too.
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "DIB": rb"[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "WEBP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "PPM": rb"P[1-6]\s+[#\d]",
    "JPEG2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "AVIF": rb".{4}ftyp(?:avi[fs]|(?:mif1|msf1).{4}.{0,12}avi[fs])",
    "HEIF": rb".{4}ftyp(?:he[iv][cxms]|mif1|msf1)",
    "PSD": rb"8BPS",
    "SVG": rb"\s*<(?:svg|\?xml.*<svg|\?xml[^>]*\?>\s*<!DOCTYPE svg)",
}
_SIGNATURE = re.compile(b"|".join(b"(?P<%s>%s)" % (form.encode(), pattern) for form, pattern in _SIGNATURES.items()), re.DOTALL)

_NONBLOCKING: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Each is missing where the other one is needed: POSIX has no text mode, Windows no named pipes among its files."""


class NotRegularFileError(OSError):
    """A pipe, a socket or a device is where a file was expected."""


def open_regular(path: Path | str) -> int:
    """The descriptor of a file, opened without waiting for anybody, whatever has taken its place since its folder was read.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    # Opening a pipe must not wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | _NONBLOCKING)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise NotRegularFileError(errno.EINVAL, "not a regular file")


def sniff(head: bytes) -> str | None:
    """The format that a file's first `HEAD_BYTES` bytes tell: one of `FORMATS`, another one's name, or None for no image."""
    found = _SIGNATURE.match(head)
    return found.lastgroup if found else None


def refusal(form: str) -> str | None:
    """Why images of a format are not read; None for one that is."""
    if form == "HEIF" and not reads_heif():
        return 'HEIC images are not read: pip install "tlsearch[heic]", or convert them to JPEG or PNG'
    return None if form in FORMATS else f"{form} images are not read: convert them to JPEG or PNG"


def reads_heif() -> bool:
    """Whether the extra ``heic`` is installed."""
    return find_spec("pillow_heif") is not None


def unfit(path: Path | str, size: int) -> str | None:
    """Why a file is no candidate; None for one that may be an image.

    The name tells, or else the first bytes: of a hundred thousand files of images none is opened here.

    Args:
        path: A regular file.
        size: Bytes.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix in SUFFIXES:
        return None if size else EMPTY
    if suffix in _SIDECARS:
        return NO_IMAGE
    try:
        descriptor = open_regular(path)
    except OSError:
        return NO_IMAGE
    try:
        form = sniff(os.read(descriptor, HEAD_BYTES))
    except OSError:
        return NO_IMAGE
    finally:
        os.close(descriptor)
    if suffix in _RAW_SUFFIXES and form in ("TIFF", None):
        return refusal(suffix[1:].upper())
    return refusal(form) if form else NO_IMAGE
