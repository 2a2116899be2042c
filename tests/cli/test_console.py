"""What is printed while a search runs."""

import signal
import sys
import threading
import weakref

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


@pytest.mark.parametrize(("number", "shown"), [(signal.SIGINT, False), (None, True)], ids=["Ctrl-C", "a bug"])
def test_python_says_nothing_of_an_interrupt_that_it_swallows(monkeypatch, number, shown):
    said = []
    monkeypatch.setattr(console, "_interrupted", threading.Event())
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    mine = sys.unraisablehook

    class Watched:
        pass

    with watching(quiet=True):
        watched = Watched()
        callback = weakref.ref(watched, lambda _: interrupt(number, None) if number else [].pop())
        del watched
    assert callback() is None and bool(said) is shown and sys.unraisablehook == mine


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
