from __future__ import annotations

import os
import stat
from pathlib import Path

import platformdirs
import pytest

from tlsearch.search.machine.paths import CACHE_VARIABLE, atomic_write, cache_root
from tlsearch.spaces.errors import OptionError


class TestCacheRoot:
    def test_the_argument_comes_first(self, tmp_path):
        assert cache_root(tmp_path / "mine" / "deep") == tmp_path / "mine" / "deep"
        assert (tmp_path / "mine" / "deep").is_dir()

    def test_then_the_environment(self, own_cache):
        assert cache_root(None) == own_cache

    def test_then_the_platform(self, tmp_path, monkeypatch):
        monkeypatch.delenv(CACHE_VARIABLE)
        monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **options: str(tmp_path / "user"))

        assert cache_root(None) == tmp_path / "user"

    def test_it_is_absolute(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        assert cache_root(Path("here")) == tmp_path / "here"

    def test_home_is_understood(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))

        assert cache_root("~/caches") == tmp_path / "caches"

    @pytest.mark.parametrize("inside", [".", "deeper"])
    def test_a_file_in_its_place_is_an_error(self, tmp_path, inside):
        (tmp_path / "file").touch()

        with pytest.raises(OptionError, match=r"must be writable, got .*file.* \(.+\)\. Name another with --cache-dir"):
            cache_root(tmp_path / "file" / inside)

    def test_a_user_without_a_home_is_an_error(self, monkeypatch):
        def no_home(self: Path) -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "expanduser", no_home)

        with pytest.raises(OptionError, match="Could not determine home directory"):
            cache_root("~/caches")


class TestAtomicWrite:
    def test_writes_a_file(self, tmp_path):
        with atomic_write(tmp_path / "file") as file:
            file.write(b"content")
            assert not (tmp_path / "file").exists()

        assert (tmp_path / "file").read_bytes() == b"content"
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_failure_leaves_what_was_there(self, tmp_path, error):
        (tmp_path / "file").write_bytes(b"before")
        with pytest.raises(error), atomic_write(tmp_path / "file") as file:
            file.write(b"half")
            raise error

        assert (tmp_path / "file").read_bytes() == b"before"
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_others_may_read_it_as_any_other_file(self, tmp_path):
        (tmp_path / "plain").touch()
        with atomic_write(tmp_path / "file"):
            pass

        assert stat.S_IMODE(os.stat(tmp_path / "file").st_mode) == stat.S_IMODE(os.stat(tmp_path / "plain").st_mode)

    def test_a_folder_that_is_not_there_is_an_error(self, tmp_path):
        with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "gone" / "file"):
            pass
