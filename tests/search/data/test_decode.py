from __future__ import annotations

import hashlib
import io
import struct
import zlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tlsearch.search.data import decode as decode_module
from tlsearch.search.data import formats, readers
from tlsearch.search.data.decode import MAX_BYTES, decode
from tlsearch.search.data.readers import MAX_PIXELS, UnreadableImageError

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
        (".tif", {}, 0),
        (".tif", {"compression": "tiff_lzw"}, 0),
        (".tif", {"compression": "tiff_adobe_deflate"}, 0),
        (".tif", {"compression": "packbits"}, 0),
        (".tif", {"compression": "zstd"}, 0),
        (".tif", {"compression": "lzma"}, 0),
        (".tif", {"compression": "jpeg", "quality": 95}, 3),
        (".ppm", {}, 0),
        (".avif", {"quality": 95}, 6),
        (".jp2", {}, 0),
        (".j2k", {}, 0),
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


@pytest.mark.parametrize(
    ("form", "mode", "left", "right", "seen"),
    [
        ("TIFF", "RGBA", (*RED, 0), (*RED, 255), (WHITE, RED)),
        ("TIFF", "L", (10,), (200,), ((10,) * 3, (200,) * 3)),
        ("TIFF", "1", (0,), (1,), ((0,) * 3, WHITE)),
        ("TIFF", "CMYK", (0, 255, 255, 0), (255, 255, 0, 0), (RED, BLUE)),
        ("PPM", "L", (10,), (200,), ((10,) * 3, (200,) * 3)),
        ("PPM", "1", (0,), (1,), ((0,) * 3, WHITE)),
        ("JPEG2000", "RGBA", (*RED, 0), (*RED, 255), (WHITE, RED)),
        ("AVIF", "RGBA", (*GREEN, 0), (*GREEN, 255), (WHITE, GREEN)),
    ],
)
def test_modes_of_formats(tmp_path, form, mode, left, right, seen):
    pixels = decoded(halves(left, right, mode), tmp_path / "image", format=form)

    assert_colours(pixels, *seen, tolerance=6 if form == "AVIF" else 1)


def test_heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(halves(RED, BLUE)).save(tmp_path / "image.jpg", quality=95)

    assert_colours(decode(tmp_path / "image.jpg", 32).pixels, RED, BLUE, 8)


def test_heic_without_its_extra_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "reads_heif", lambda: False)
    (tmp_path / "image.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")

    with pytest.raises(UnreadableImageError, match=r'pip install "tlsearch\[heic\]"'):
        decode(tmp_path / "image.jpg", 8)


def tiled_tiff() -> bytes:
    """A grey TIFF of two tiles, black and white, which Pillow reads and does not write."""
    entries = [(256, 32), (257, 16), (258, 8), (259, 1), (262, 1), (277, 1), (322, 16), (323, 16)]
    at = 8 + 2 + 12 * (len(entries) + 2) + 4
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    tags += struct.pack("<HHII", 324, 4, 2, at) + struct.pack("<HHII", 325, 4, 2, at + 8)
    places = struct.pack("<4I", at + 16, at + 16 + 256, 256, 256)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries) + 2) + tags + bytes(4) + places + bytes(256) + b"\xff" * 256


def test_a_tiff_in_tiles(tmp_path):
    (tmp_path / "image.tif").write_bytes(tiled_tiff())

    assert_colours(decode(tmp_path / "image.tif", 32).pixels, (0, 0, 0), WHITE)


def test_what_counts_are_the_pixels_that_are_decoded_of_a_jpeg(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_PIXELS", 1000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    for name in ("image.jpg", "image.png"):
        halves(RED, BLUE).save(tmp_path / name, quality=95)

    assert_colours(decode(tmp_path / "image.jpg", 8).pixels, RED, BLUE, 3)
    for name, size in (("image.jpg", 32), ("image.png", 8)):
        with pytest.raises(UnreadableImageError, match="pixels"):
            decode(tmp_path / name, size)


def test_what_a_jpeg_in_several_scans_takes_does_not_shrink_with_it(tmp_path, monkeypatch):
    halves(RED, BLUE, size=(640, 640)).save(tmp_path / "image.jpg", progressive=True)
    # 80 × 80 pixels of eight bytes each, and half of three bytes a pixel of the whole.
    for limit, outcome in ((80 * 80 * 8 + 640 * 640 * 3, nullcontext()), (500_000, pytest.raises(UnreadableImageError))):
        monkeypatch.setattr(readers, "MAX_MEMORY", limit)
        with outcome:
            decode(tmp_path / "image.jpg", 32)


@pytest.mark.parametrize("place", [0, -12])
def test_much_text_in_a_png_does_no_harm(tmp_path, place):
    data = encoded(halves(RED, BLUE), "PNG")
    text = b"zTXtnote\0\0" + zlib.compress(bytes(2 << 20))
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    at = 33 if place == 0 else len(data) - 12
    (tmp_path / "image.png").write_bytes(data[:at] + chunk + data[at:])

    assert_colours(decode(tmp_path / "image.png", 32).pixels, RED, BLUE)


@pytest.mark.parametrize(
    ("image", "options", "remark"),
    [
        (halves(RED, BLUE), {}, ""),
        (halves(RED, BLUE), {"save_all": True, "append_images": [halves(BLUE, RED)]}, "the first of several pages"),
        (halves(RED, RED), {}, "one colour only"),
        (Image.new("RGB", (1, 1)), {}, "a single pixel"),
        (halves(RED, BLUE, size=(82, 4)), {}, "82 × 4 pixels: one side is more than 20 times the other"),
        (halves(RED, BLUE, size=(80, 4)), {}, ""),
    ],
)
def test_odd_images_are_remarked_on(tmp_path, image, options, remark):
    image.save(tmp_path / "image.tif", **options)

    assert decode(tmp_path / "image.tif", 8).remark == remark


def test_nothing_is_printed_of_a_broken_tiff(tmp_path, capfd):
    data = bytearray(encoded(halves(RED, BLUE), "TIFF", compression="tiff_lzw"))
    data[8:200] = b"\xff" * 192
    (tmp_path / "image.tif").write_bytes(data)

    with pytest.raises(UnreadableImageError):
        decode(tmp_path / "image.tif", 8)
    assert capfd.readouterr() == ("", "")


class TestColours:
    def test_those_of_another_profile_become_srgb(self, tmp_path):
        data = self.profile()
        pixels = decoded(halves((100, 150, 100), (128, 128, 128)), tmp_path / "image.png", icc_profile=data)

        # By the matrices of both: a greener green.
        assert_colours(pixels, (81, 151, 95), (128, 128, 128), 2)

    @pytest.mark.parametrize("profile", [b"rubbish", bytes(16) + b"RGB rubbish", None])
    def test_without_a_sound_profile_they_stay(self, tmp_path, profile):
        data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if profile is None else profile
        pixels = decoded(halves((100, 150, 100), (128, 128, 128)), tmp_path / "image.png", icc_profile=data)

        assert_colours(pixels, (100, 150, 100), (128, 128, 128))

    def profile(self) -> bytes:
        """That of sRGB with the primaries of Display P3, as they are kept: adapted to D50."""
        data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        colours = {b"rXYZ": (0.5151, 0.2412, -0.0011), b"gXYZ": (0.2920, 0.6922, 0.0419), b"bXYZ": (0.1571, 0.0666, 0.7841)}
        for number in range(int.from_bytes(data[128:132], "big")):
            tag, at, _ = struct.unpack_from(">4sII", data, 132 + 12 * number)
            if tag in colours:
                struct.pack_into(">3i", data, at + 8, *(round(value * 65536) for value in colours[tag]))
            elif tag == b"desc":
                text = data.find("sRGB".encode("utf-16-be"), at)
                data[text : text + 8] = "Wide".encode("utf-16-be")
        return bytes(data)


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


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def raw_photo() -> bytes:
    """What most cameras write: a TIFF whose first page is a small copy of the picture."""
    buffer = io.BytesIO()
    halves(RED, BLUE).save(buffer, "TIFF", tiffinfo={254: 1})
    return buffer.getvalue()


def large_tile() -> bytes:
    """A TIFF of 64 × 64 pixels with a tile of 20,000 × 20,000."""
    entries = [(256, 64), (257, 64), (258, 8), (259, 8), (262, 1), (277, 1), (322, 20000), (323, 20000), (324, 8), (325, 9)]
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + tags + bytes(4)


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
            pytest.param(b"", "^not an image$", id="empty"),
            pytest.param(b"just some text", "^not an image$", id="text"),
            pytest.param(b"\xff\xd8\xff\xe0", "damaged", id="a JPEG's first bytes"),
            pytest.param(b"8BPS\0\1", "PSD images are not read: convert", id="another format"),
            pytest.param(encoded(halves(RED, BLUE), "TIFF")[:60], "damaged", id="TIFF cut short"),
            pytest.param(encoded(Image.new("F", (9, 9)), "TIFF"), "save it with 8 or 16 bits", id="floating-point numbers"),
            pytest.param(encoded(Image.new("I", (9, 9), -5), "TIFF"), "save it with 8 or 16 bits", id="negative numbers"),
            pytest.param(raw_photo(), "a camera's raw file: convert it to JPEG or PNG", id="a raw photograph"),
            pytest.param(large_tile(), "MiB to decode", id="a TIFF with a tile of a gigabyte"),
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
        def exhaust(data, size, depth):
            raise MemoryError

        monkeypatch.setattr(decode_module, "_decode", exhaust)
        (tmp_path / "image.png").touch()

        with pytest.raises(UnreadableImageError, match="more memory than there is"):
            decode(tmp_path / "image.png", 32)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000"]),
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
