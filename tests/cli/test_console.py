"""What is printed while a search runs."""

import sys

import pytest

from tlsearch.cli.console import watching
from tlsearch.search.events import TrialFinished, Warned

from ..search.factory import failed


@pytest.mark.parametrize("debug", [False, True])
def test_debug_shows_the_traceback_of_a_failed_trial_and_of_a_failed_confirmation(debug, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tlsearch", *(["--debug"] if debug else []), "run"])
    with watching(quiet=False) as listener:
        listener(TrialFinished(failed(3), "Fatal Python error: [bold]Segmentation fault"))
        listener(Warned("A confirmation run failed.", "Traceback (most recent call last):\n  in train"))
        listener(Warned("Something else."))
    shown = capsys.readouterr().err
    assert "A confirmation run failed." in shown and "Something else." in shown
    assert ("Traceback of trial 3:\nFatal Python error: [bold]Segmentation fault\n" in shown) is debug
    assert ("Its traceback:\nTraceback (most recent call last):\n  in train\n" in shown) is debug
    assert shown.count("Traceback of") == shown.count("Its traceback") == debug
