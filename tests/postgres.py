"""A real PostgreSQL server on loopback, from the binaries that are installed; it lives as long as the tests that need it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

PASSWORD = "p@ss:w{0}rd/%41#?"
"""With everything that a URL, Optuna's template and a shell might take for something else."""

QUOTED = "p%40ss%3Aw%7B0%7Drd%2F%2541%23%3F"
USER = "team"


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, which Debian keeps off the path."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    return next((path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)


class Server:
    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # Not below pytest's folder, which is for its user alone: PostgreSQL refuses to run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="tlsearch-postgres-"))
        self._as: list[str] = []
        if os.geteuid() == 0:
            self._as = ["runuser", "-u", "nobody", "--"]
            shutil.chown(self.folder, "nobody")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "password").chmod(0o644)
        data, options = str(self.folder / "data"), ["--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C"]
        self._run("initdb", "-D", data, "-U", USER, f"--pwfile={self.folder / 'password'}", *options)

    def url(self, database: str = "postgres", password: str = QUOTED) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    def sql(self, statement: str, database: str = "postgres") -> str:
        program = [str(self._programs / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        return subprocess.run(
            [*program, "-XAtc", statement], check=True, capture_output=True, text=True, env=environment
        ).stdout.strip()

    def remove(self) -> None:
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._programs / program), *arguments]
        # A server that is started keeps what it was given: pipes would never end.
        with (self.folder / "said").open("w+b") as said:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/")
            assert done.returncode == 0, (self.folder / "said").read_text()
