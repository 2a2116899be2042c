"""What becomes of errors before a command runs."""

import signal
import sys

import pytest
import typer

from tlsearch.cli import main


@pytest.fixture(autouse=True)
def same_signals():
    """`main` takes SIGTERM over for the whole process."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_typers_errors_are_of_its_public_kind():
    """`main` relies on it to tell an argument that is wrong from a bug."""
    assert issubclass(typer.BadParameter, typer.TyperException)
    assert typer.BadParameter("no number").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command"),
        (["run", "--nonsense"], "No such option: --nonsense"),
        (["run", "--trials", "x"], "--trials"),
        (["run", "--trials", "0"], "--trials must be a whole number of at least 1, got 0."),
        (["predict"], "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(arguments, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tlsearch", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.startswith("Error: ") and words in said and said.count("\n") == 1


def test_debug_shows_where_an_argument_was_refused(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tlsearch", "--debug", "run", "--nonsense"])
    with pytest.raises(typer.TyperException, match="No such option"):
        main()
