"""A search on a platform that lacks what only Linux has; `mypy --platform win32` finds the names that no test comes by."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WITHOUT = """
import ctypes, os, signal, sys

for module, names in (
    (signal, ("SIGALRM", "SIGHUP", "SIGUSR1", "alarm", "setitimer", "pthread_sigmask", "sigwait")),
    (os, ("killpg", "memfd_create", "nice", "pread", "pwrite", "sched_getaffinity", "setsid")),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)


class Library(ctypes.CDLL):
    def __getattr__(self, name):
        if name == "prctl":
            raise AttributeError(name)
        return super().__getattr__(name)


ctypes.CDLL = Library


def hide(event, arguments):
    if event == "open" and str(arguments[0]).startswith(("/proc", "/sys")):
        frame = sys._getframe(1)
        # Libraries have their own ways on other platforms.
        while frame and frame.f_globals.get("__name__", "").startswith(("pathlib", "io", "codecs")):
            frame = frame.f_back
        if frame and frame.f_globals.get("__name__", "").startswith("tlsearch"):
            raise FileNotFoundError(2, "No such file or directory", str(arguments[0]))


sys.addaudithook(hide)
"""
"""Read by every process of Python's at its start, also by those that a search starts."""


@pytest.mark.trains
def test_a_search_needs_nothing_that_only_linux_has(make_folder, tmp_path):
    root = make_folder({"cats": 20, "dogs": 20})
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    (root / "cats" / "broken.png").write_bytes(b"no picture")
    command = [sys.executable, "-m", "tlsearch", "run", str(root), "--study", str(tmp_path / "study"), "--workers", "1"]
    command += [
        "--weights",
        "starter",
        "--alpha",
        "0.35",
        "--size",
        "32",
        "--space",
        "smoke",
        "--trials",
        "2",
        "--confirm",
        "1",
    ]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=250)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "study" / "study.db").is_file()
