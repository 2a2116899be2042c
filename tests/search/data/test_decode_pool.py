from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tlsearch.search.data import images
from tlsearch.search.data.decode_pool import KILLER, ONE_PROCESS, decode_chunks
from tlsearch.search.data.folder import scan
from tlsearch.search.data.images import decode_all, open_images
from tlsearch.search.events import Event, PhaseAdvanced, ignore

from ...platforms import needs

SIZE = 8


def decoded_in(paths, processes, **options):
    """What becomes of each path, in order."""
    found = dict(decode_chunks([(0, paths[:32]), (32, paths[32:])], SIZE, processes, **options))
    places = {first + offset: result for first, results in found.items() for offset, result in enumerate(results)}
    assert sorted(places) == list(range(len(paths)))
    return [places[place] for place in range(len(paths))]


class CrashingPath(type(Path())):  # type: ignore[misc]
    """A path that ends the process which opens it, as a file does that makes a codec crash."""

    def __fspath__(self) -> str:
        os._exit(1)


class HangingPath(type(Path())):  # type: ignore[misc]
    """A path that is never opened, as a file that makes a codec loop is never decoded: signals do not reach it."""

    def __fspath__(self) -> str:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            time.sleep(60)


class ModulesPath(type(Path())):  # type: ignore[misc]
    """A path that tells which modules the process has loaded that opens it."""

    def __fspath__(self) -> str:
        Path(str(self) + ".modules").write_text("\n".join(sys.modules))
        return str(self)


class TestProcesses:
    def test_give_what_one_gives(self, make_folder):
        root = make_folder({"cats": 40})
        (root / "cats" / "5.png").write_bytes(b"no image")
        paths = [root / candidate.path for candidate in scan(root).candidates]

        for one, other in zip(decoded_in(paths, 0), decoded_in(paths, 2), strict=True):
            assert type(one) is type(other)
            assert one == other if isinstance(one, str) else one[1] == other[1] and np.array_equal(one[0], other[0])

    def test_fill_the_shards_that_one_fills(self, make_folder, tmp_path, monkeypatch):
        monkeypatch.setattr(images, "SHARD_BYTES", 10 * SIZE * SIZE * 3)
        layout = scan(make_folder({"cats": 25}))
        events: list[Event] = []
        alone = decode_all(layout.root, layout.candidates, SIZE, tmp_path / "alone", 0, ignore)
        both = decode_all(layout.root, layout.candidates, SIZE, tmp_path / "both", 2, events.append)

        assert (alone.digests, alone.reasons) == (both.digests, both.reasons)
        assert np.array_equal(open_images(alone.folder)[:], open_images(both.folder)[:])
        done = [event.done for event in events if isinstance(event, PhaseAdvanced)]
        assert done == sorted(done) and done[-1] == 25

    @pytest.mark.parametrize("kind", [CrashingPath, HangingPath])
    def test_a_file_that_kills_or_blocks_its_process_costs_itself_alone(self, make_folder, kind):
        root = make_folder({"cats": 40})
        paths = [root / "cats" / f"{number}.png" for number in range(40)]
        paths[7], paths[8], paths[39] = (kind(paths[number]) for number in (7, 8, 39))
        results = decoded_in(paths, 2, seconds=3)

        assert {place: result for place, result in enumerate(results) if isinstance(result, str)} == dict.fromkeys(
            (7, 8, 39), KILLER
        )

    def test_are_gone_when_the_caller_gives_up(self, make_folder):
        root = make_folder({"cats": 40})
        paths = [root / "cats" / f"{number}.png" for number in range(40)]
        before = set(multiprocessing.active_children())
        decoding = decode_chunks([(0, paths), (40, [HangingPath(paths[0])])], SIZE, 1)
        next(decoding)
        decoding.close()

        assert set(multiprocessing.active_children()) <= before

    def test_do_not_load_what_decoding_does_not_need(self, make_folder):
        path = ModulesPath(make_folder({"cats": 1}) / "cats" / "0.png")
        ((_, results),) = decode_chunks([(0, [path])], SIZE, 1)

        loaded = Path(f"{path}.modules").read_text().split()
        assert not isinstance(results[0], str) and "tlsearch.search.data.decode_pool" in loaded
        assert not {"tensorflow", "keras", "optuna", "keras_tuner", "sklearn", "rich"} & set(loaded)

    def test_of_a_script_without_a_main_guard_are_done_without(self, make_folder, tmp_path):
        root = make_folder({"cats": ONE_PROCESS, "dogs": 10})
        script = tmp_path / "script.py"
        script.write_text(
            f"from tlsearch.search import open_folder\nprint(len(open_folder({str(root)!r}, size=8, processes=2).files))\n"
        )
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)

        assert done.stdout == f"{ONE_PROCESS + 10}\n"

    @needs("signal.SIGKILL", "/proc")
    def test_end_with_a_parent_that_is_killed(self):
        code = (
            "import multiprocessing, os, signal\n"
            "from pathlib import Path\n"
            "from tlsearch.search.data.decode_pool import decode_chunks\n"
            "if __name__ == '__main__':\n"
            "    for _ in decode_chunks([(0, []), (0, [Path('nowhere')])], 8, 1):\n"
            "        print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
            "        os.kill(os.getpid(), signal.SIGKILL)\n"
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
