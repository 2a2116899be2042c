"""What is printed while a search runs."""

import signal
import sys
import threading

import pytest

from tlsearch.cli import console
from tlsearch.cli.console import interrupt, watching
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


def test_an_interrupt_that_a_callback_has_swallowed_comes_at_the_next_event_and_never_twice(monkeypatch):
    monkeypatch.setattr(console, "_interrupted", threading.Event())
    with watching(quiet=True) as listener:
        listener(Warned("Nothing has happened."))
        with pytest.raises(KeyboardInterrupt):
            interrupt(signal.SIGINT, None)
        with pytest.raises(KeyboardInterrupt):
            listener(Warned("It was swallowed."))
        try:
            interrupt(signal.SIGINT, None)
        except KeyboardInterrupt:
            listener(Warned("What is running is recorded on the way out."))
