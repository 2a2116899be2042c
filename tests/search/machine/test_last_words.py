import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import pytest

from tlsearch.search.machine.last_words import LastWords


def speak(words, text):
    words.take_standard_streams()
    os.write(1, b"first\n")
    os.write(2, text)


@pytest.mark.parametrize(
    ("text", "end"), [(b"why it died\n\n", "first\nwhy it died"), (b"x" * 9000, "x" * 4096), (b"\xff", "first\n\ufffd")]
)
def test_the_end_of_both_streams_is_kept(tmp_path, monkeypatch, text, end):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = LastWords()
    process = multiprocessing.get_context("spawn").Process(target=speak, args=(words, text))
    process.start()
    process.join()

    assert words.tail() == end
    words.close()
    assert not [*tmp_path.iterdir()]


def test_a_process_that_says_nothing_has_no_tail():
    words = LastWords()
    assert words.tail() == ""
    words.close()


def test_a_kill_leaves_no_file_behind_where_an_open_file_may_lose_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = LastWords()
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(words,))
    process.start()
    process.join()

    assert os.name == "nt" or not [*Path(tmp_path).iterdir()]
    words.close()
