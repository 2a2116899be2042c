"""Damages files in the ways in which files get damaged, and in which attackers make them."""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms

INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]


def seeds() -> dict[str, list[bytes]]:
    """Sound files of each format, in several of its variants, by the format's name."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 37, 3), np.uint8)
    rgb = Image.fromarray(pixels)
    rgba, grey, palette = rgb.convert("RGBA"), rgb.convert("L"), rgb.quantize(16)
    rgba.putalpha(Image.fromarray(pixels[..., 0]))
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken by nobody"
    frames = [rgb, rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    return {
        "JPEG": [
            _encode(rgb, "JPEG", quality=90, exif=exif),
            _encode(rgb, "JPEG", progressive=True),
            _encode(grey, "JPEG"),
            _encode(rgb.convert("CMYK"), "JPEG"),
            _encode(rgb, "MPO", save_all=True, append_images=frames[1:]),
        ],
        "PNG": [
            _encode(rgb, "PNG", exif=exif),
            _encode(rgba, "PNG"),
            _encode(palette, "PNG", transparency=3),
            _encode(deep, "PNG"),
            _encode(grey.convert("1"), "PNG"),
            _encode(rgb, "PNG", save_all=True, append_images=frames[1:]),
        ],
        "BMP": [_encode(rgb, "BMP"), _encode(palette, "BMP"), _encode(rgb, "DIB"), _encode(grey, "BMP"), _rle_bmp()],
        "GIF": [_encode(palette, "GIF"), _encode(frames[0], "GIF", save_all=True, append_images=frames[1:], transparency=0)],
        "TIFF": [
            *(_encode(rgb, "TIFF", compression=name, exif=exif) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg")),
            *(_encode(grey, "TIFF", compression=name) for name in ("packbits", "lzma", "zstd")),
            *(_encode(grey.convert("1"), "TIFF", compression=name) for name in ("group3", "group4", "tiff_ccitt")),
            _encode(rgba, "TIFF", compression="tiff_lzw"),
            _encode(palette, "TIFF"),
            _encode(deep, "TIFF"),
            _encode(rgb.convert("CMYK"), "TIFF", compression="tiff_lzw"),
            _encode(rgb, "TIFF", save_all=True, append_images=frames[1:]),
        ],
        "PPM": [
            _encode(rgb, "PPM"),
            _encode(grey, "PPM"),
            _encode(grey.convert("1"), "PPM"),
            _encode(deep, "PPM"),
            b"P5 37 24 100\n" + bytes(range(100)) * 9,
            b"P3 4 4 255\n" + b"12 200 7 " * 16,
        ],
        "AVIF": [
            _encode(rgb, "AVIF", speed=10, exif=exif),
            _encode(rgba, "AVIF", speed=10),
            _encode(rgb, "AVIF", speed=10, save_all=True, append_images=frames[1:]),
        ],
        "JPEG2000": [
            _encode(rgb, "JPEG2000"),
            _encode(rgba, "JPEG2000", irreversible=True),
            _encode(deep, "JPEG2000"),
            _encode(grey, "JPEG2000", no_jp2=True, tile_size=(16, 16)),
        ],
        **_heif(rgb, rgba),
        "ICC": [_encode(rgb, form, icc_profile=_wide_profile()) for form in ("PNG", "TIFF", "JPEG")],
        "WEBP": [
            _encode(rgb, "WEBP", quality=80, exif=exif),
            _encode(rgba, "WEBP", lossless=True),
            _encode(rgb, "WEBP", save_all=True, append_images=frames[1:]),
        ],
    }


def mutants(sound: list[bytes], seed: int) -> Iterator[bytes]:
    """Damaged files without end, the same for the same seed."""
    rng = random.Random(seed)
    while True:
        data = bytearray(rng.choice(sound))
        for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
            data = bytearray(rng.choice(_MUTATIONS)(rng, data, sound))
            if not data:
                break
        if data.startswith(b"\x89PNG") and rng.random() < 0.7:
            # Or nearly every one would be refused for its checksum alone.
            _mend_checksums(data)
        yield bytes(data)


def _mend_checksums(data: bytearray) -> None:
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


def _encode(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    # Of copies: an image remembers the options of its last JPEG.
    if further := options.pop("append_images", None):
        options["append_images"] = [one.copy() for one in further]
    image.copy().save(out, form, **options)
    return out.getvalue()


def _heif(*images: Image.Image) -> dict[str, list[bytes]]:
    """Files of HEIC; none where the extra ``heic`` is not installed."""
    try:
        from pillow_heif import from_pillow
    except ImportError:
        return {}
    files = []
    for image in images:
        out = io.BytesIO()
        from_pillow(image).save(out, quality=50)
        files.append(out.getvalue())
    return {"HEIF": files}


def _wide_profile() -> bytes:
    """An ICC profile that is not known for that of sRGB."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace("sRGB".encode("utf-16-be"), "Wide".encode("utf-16-be"))


def _rle_bmp() -> bytes:
    """An 8-bit run-length encoded bitmap, which Pillow reads and does not write."""
    rows = bytes((8, 3, 8, 7, 0, 0)) * 16 + b"\0\1"
    at = 14 + 40 + 1024
    header = (at + len(rows)).to_bytes(4, "little") + bytes(4) + at.to_bytes(4, "little")
    fields = [40, 16, 16, 1 | 8 << 16, 1, len(rows), 0, 0, 256, 0]
    return b"BM" + header + b"".join(field.to_bytes(4, "little") for field in fields) + bytes(range(256)) * 4 + rows


def _flip_bits(rng: random.Random, data: bytearray, sound: list[bytes]) -> bytes:
    for _ in range(rng.choice((1, 3, 20))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _change_header(rng: random.Random, data: bytearray, sound: list[bytes]) -> bytes:
    # Sizes, counts and offsets are at the front.
    data[rng.randrange(min(len(data), 64))] = rng.randrange(256)
    return bytes(data)


def _put_number(rng: random.Random, data: bytearray, sound: list[bytes]) -> bytes:
    width, order = rng.choice((1, 2, 4)), rng.choice(("little", "big"))
    at = rng.randrange(len(data))
    data[at : at + width] = (rng.choice(INTERESTING) % (1 << 8 * width)).to_bytes(width, order)
    return bytes(data)


def _cut_off(rng: random.Random, data: bytearray, sound: list[bytes]) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _remove(rng: random.Random, data: bytearray, sound: list[bytes]) -> bytes:
    at = rng.randrange(len(data))
    del data[at : at + rng.randrange(1, 40)]
    return bytes(data)


def _repeat(rng: random.Random, data: bytearray, sound: list[bytes]) -> bytes:
    at = rng.randrange(len(data))
    piece = data[at : at + rng.randrange(1, 200)]
    return bytes(data[:at] + piece * rng.choice((2, 3, 50)) + data[at:])


def _overwrite(rng: random.Random, data: bytearray, sound: list[bytes]) -> bytes:
    at, count = rng.randrange(len(data)), rng.randrange(1, 64)
    data[at : at + count] = rng.randbytes(count)
    return bytes(data)


def _splice(rng: random.Random, data: bytearray, sound: list[bytes]) -> bytes:
    other = rng.choice(sound)
    return bytes(data[: rng.randrange(len(data))]) + other[rng.randrange(len(other)) :]


_MUTATIONS: list[Callable[[random.Random, bytearray, list[bytes]], bytes]] = [
    _flip_bits, _flip_bits, _change_header, _change_header, _put_number, _put_number, _cut_off, _remove, _repeat, _overwrite,
    _splice,
]  # fmt: skip
