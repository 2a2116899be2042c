"""Folders of images that were made to harm: the scan ends, opens nothing but files, and stays inside."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys

import pytest
from PIL import Image

from tlsearch.search.data.decode import decode
from tlsearch.search.data.folder import scan
from tlsearch.search.data.readers import MAX_MEMORY, UnreadableImageError

from ..platforms import needs
from .names import NAMES, as_file_name


@pytest.mark.timeout(120)
@pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_very_many_empty_folders(make_folder, count):
    root = make_folder({"cats": 1, "dogs": 1})
    for number in range(count // 2):
        (root / "cats" / f"{number}").mkdir()
        (root / f"{number}").mkdir()
    layout = scan(root)
    assert len(layout.candidates) == 2
    assert {file.reason for file in layout.skipped} == {"an empty folder"}


@needs("rm")
def test_a_path_of_ten_thousand_characters(make_folder, monkeypatch):
    root = make_folder({"cats": 1, "dogs": 1})
    monkeypatch.chdir(root / "cats")
    for _ in range(50):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    with open("deep.png", "wb") as file:
        file.write(b"x")
    monkeypatch.chdir(root)
    layout = scan(root)
    assert [c.path for c in layout.candidates] == ["cats/0.png", "dogs/0.png"]
    (skipped,) = layout.skipped
    assert skipped.path.startswith("cats/ddd") and "File name too long" in skipped.reason
    subprocess.run(["rm", "-rf", "cats"], check=True)  # what cleans up after pytest cannot


@needs("os.mkfifo", "socket.AF_UNIX", "/dev/zero")
def test_what_is_no_file_is_never_opened(make_folder, monkeypatch):
    root = make_folder({"cats": 1, "dogs": 1})
    monkeypatch.chdir(root / "cats")
    os.mkfifo("pipe.png")
    expected = {"cats/pipe.png", "cats/socket.png"}
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        try:
            os.mknod("zero.png", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
            os.mknod("disk.png", 0o600 | stat.S_IFBLK, os.makedev(7, 0))
            expected |= {"cats/zero.png", "cats/disk.png"}
        except PermissionError:
            pass  # only root may make them
        os.symlink("/dev/zero", "link.png")
        layout = scan(root, follow_symlinks=True)
    assert len(layout.candidates) == 2
    assert {file.path for file in layout.skipped} == expected | {"cats/link.png"}
    assert {file.reason for file in layout.skipped} == {"not a regular file"}


@needs("os.mkfifo", "/dev/zero")
def test_what_takes_a_file_s_place_after_the_scan_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.symlink("/dev/zero", tmp_path / "zero.png")
    for name in ("pipe.png", "zero.png"):
        with pytest.raises(UnreadableImageError, match="not a regular file"):
            decode(tmp_path / name, 32)


def test_links_out_of_the_folder_are_followed_when_asked(make_folder, tmp_path):
    root = make_folder({"cats": 1, "../elsewhere": 2})
    (root / "dogs").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path)
    assert {c.path for c in scan(root).candidates} == {"cats/0.png"}
    followed = scan(root, follow_symlinks=True)
    # The way up leads back to both folders: each real folder is read once.
    assert {c.path for c in followed.candidates} >= {"cats/0.png", "dogs/0.png", "dogs/1.png"}
    assert len({os.path.realpath(root / c.path) for c in followed.candidates}) == len(followed.candidates) == 3


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_names_that_look_like_code_are_names(make_folder, name):
    root = make_folder({as_file_name(name): 1, "dogs": 1})
    layout = scan(root)
    assert {c.label for c in layout.candidates} == {as_file_name(name), "dogs"}


BOMBS = {
    "palette.png": ("P", {}), "grey.png": ("L", {}), "colour.png": ("RGB", {}), "alpha.png": ("RGBA", {}),
    "deep.png": ("I;16", {}), "frame.gif": ("P", {}), "lossless.webp": ("RGB", {"lossless": True, "quality": 0, "method": 0}),
    "progressive.jpg": ("RGB", {"progressive": True, "subsampling": 0}), "plain.bmp": ("1", {}),
}  # fmt: skip


@pytest.mark.parametrize("side", [9000, pytest.param(13_376, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [name if name == "alpha.png" else pytest.param(name, marks=pytest.mark.slow) for name in BOMBS]
)
@needs("/proc")
def test_a_bomb_takes_no_more_memory_than_is_allowed(tmp_path, name, side):
    """In a process of its own, since the peak is a process's. Files of kilobytes that stand for gigabytes."""
    mode, options = BOMBS[name]
    Image.new(mode, (side, side)).save(tmp_path / name, **options)
    code = (
        "import sys; from pathlib import Path\n"
        "from tlsearch.search.data.decode import decode\n"
        "from tlsearch.search.data.readers import UnreadableImageError\n"
        "status = lambda: int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1]) << 10\n"
        "before = status()\n"
        "try: decode(Path(sys.argv[1]), 32)\nexcept UnreadableImageError: pass\n"
        "print(status() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], capture_output=True, text=True, timeout=120)
    assert int(done.stdout) < MAX_MEMORY * 1.1, done.stderr
