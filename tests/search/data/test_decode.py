from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tlsearch.search.data import decode as decode_module
from tlsearch.search.data.decode import MAX_BYTES, MAX_PIXELS, UnreadableImageError, decode

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def halves(left: tuple[int, ...], right: tuple[int, ...], mode: str = "RGB", size: tuple[int, int] = (64, 64)) -> Image.Image:
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def decoded(image: Image.Image, path: Path, size: int = 32, **options: object) -> np.ndarray:
    image.save(path, **options)
    return decode(path, size).pixels


def assert_colours(pixels: np.ndarray, left: tuple[int, ...], right: tuple[int, ...], tolerance: int = 0) -> None:
    """The middle of each half has the colour."""
    height, width = pixels.shape[:2]
    for column, colour in ((width // 4, left), (3 * width // 4, right)):
        np.testing.assert_allclose(pixels[height // 2, column].astype(int), colour, atol=tolerance)


@pytest.mark.parametrize(
    ("suffix", "options", "tolerance"),
    [
        (".png", {}, 0),
        (".bmp", {}, 0),
        (".gif", {}, 0),
        (".webp", {"lossless": True}, 0),
        (".jpg", {"quality": 95}, 3),
        (".jpg", {"quality": 95, "progressive": True}, 3),
    ],
)
def test_formats(tmp_path, suffix, options, tolerance):
    pixels = decoded(halves(RED, BLUE), tmp_path / f"image{suffix}", **options)

    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert_colours(pixels, RED, BLUE, tolerance)


def test_the_content_tells_the_format_and_not_the_name(tmp_path):
    assert_colours(decoded(halves(RED, BLUE), tmp_path / "really-a-png.jpg", format="PNG"), RED, BLUE)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (32, 32), (33, 31)])
def test_any_shape_is_squashed(tmp_path, size):
    pixels = decoded(Image.new("RGB", size, GREEN), tmp_path / "image.png")

    assert np.array_equal(pixels, np.broadcast_to(np.uint8(GREEN), (32, 32, 3)))


def test_a_phone_s_mpo_in_a_jpg(tmp_path):
    second = halves(BLUE, RED)
    pixels = decoded(halves(RED, BLUE), tmp_path / "image.jpg", format="MPO", save_all=True, append_images=[second], quality=95)

    assert_colours(pixels, RED, BLUE, 3)


def test_nothing_is_cropped(tmp_path):
    pixels = decoded(halves(RED, BLUE, size=(400, 50)), tmp_path / "image.png")

    assert np.mean(pixels[:, :15] == RED) == 1
    assert np.mean(pixels[:, 17:] == BLUE) == 1


def test_a_large_photograph_is_reduced_with_little_loss(tmp_path, pictures):
    image = next(pictures).resize((1601, 1203), Image.Resampling.BICUBIC)
    pixels = decoded(image, tmp_path / "image.jpg", quality=95)
    expected = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR), int)

    # Decoded at an eighth of the size, then reduced in steps: that differs from one exact step by rounding and JPEG noise.
    assert np.abs(pixels - expected).mean() < 1


class TestModes:
    def test_grey(self, tmp_path):
        assert_colours(decoded(halves((10,), (200,), "L"), tmp_path / "image.png"), (10, 10, 10), (200, 200, 200))

    def test_one_bit(self, tmp_path):
        assert_colours(decoded(halves((0,), (1,), "1"), tmp_path / "image.png"), (0, 0, 0), WHITE)

    def test_palette(self, tmp_path):
        assert_colours(decoded(halves(RED, BLUE).quantize(4), tmp_path / "image.png"), RED, BLUE, 1)

    def test_a_palette_is_averaged_by_colour_and_not_by_index(self, tmp_path):
        stripes = Image.new("P", (64, 64), 0)
        stripes.putpalette([0, 0, 0, *RED, 100, 100, 100])
        for column in range(0, 64, 2):
            stripes.paste(2, (column, 0, column + 1, 64))
        pixels = decoded(stripes, tmp_path / "image.png", size=8)

        # Half black, half grey; the index between the two stands for red.
        np.testing.assert_allclose(pixels.astype(int), 50, atol=8)

    def test_cmyk(self, tmp_path):
        image = halves((0, 255, 255, 0), (255, 255, 0, 0), "CMYK")
        assert_colours(decoded(image, tmp_path / "image.jpg", quality=95), RED, BLUE, 4)

    def test_sixteen_bits_are_scaled_and_not_clipped(self, tmp_path):
        values = np.full((64, 64), 128 * 257, np.uint16)
        values[:, 32:] = 65535
        pixels = decoded(Image.fromarray(values), tmp_path / "image.png")

        assert_colours(pixels, (128, 128, 128), WHITE)

    def test_of_an_animation_the_first_frame_counts(self, tmp_path):
        for name in ("image.gif", "image.webp"):
            frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, BLUE)]
            pixels = decoded(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
            assert_colours(pixels, RED, RED)


class TestTransparency:
    def test_becomes_white(self, tmp_path):
        image = halves((*RED, 0), (*RED, 255), "RGBA")
        assert_colours(decoded(image, tmp_path / "image.png"), WHITE, RED)

    def test_half_of_it_is_half_white(self, tmp_path):
        image = halves((0, 0, 0, 128), (*RED, 255), "RGBA")
        assert_colours(decoded(image, tmp_path / "image.png"), (127, 127, 127), RED, 1)

    def test_in_grey(self, tmp_path):
        image = halves((9, 0), (9, 255), "LA")
        assert_colours(decoded(image, tmp_path / "image.png"), WHITE, (9, 9, 9))

    def test_in_a_palette(self, tmp_path):
        image = halves((0,), (1,), "P")
        image.putpalette([*RED, *BLUE])
        assert_colours(decoded(image, tmp_path / "image.png", transparency=0), WHITE, BLUE)

    def test_of_one_colour(self, tmp_path):
        assert_colours(decoded(halves(RED, BLUE), tmp_path / "image.png", transparency=RED), WHITE, BLUE)

    def test_hidden_colours_do_not_bleed(self, tmp_path):
        pixels = decoded(halves((*GREEN, 0), (*RED, 255), "RGBA"), tmp_path / "image.png", size=33)

        # Between white and red, green and blue are the same.
        assert np.abs(pixels[..., 1].astype(int) - pixels[..., 2]).max() <= 2


class TestExif:
    # Where the corners top left and top right of the stored picture belong, by the EXIF standard.
    PLACES = ("left top", "right top", "right bottom", "left bottom", "left top", "right top", "right bottom", "left bottom")
    PARTNERS = ("right top", "left top", "left bottom", "right bottom", "left bottom", "right bottom", "right top", "left top")

    @pytest.mark.parametrize("mode", ["RGB", "RGBA"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation_is_honoured(self, tmp_path, mode, orientation):
        image = Image.new(mode, (120, 60), WHITE)
        image.paste(RED, (0, 0, 60, 30))
        image.paste(BLUE, (60, 0, 120, 30))
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels = decoded(image, tmp_path / "image.png", exif=exif)

        for place, colour in ((self.PLACES, RED), (self.PARTNERS, BLUE)):
            across, down = place[orientation - 1].split()
            np.testing.assert_array_equal(pixels[8 if down == "top" else 24, 8 if across == "left" else 24], colour)

    def test_a_photograph_of_a_phone(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        pixels = decoded(halves(RED, BLUE, size=(1200, 800)), tmp_path / "image.jpg", exif=exif, quality=95)

        np.testing.assert_allclose(pixels[8, 16].astype(int), RED, atol=4)
        np.testing.assert_allclose(pixels[24, 16].astype(int), BLUE, atol=4)

    @pytest.mark.parametrize("exif", [b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*"])
    def test_broken_data_cost_the_orientation_alone(self, tmp_path, exif):
        pixels = decoded(halves(RED, BLUE), tmp_path / "image.jpg", exif=exif, quality=95)

        assert_colours(pixels, RED, BLUE, 3)


def encoded(image: Image.Image, format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises a size that its data, a single byte, do not keep."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


class TestUnreadable:
    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            pytest.param(b"", "not an image, or a damaged one", id="empty"),
            pytest.param(b"just some text", "not an image, or a damaged one", id="text"),
            pytest.param(b"\xff\xd8\xff\xe0", "not an image, or a damaged one", id="a JPEG's first bytes"),
            pytest.param(encoded(halves(RED, BLUE), "TIFF"), "not an image, or a damaged one", id="another format"),
            pytest.param(encoded(halves(RED, BLUE), "JPEG")[:700], "damaged", id="JPEG cut short"),
            pytest.param(encoded(halves(RED, BLUE), "PNG")[:60], "damaged", id="PNG cut short"),
            pytest.param(encoded(halves(RED, BLUE), "BMP")[:600], "damaged", id="BMP cut short"),
            pytest.param(encoded(halves(RED, BLUE), "WEBP")[:40], "damaged|not an image", id="WebP cut short"),
            pytest.param(bomb(MAX_PIXELS + 1, 1), f"more than {MAX_PIXELS:,} pixels", id="a bomb"),
            pytest.param(bomb(2**31 - 1, 2**31 - 1), f"more than {MAX_PIXELS:,} pixels", id="a huge bomb"),
        ],
    )
    def test_files(self, tmp_path, data, reason):
        path = tmp_path / "image.png"
        path.write_bytes(data)

        with pytest.raises(UnreadableImageError, match=reason):
            decode(path, 32)

    def test_the_pixel_count_is_checked_even_where_pillow_is_told_not_to(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
        (tmp_path / "image.png").write_bytes(bomb(MAX_PIXELS + 1, 1))

        with pytest.raises(UnreadableImageError, match=f"more than {MAX_PIXELS:,} pixels"):
            decode(tmp_path / "image.png", 32)

    def test_a_file_larger_than_any_photograph_is_not_read(self, tmp_path):
        with (tmp_path / "image.png").open("wb") as file:
            file.truncate(MAX_BYTES + 1)

        with pytest.raises(UnreadableImageError, match="larger than 1 GiB"):
            decode(tmp_path / "image.png", 32)

    @pytest.mark.parametrize(("name", "reason"), [("gone.png", "No such file"), (".", "Is a directory")])
    def test_what_cannot_be_opened(self, tmp_path, name, reason):
        with pytest.raises(UnreadableImageError, match=rf"cannot be read \({reason}"):
            decode(tmp_path / name, 32)

    def test_too_little_memory(self, tmp_path, monkeypatch):
        def exhaust(data, size):
            raise MemoryError

        monkeypatch.setattr(decode_module, "_decode", exhaust)
        (tmp_path / "image.png").touch()

        with pytest.raises(UnreadableImageError, match="more memory than there is"):
            decode(tmp_path / "image.png", 32)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["JPEG", "PNG", "BMP", "GIF", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0.3, 1),
)
def test_whatever_the_bytes_there_is_an_image_or_a_reason(tmp_path, format, changes, length):
    data = bytearray(encoded(halves(RED, BLUE), format))
    for place, byte in changes:
        data[int(place * len(data))] = byte
    path = tmp_path / "image"
    path.write_bytes(data[: int(length * len(data))])

    try:
        pixels = decode(path, 32).pixels
    except UnreadableImageError as error:
        assert str(error)
    else:
        assert pixels.shape == (32, 32, 3)


def test_the_digest_is_that_of_the_bytes(tmp_path):
    halves(RED, BLUE).save(tmp_path / "a.png")
    halves(RED, BLUE).save(tmp_path / "b.png")
    halves(RED, BLUE).save(tmp_path / "c.png", compress_level=0)
    a, b, c = (decode(tmp_path / f"{name}.png", 32).digest for name in "abc")

    assert a == b != c


def test_the_digest_of_the_pixels_is_that_of_what_is_seen(tmp_path):
    halves(RED, BLUE).save(tmp_path / "a.png")
    halves(RED, BLUE).save(tmp_path / "b.bmp")
    halves(BLUE, RED).save(tmp_path / "c.png")
    a, b, c = (decode(tmp_path / name, 32) for name in ("a.png", "b.bmp", "c.png"))

    assert a.pixels_digest == b.pixels_digest == hashlib.blake2b(a.pixels.tobytes(), digest_size=16).hexdigest()
    assert a.pixels_digest != c.pixels_digest
