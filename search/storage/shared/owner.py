"""A driver's name in the database, from which a driver on the same machine can tell that its process has ended."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from pathlib import Path


def new_owner() -> str:
    """A unique name: host, process ID, scope and start of the process (IDs are used again), and a random part."""
    pid = os.getpid()
    return "/".join((socket.gethostname()[:80] or "host", str(pid), _scope(), _start(pid), secrets.token_hex(4)))


def known_dead(owner: str) -> bool:
    """Whether a driver's process ran on this machine and has ended; False where that cannot be told."""
    parts = owner.rsplit("/", 4)
    if len(parts) != 5 or not parts[1].isdecimal():
        return False
    _, pid, scope, start, _ = parts
    return bool(scope) and scope == _scope() and start != _start(int(pid))


def shown(owner: str) -> str:
    """A driver in words, for messages."""
    host, _, rest = owner.partition("/")
    return f"process {rest.partition('/')[0]} on {host}"


def _scope() -> str:
    """Names the boot and the PID namespace, within which process IDs can be compared; empty where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        return hashlib.blake2b(f"{boot} {os.readlink('/proc/self/ns/pid')}".encode(), digest_size=6).hexdigest()
    except OSError:
        return ""


def _start(pid: int) -> str:
    """When a process started, in hundredths of a second since 1970; empty where there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        # One that has ended and that its parent has not asked about yet is a zombie.
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time() * 100:.0f}"
    except psutil.Error:
        return ""
