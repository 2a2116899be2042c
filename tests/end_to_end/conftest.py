"""What the tests of the command share."""

import signal
import subprocess
import sys

import pytest

from tlsearch.cli import main


@pytest.fixture
def in_process(monkeypatch, capfd):
    """Runs the command in this process, where what it does is tested and not its start, which takes seconds."""

    def run(*arguments, cwd):
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["tlsearch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, ended.value.code, said.out, said.err)

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)
