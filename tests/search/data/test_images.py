from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlsearch.search.data import images
from tlsearch.search.data.decode import decode
from tlsearch.search.data.folder import scan
from tlsearch.search.data.images import Decoded, decode_all, depth_of, find_decoded, open_images
from tlsearch.search.events import Event, PhaseAdvanced, PhaseEnded, PhaseStarted, ignore
from tlsearch.spaces.errors import DataError

from ...platforms import needs

SIZE = 8


@pytest.fixture
def decode_folder(tmp_path: Path) -> Callable[..., tuple[Decoded, list[Event]]]:
    """Decodes a folder and tells what the listener heard."""

    def run(root: Path, *, size: int = SIZE, processes: int | None = 0) -> tuple[Decoded, list[Event]]:
        events: list[Event] = []
        layout = scan(root)
        decoded = decode_all(layout.root, layout.candidates, size, tmp_path / "cache", processes, events.append)
        return decoded, events

    return run


def rows(decoded: Decoded) -> np.ndarray:
    return open_images(decoded.folder)[:]


def expected(root: Path, size: int = SIZE) -> np.ndarray:
    return np.stack([decode(root / candidate.path, size).pixels for candidate in scan(root).candidates])


def test_rows_are_in_the_order_of_the_candidates(make_folder, decode_folder):
    root = make_folder({"cats": 3, "dogs": 2})
    decoded, _ = decode_folder(root)

    assert np.array_equal(rows(decoded), expected(root))
    files = [decode(root / candidate.path, SIZE) for candidate in scan(root).candidates]
    assert decoded.digests == tuple(file.digest for file in files)
    assert decoded.pixels == tuple(file.pixels_digest for file in files)
    assert decoded.reasons == (None,) * 5


@pytest.mark.parametrize("broken", [["cats/0.png"], ["dogs/1.png"], ["cats/1.png", "cats/2.png", "dogs/0.png"]])
def test_unreadable_files_have_a_reason_and_no_row(make_folder, decode_folder, broken):
    root = make_folder({"cats": 3, "dogs": 2})
    whole, names = expected(root), [candidate.path for candidate in scan(root).candidates]
    for name in broken:
        (root / name).write_bytes(b"no image")
    decoded, _ = decode_folder(root)

    assert np.array_equal(rows(decoded), whole[[name not in broken for name in names]])
    assert [name for name, digest in zip(names, decoded.digests, strict=True) if digest is None] == broken
    assert [name for name, digest in zip(names, decoded.pixels, strict=True) if digest is None] == broken
    assert [name for name, reason in zip(names, decoded.reasons, strict=True) if reason] == broken


def test_a_folder_without_a_readable_image_has_no_rows(make_folder, decode_folder):
    root = make_folder({"cats": 1})
    (root / "cats/0.png").write_bytes(b"no image")

    assert rows(decode_folder(root)[0]).shape == (0, SIZE, SIZE, 3)


def test_progress_is_told_from_start_to_end(make_folder, decode_folder):
    _, events = decode_folder(make_folder({"cats": 40}))

    assert events[:-1] == [PhaseStarted("decode", 40), PhaseAdvanced("decode", 32), PhaseAdvanced("decode", 40)]
    assert isinstance(events[-1], PhaseEnded)


class TestReuse:
    def test_what_is_decoded_is_not_decoded_again(self, make_folder, decode_folder):
        root = make_folder({"cats": 2})
        first, _ = decode_folder(root)

        assert decode_folder(root) == (first, [])

    @pytest.mark.parametrize("change", ["content", "another file", "a file less", "another name", "time"])
    def test_a_changed_folder_is_decoded_again(self, make_folder, decode_folder, change):
        root = make_folder({"cats": 3})
        first, _ = decode_folder(root)
        picture = root / "cats" / "0.png"
        match change:
            case "content":
                picture.write_bytes((root / "cats" / "1.png").read_bytes())
            case "another file":
                (root / "cats" / "new.png").write_bytes(picture.read_bytes())
            case "a file less":
                picture.unlink()
            case "another name":
                picture.rename(root / "cats" / "z.png")
            case "time":
                os.utime(picture, ns=(0, 0))
        second, events = decode_folder(root)

        assert events
        assert second.folder != first.folder
        assert np.array_equal(rows(second), expected(root))

    def test_another_size_is_another_entry(self, make_folder, decode_folder):
        root = make_folder({"cats": 2})

        assert decode_folder(root)[0].folder != decode_folder(root, size=9)[0].folder

    @pytest.mark.parametrize(
        ("name", "damage"),
        [
            pytest.param("00000.npy", lambda data: data[:-1], id="pixels cut short"),
            pytest.param("00000.npy", lambda data: b"", id="pixels gone"),
            pytest.param("00000.npy", lambda data: data.replace(b"|u1", b"|i1"), id="other pixels"),
            pytest.param("00000.npy", lambda data: data.replace(b"(2, 8,", b"(1, 8,"), id="fewer rows"),
            pytest.param("index.json", lambda data: data[:-3], id="index cut short"),
            pytest.param("index.json", lambda data: b'{"rows": [2]}', id="index without its fields"),
            pytest.param("index.json", lambda data: b"[]", id="no index"),
            pytest.param("index.json", lambda data: b'{"rows": [], "size": 8}', id="index of other files"),
            pytest.param("index.json", lambda data: b"\xff\xfe", id="index of rubbish"),
            pytest.param("00000.json", lambda data: data[:-3], id="record cut short"),
            pytest.param("00000.json", lambda data: b'{"digests": []}', id="record without its fields"),
            pytest.param("00000.json", lambda data: b"[]", id="no record"),
            pytest.param("00000.json", lambda data: b'{"digests": [], "reasons": [], "checksum": 0}', id="record of others"),
        ],
    )
    def test_a_damaged_entry_is_made_anew(self, make_folder, decode_folder, name, damage):
        root = make_folder({"cats": 2})
        first, _ = decode_folder(root)
        file = first.folder / name
        file.write_bytes(damage(file.read_bytes()))
        second, events = decode_folder(root)

        assert events
        assert second == first
        assert np.array_equal(rows(second), expected(root))

    @pytest.mark.parametrize("name", ["00000.npy", "00000.json", "index.json"])
    def test_a_missing_part_is_made_anew(self, make_folder, decode_folder, name):
        root = make_folder({"cats": 2})
        first, _ = decode_folder(root)
        (first.folder / name).unlink()

        assert np.array_equal(rows(decode_folder(root)[0]), expected(root))

    def test_two_who_ask_at_once_share_one_decoding(self, make_folder, decode_folder):
        root = make_folder({"cats": 20})
        with ThreadPoolExecutor(4) as pool:
            results = [future.result() for future in [pool.submit(decode_folder, root) for _ in range(4)]]

        assert len({decoded for decoded, _ in results}) == 1
        assert sum(bool(events) for _, events in results) == 1


class TestInterruption:
    """Four files a shard."""

    @pytest.fixture(autouse=True)
    def four_files_a_shard(self, monkeypatch):
        monkeypatch.setattr(images, "SHARD_BYTES", 4 * SIZE * SIZE * 3)

    def cut_off(self, root, cache, after):
        """Decodes until so many files are done."""

        def interrupt(event: Event) -> None:
            if isinstance(event, PhaseAdvanced) and event.done >= after:
                raise KeyboardInterrupt

        layout = scan(root)
        with pytest.raises(KeyboardInterrupt):
            decode_all(layout.root, layout.candidates, SIZE, cache, 0, interrupt)
        return find_decoded(layout.root, layout.candidates, SIZE, cache)

    @pytest.fixture
    def root(self, make_folder):
        root = make_folder({"cats": 6, "dogs": 5})
        (root / "cats" / "2.png").write_bytes(b"no image")
        return root

    def test_keeps_whole_shards_and_nothing_else(self, root, tmp_path):
        assert self.cut_off(root, tmp_path / "cache", after=8) == 8
        (entry,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
        assert sorted(path.name for path in entry.iterdir()) == ["00000.json", "00000.npy", "00001.json", "00001.npy"]

    @pytest.mark.parametrize("done", [4, 8])
    def test_the_next_run_goes_on_at_the_last_whole_shard(self, root, tmp_path, decode_folder, done):
        self.cut_off(root, tmp_path / "cache", after=done)
        decoded, events = decode_folder(root)

        assert events[0] == PhaseStarted("decode", 11, done)
        assert [event.done for event in events if isinstance(event, PhaseAdvanced)] == [*range(done + 4, 11, 4), 11]
        self.check(root, decoded)

    def test_a_kill_costs_the_shard_that_was_being_written(self, root, tmp_path, decode_folder, monkeypatch):
        """The third shard is whole but for its record, and a draft is left."""
        assert self.cut_off(root, tmp_path / "cache", after=8) == 8
        (entry,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
        (entry / "00002.npy").write_bytes((entry / "00001.npy").read_bytes())
        (entry / ".00002.npy.1-0123abcd.tmp").write_bytes(b"half of a shard")
        decoded, events = decode_folder(root)

        assert events[0] == PhaseStarted("decode", 11, 8)
        assert not list(entry.glob(".*"))
        self.check(root, decoded)

    def test_a_shard_that_was_altered_since_is_decoded_again(self, root, tmp_path, decode_folder):
        self.cut_off(root, tmp_path / "cache", after=8)
        (file,) = (tmp_path / "cache").rglob("00000.npy")
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(bytes(data))
        decoded, events = decode_folder(root)

        assert events[0] == PhaseStarted("decode", 11, 4)
        self.check(root, decoded)

    def test_one_shard_gone_from_a_whole_entry_is_all_that_is_decoded_again(self, root, decode_folder):
        first, _ = decode_folder(root)
        (first.folder / "00001.npy").unlink()
        decoded, events = decode_folder(root)

        assert events[0] == PhaseStarted("decode", 11, 7)
        assert decoded == first
        self.check(root, decoded)

    @needs("signal.SIGKILL")
    def test_a_process_that_is_killed_for_real_is_gone_on_from(self, root, tmp_path, decode_folder):
        code = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from tlsearch.search.data import images\n"
            "from tlsearch.search.data.folder import scan\n"
            "from tlsearch.search.events import PhaseAdvanced\n"
            f"images.SHARD_BYTES = 4 * {SIZE} * {SIZE} * 3\n"
            "def kill(event):\n"
            "    if isinstance(event, PhaseAdvanced) and event.done == 11: os.kill(os.getpid(), signal.SIGKILL)\n"
            "layout = scan(sys.argv[1])\n"
            f"images.decode_all(layout.root, layout.candidates, {SIZE}, Path(sys.argv[2]), 0, kill)\n"
        )
        killed = subprocess.run([sys.executable, "-c", code, str(root), str(tmp_path / "cache")], timeout=60)
        assert killed.returncode == -signal.SIGKILL
        decoded, events = decode_folder(root)

        # Whether the last shards had come to the disk is chance; that what is there is right is not.
        assert not events or events[0].done in (0, 4, 8, 11)
        self.check(root, decoded)

    def check(self, root, decoded):
        names = [candidate.path for candidate in scan(root).candidates]
        readable = [name for name in names if name != "cats/2.png"]
        assert np.array_equal(rows(decoded), np.stack([decode(root / name, SIZE).pixels for name in readable]))
        assert [digest is None for digest in decoded.digests] == [name == "cats/2.png" for name in names]
        assert len(list(decoded.folder.glob("*.npy"))) == 3

    def test_a_full_disk_is_an_error_that_says_what_to_do(self, make_folder, tmp_path, monkeypatch):
        def full(*args: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        layout = scan(make_folder({"cats": 2}))

        with pytest.raises(DataError, match=r"\(No space left on device\).*--cache-dir"):
            decode_all(layout.root, layout.candidates, SIZE, tmp_path / "cache", 0, ignore)
        assert not list((tmp_path / "cache").rglob("*.npy")) and not list((tmp_path / "cache").rglob(".*"))

    def test_a_cache_that_is_a_file_is_an_error(self, make_folder, tmp_path):
        (tmp_path / "cache").touch()
        layout = scan(make_folder({"cats": 2}))

        with pytest.raises(DataError, match="cannot be written"):
            decode_all(layout.root, layout.candidates, SIZE, tmp_path / "cache", 0, ignore)


class TestDepth:
    """Of 16-bit greyscale images."""

    def write(self, path: Path, largest: int) -> None:
        values = np.full((8, 8), largest // 2, np.uint16)
        values[:, 4:] = largest
        Image.fromarray(values).save(path)

    @pytest.mark.parametrize(
        ("largest", "depth"), [(255, 8), (256, 10), (1023, 10), (4095, 12), (9000, 14), (16384, 16), (65535, 16)]
    )
    def test_all_are_scaled_by_what_the_set_uses(self, make_folder, decode_folder, largest, depth):
        root = make_folder({"cats": 3})
        self.write(root / "cats/0.png", largest // 4)
        self.write(root / "cats/1.png", largest)
        decoded, events = decode_folder(root)
        pixels = rows(decoded).astype(int)

        assert decoded.depth == depth_of(decoded.folder) == depth
        for row, brightest in ((0, largest // 4), (1, largest)):
            assert abs(pixels[row].max() - 255 * brightest / (2**depth - 1)) <= 1
        assert np.array_equal(pixels[2], decode(root / "cats/2.png", SIZE).pixels)
        assert decoded.pixels[1] == decode(root / "cats/1.png", SIZE, depth).pixels_digest
        assert isinstance(events[-2], PhaseAdvanced) and events[-2].done == (3 if depth == 16 else 6)
        assert decode_folder(root) == (decoded, [])

    def test_only_shards_with_such_images_are_decoded_again(self, make_folder, decode_folder, monkeypatch):
        monkeypatch.setattr(images, "SHARD_BYTES", 2 * SIZE * SIZE * 3)
        root = make_folder({"cats": 6})
        self.write(root / "cats/1.png", 4095)
        decoded, events = decode_folder(root)

        assert [event.done for event in events if isinstance(event, PhaseAdvanced)][-1] == 6 + 2
        assert rows(decoded)[1].max() == 255

    def test_what_an_interrupted_run_has_scaled_otherwise_is_made_anew(self, make_folder, decode_folder, monkeypatch):
        monkeypatch.setattr(images, "SHARD_BYTES", 2 * SIZE * SIZE * 3)
        root = make_folder({"cats": 4})
        self.write(root / "cats/1.png", 4095)
        self.write(root / "cats/3.png", 1023)
        whole, _ = decode_folder(root)
        pixels = rows(whole)
        # As a run leaves it that was killed before it came to the second round.
        (whole.folder / "index.json").unlink()
        record = json.loads((whole.folder / "00000.json").read_text())
        (whole.folder / "00000.json").write_text(json.dumps({**record, "depth": 16}))

        assert decode_folder(root)[0] == whole
        assert np.array_equal(rows(whole), pixels)

    def test_none_has_no_depth(self, make_folder, decode_folder):
        decoded, _ = decode_folder(make_folder({"cats": 2}))
        assert (decoded.depth, depth_of(decoded.folder)) == (0, 16)


def test_what_is_recorded_is_plain_json(make_folder, decode_folder):
    decoded, _ = decode_folder(make_folder({"cats": 1}))
    record = json.loads((decoded.folder / "00000.json").read_text())

    assert (record["digests"], record["reasons"]) == ([*decoded.digests], [None])
    assert json.loads((decoded.folder / "index.json").read_text()) == {"size": SIZE, "rows": [1], "depth": 0}
