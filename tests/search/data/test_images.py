from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tlsearch.search.data import images as images_module
from tlsearch.search.data.decode import decode
from tlsearch.search.data.folder import scan
from tlsearch.search.data.images import ONE_PROCESS, Decoded, _pool, decode_all, decode_chunks
from tlsearch.search.events import Event, PhaseAdvanced, PhaseEnded, PhaseStarted, ignore
from tlsearch.spaces.errors import DataError

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
    return np.load(decoded.images_file, mmap_mode="r")


def expected(root: Path, size: int = SIZE) -> np.ndarray:
    return np.stack([decode(root / candidate.path, size)[0] for candidate in scan(root).candidates])


def test_rows_are_in_the_order_of_the_candidates(make_folder, decode_folder):
    root = make_folder({"cats": 3, "dogs": 2})
    decoded, _ = decode_folder(root)

    assert np.array_equal(rows(decoded), expected(root))
    assert decoded.digests == tuple(decode(root / candidate.path, SIZE)[1] for candidate in scan(root).candidates)
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
        assert second.images_file != first.images_file
        assert np.array_equal(rows(second), expected(root))

    def test_another_size_is_another_entry(self, make_folder, decode_folder):
        root = make_folder({"cats": 2})

        assert decode_folder(root)[0].images_file != decode_folder(root, size=9)[0].images_file

    @pytest.mark.parametrize(
        ("name", "damage"),
        [
            pytest.param("images.npy", lambda data: data[:-1], id="pixels cut short"),
            pytest.param("images.npy", lambda data: b"", id="pixels gone"),
            pytest.param("images.npy", lambda data: data.replace(b"|u1", b"|i1"), id="other pixels"),
            pytest.param("images.npy", lambda data: data.replace(b"(2, 8,", b"(1, 8,"), id="fewer rows"),
            pytest.param("index.json", lambda data: data[:-3], id="index cut short"),
            pytest.param("index.json", lambda data: b'{"digests": []}', id="index without its fields"),
            pytest.param("index.json", lambda data: b"[]", id="no index"),
            pytest.param("index.json", lambda data: b'{"digests": [], "reasons": []}', id="index of other files"),
            pytest.param("index.json", lambda data: b"\xff\xfe", id="index of rubbish"),
        ],
    )
    def test_a_damaged_entry_is_made_anew(self, make_folder, decode_folder, name, damage):
        root = make_folder({"cats": 2})
        first, _ = decode_folder(root)
        file = first.images_file.with_name(name)
        file.write_bytes(damage(file.read_bytes()))
        second, events = decode_folder(root)

        assert events
        assert second == first
        assert np.array_equal(rows(second), expected(root))

    @pytest.mark.parametrize("name", ["images.npy", "index.json"])
    def test_a_missing_part_is_made_anew(self, make_folder, decode_folder, name):
        root = make_folder({"cats": 2})
        first, _ = decode_folder(root)
        first.images_file.with_name(name).unlink()

        assert np.array_equal(rows(decode_folder(root)[0]), expected(root))

    def test_two_who_ask_at_once_share_one_decoding(self, make_folder, decode_folder):
        root = make_folder({"cats": 20})
        with ThreadPoolExecutor(4) as pool:
            results = [future.result() for future in [pool.submit(decode_folder, root) for _ in range(4)]]

        assert len({decoded for decoded, _ in results}) == 1
        assert sum(bool(events) for _, events in results) == 1


class TestInterruption:
    def test_leaves_nothing_behind(self, make_folder, tmp_path):
        def interrupt(event: Event) -> None:
            if isinstance(event, PhaseAdvanced):
                raise KeyboardInterrupt

        layout = scan(make_folder({"cats": 2}))
        with pytest.raises(KeyboardInterrupt):
            decode_all(layout.root, layout.candidates, SIZE, tmp_path / "cache", 0, interrupt)

        assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]

    def test_what_a_kill_left_behind_is_no_hindrance(self, make_folder, decode_folder):
        root = make_folder({"cats": 2})
        first, _ = decode_folder(root)
        entry = first.images_file.parent
        (entry / "index.json").unlink()
        entry.rename(entry.with_name(f"{entry.name}.tmp"))
        decode_folder(root)

        assert sorted(path.name for path in entry.parent.iterdir() if path.suffix != ".lock") == [entry.name]

    def test_a_full_disk_is_an_error_that_says_what_to_do(self, make_folder, tmp_path, monkeypatch):
        def full(*args: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(images_module, "_close_gaps", full)
        layout = scan(make_folder({"cats": 2}))

        with pytest.raises(DataError, match=r"\(No space left on device\).*--cache-dir"):
            decode_all(layout.root, layout.candidates, SIZE, tmp_path / "cache", 0, ignore)
        assert not list((tmp_path / "cache").glob("*.tmp"))

    def test_a_cache_that_is_a_file_is_an_error(self, make_folder, tmp_path):
        (tmp_path / "cache").touch()
        layout = scan(make_folder({"cats": 2}))

        with pytest.raises(DataError, match="cannot be written"):
            decode_all(layout.root, layout.candidates, SIZE, tmp_path / "cache", 0, ignore)


class KillerPath(type(Path())):  # type: ignore[misc]
    """A path that ends the process which it is sent to, as a file does that makes a codec crash."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (1,)


class TestProcesses:
    def test_give_what_one_gives(self, make_folder, decode_folder):
        root = make_folder({"cats": ONE_PROCESS, "dogs": 10})
        (root / "cats" / "5.png").write_bytes(b"no image")
        decoded, events = decode_folder(root, processes=2)
        here = dict(decode_chunks([root / candidate.path for candidate in scan(root).candidates], SIZE, 0))
        results = [result for first in sorted(here) for result in here[first]]

        assert np.array_equal(rows(decoded), np.stack([r[0] for r in results if not isinstance(r, str)]))
        assert decoded.digests == tuple(None if isinstance(r, str) else r[1] for r in results)
        assert decoded.reasons == tuple(r if isinstance(r, str) else None for r in results)
        done = [event.done for event in events if isinstance(event, PhaseAdvanced)]
        assert done == sorted(done)
        assert done[-1] == ONE_PROCESS + 10

    def test_a_file_that_kills_its_process_costs_itself_alone(self, make_folder):
        root = make_folder({"cats": 40})
        paths = [root / "cats" / f"{number}.png" for number in range(40)]
        paths[7] = KillerPath(paths[7])
        results = {
            first + offset: result for first, chunk in decode_chunks(paths, SIZE, 2) for offset, result in enumerate(chunk)
        }

        assert sorted(results) == list(range(40))
        assert [place for place, result in results.items() if isinstance(result, str)] == [7]
        assert results[7] == "makes the decoder crash or hang"

    def test_do_not_load_what_decoding_does_not_need(self):
        pool = _pool(1)
        try:
            pool.submit(images_module.decode_chunk, [], SIZE).result()
            loaded = pool.submit(eval, "sorted(__import__('sys').modules)").result()
        finally:
            pool.shutdown()

        assert not {"tensorflow", "keras", "optuna", "keras_tuner", "sklearn", "rich"} & set(loaded)

    def test_of_a_script_without_a_main_guard_are_done_without(self, make_folder, tmp_path):
        root = make_folder({"cats": ONE_PROCESS, "dogs": 10})
        script = tmp_path / "script.py"
        script.write_text(
            f"from tlsearch.search import open_folder\nprint(len(open_folder({str(root)!r}, size=8, processes=2).files))\n"
        )
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)

        assert done.stdout == f"{ONE_PROCESS + 10}\n"

    def test_end_with_a_parent_that_is_killed(self):
        code = (
            "import os, signal\n"
            "from tlsearch.search.data.images import _pool\n"
            "if __name__ == '__main__':\n"
            "    print(_pool(1).submit(os.getpid).result(), flush=True)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert parent.wait() == -signal.SIGKILL
        deadline = time.monotonic() + 20
        while (alive := _is_alive(child)) and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.stdout.close()

        assert not alive


def _is_alive(pid: int) -> bool:
    try:
        # A container without an init process keeps the dead as zombies.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_index_is_plain_json(make_folder, decode_folder):
    decoded, _ = decode_folder(make_folder({"cats": 1}))
    index = json.loads(decoded.images_file.with_name("index.json").read_text())

    assert index == {"digests": list(decoded.digests), "reasons": [None]}
