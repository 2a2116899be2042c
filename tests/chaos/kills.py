"""Kills searches at random moments, runs the same command again, and looks for anything lost, repeated or left behind."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from tlsearch.reports.words.sentences import PHASES as WORDS

OPTIONS = ["--weights", "starter", "--alpha", "0.35", "--size", "32", "--space", "smoke", "--workers", "1", "--confirm", "1"]
TRIALS = 4
VICTIMS = ("main", "worker", "both")
PHASES = ("start", *WORDS)
"""The phase that a kill fell into is the last one that the log had named."""

AIMS = ("decode", "extract", "search", "confirm", "")
"""Where the kills of a study are aimed at, one after the other: behind the beginning of a phase, or at any moment."""


@dataclass
class Tally:
    """What was done, and what came of it."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    phases: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*PHASES, "report"), 0))
    studies: int = 0
    finished_trials: int = 0
    cut_off: int = 0
    """Trials that were recorded as interrupted, and tried again."""
    failed: int = 0
    """Trials whose worker was killed."""
    compared: int = 0
    """Studies whose every trial, confirmation and verdict was equal to that of a study without kills."""
    problems: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Kills in all."""
        return sum(self.kills.values())


def make_photos(folder: Path) -> Path:
    """Plain and striped pictures, more than one process decodes."""
    rng = np.random.default_rng(0)
    for number in range(80):
        pixels = np.broadcast_to(rng.integers(60, 190, 3), (40, 40, 3)).astype(np.uint8)
        name = "plain"
        if number % 2:
            pixels = pixels.copy()
            pixels[::8], pixels[1::8], name = 255, 0, "striped"
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


class Search:
    """One study in a folder of its own, with its own cache and temporary files."""

    def __init__(self, home: Path, photos: Path, engine: str) -> None:
        self.home, self.photos, self.engine = home, photos, engine
        (home / "tmp").mkdir(parents=True)
        self.log = ""

    @property
    def study(self) -> Path:
        """Its folder."""
        return self.home / "study"

    def start(self) -> subprocess.Popen[str]:
        """Starts or resumes it."""
        command = ["run", self.photos, *OPTIONS, "--trials", TRIALS, "--engine", self.engine, "--study", self.study]
        return self._popen(*command)

    def report(self, *arguments: object) -> subprocess.Popen[str]:
        """Starts a report of it."""
        return self._popen("report", self.study, *arguments)

    def read(self) -> dict[str, Any] | None:
        """Its report; None where there is no study yet."""
        with self.report("--format", "json") as process:
            out, error = process.communicate(timeout=120)
        if process.returncode == 2 and ("no such folder" in error or "no study in it" in error):
            return None
        if process.returncode:
            raise AssertionError(f"report: exit code {process.returncode}: {error}")
        found: dict[str, Any] = json.loads(out)
        return found

    def _popen(self, *arguments: object) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "TMPDIR": str(self.home / "tmp"),
            "TLSEARCH_CACHE_DIR": str(self.home / "cache"),
            "TLSEARCH_CHAOS": str(self.home),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "tlsearch", *map(str, arguments)],
            env=environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def run_to_the_end(search: Search) -> tuple[dict[str, Any], float]:
    """Runs it without a kill; gives its report and the seconds that it took."""
    began = time.monotonic()
    with search.start() as process:
        _, error = process.communicate(timeout=280)
    if process.returncode:
        raise AssertionError(f"run: exit code {process.returncode}: {error}")
    found = search.read()
    assert found is not None
    return found, time.monotonic() - began


def torture(
    search: Search, victim: str, kills: int, reference: dict[str, Any], seconds: float, seed: int, tally: Tally
) -> None:
    """Kills one study ``kills`` times, then lets it end, and checks it against one that was never killed."""
    rng = random.Random(seed)
    tally.studies += 1
    kept: dict[int, Any] = {}
    # A study whose worker is killed ends all the same: it has one kill, so each begins with another aim.
    first = tally.studies - 1 if victim == "worker" else 0
    for number in range(kills):
        if not _kill_once(search, victim, AIMS[(first + number) % len(AIMS)], rng, seconds, tally):
            break
        found = search.read()
        kept = _check_kept(kept, found, tally)
    _kill_a_report(search, rng, tally)
    found, _ = run_to_the_end(search)
    _check_kept(kept, found, tally)
    _check_end(search, victim, found, reference, tally)


def _kill_once(search: Search, victim: str, aim: str, rng: random.Random, seconds: float, tally: Tally) -> bool:
    """Kills it shortly behind the beginning of the phase ``aim``, or at any moment; False where it had ended by then."""
    log = search.home / "log"
    with search.start() as process:
        # Of what is left to do after earlier kills: by the whole time, most studies would end before their second kill.
        moment = math.inf if aim else time.monotonic() + rng.uniform(0.5, 0.6 * seconds)
        lines: list[str] = []
        os.set_blocking(process.stderr.fileno(), False)  # type: ignore[union-attr]
        while time.monotonic() < moment and process.poll() is None:
            time.sleep(0.01)
            lines += process.stderr.readlines()  # type: ignore[union-attr]
            if aim and moment == math.inf and any(line.startswith(WORDS[aim]) for line in lines):  # type: ignore[index]
                moment = time.monotonic() + rng.uniform(0, 0.3)
        if process.poll() is not None:
            return False
        family = _family(process.pid)
        workers = [child for child in family if _is_worker(child)]
        tally.kills[victim] += 1
        tally.phases[_phase(lines)] += 1
        if victim in ("worker", "both"):
            for worker in rng.sample(workers, min(1, len(workers))):
                _kill(worker)
        if victim in ("main", "both"):
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)
        else:
            os.set_blocking(process.stderr.fileno(), True)  # type: ignore[union-attr]
            _, error = process.communicate(timeout=280)
            if process.returncode:
                tally.problems.append(f"a killed worker ended the search: {process.returncode}, {error[-300:]}")
        log.write_text("".join(lines))
    _, alive = psutil.wait_procs(family, timeout=20)
    if left := [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]:
        tally.problems.append(f"processes outlived a killed {victim}: {left}")
    return True


def _kill_a_report(search: Search, rng: random.Random, tally: Tally) -> None:
    out = search.home / "report.json"
    with search.report("--format", "json", "--output", out) as process:
        time.sleep(rng.uniform(0.3, 2.5))
        process.kill()
    tally.kills["main"] += 1
    tally.phases["report"] += 1
    if out.exists() and not json.loads(out.read_text()):
        tally.problems.append("a killed report left half a file")


def _check_kept(kept: dict[int, Any], found: dict[str, Any] | None, tally: Tally) -> dict[int, Any]:
    """Checks that what was finished before is still there, unchanged; gives what is finished now."""
    trials = {} if found is None else {t["number"]: t for t in found["trials"] if t["state"] != "running"}
    for number, trial in kept.items():
        if trials.get(number) != trial:
            tally.problems.append(f"trial {number} was lost or changed: {trial['state']} then {trials.get(number)}")
    return trials


def _check_end(search: Search, victim: str, found: dict[str, Any], reference: dict[str, Any], tally: Tally) -> None:
    counted = [trial for trial in found["trials"] if not trial["interrupted"]]
    cut_off = [trial for trial in found["trials"] if trial["interrupted"]]
    tally.finished_trials += len(counted)
    tally.cut_off += len(cut_off)
    tally.failed += sum(trial["state"] == "failed" for trial in counted)
    if len(counted) != TRIALS or any(trial["state"] == "running" for trial in counted):
        tally.problems.append(f"{len(counted)} trials instead of {TRIALS}: {[trial['state'] for trial in counted]}")
    recipes = [json.dumps(trial["recipe"], sort_keys=True) for trial in counted]
    if len(set(recipes)) < len(recipes):
        tally.problems.append("a trial was repeated")
    if missing := [trial["number"] for trial in cut_off if json.dumps(trial["recipe"], sort_keys=True) not in recipes]:
        tally.problems.append(f"trials {missing} were cut off and not tried again")
    if victim != "worker":
        if outcome(found) == outcome(reference):
            tally.compared += 1
        else:
            tally.problems.append(f"another outcome than without kills: {outcome(found)} instead of {outcome(reference)}")
    drafts = [path for path in search.home.rglob("*") if path.name.endswith(".tmp")]
    left = drafts + list((search.home / "tmp").iterdir())
    if left:
        tally.problems.append(f"files were left behind: {left}")
    if processes := _processes_of(search):
        tally.problems.append(f"processes were left behind: {processes}")


def outcome(report: dict[str, Any]) -> Any:
    """What must be the same with and without kills: all but numbers, times and speeds."""
    trials = [(t["recipe"], t["state"], t["val_accuracy"], [m["val_loss"] for m in t["curve"]]) for t in report["trials"]
              if not t["interrupted"]]  # fmt: skip
    techniques = [(t["technique"], t["test_accuracy"]) for t in report["techniques"]]
    verdict = {name: report["verdict"][name] for name in ("decision", "winner", "comparisons")}
    return json.loads(json.dumps([sorted(trials, key=str), techniques, verdict]))


def _phase(lines: list[str]) -> str:
    seen = "start"
    for line in lines:
        seen = next((phase for phase, words in WORDS.items() if line.startswith(words)), seen)
    return seen


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in part for part in process.cmdline())
    except psutil.Error:
        return False


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        pass


def _processes_of(search: Search) -> list[str]:
    """Those that carry the study's mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TLSEARCH_CHAOS") == str(search.home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {process.cmdline()[:4]}")
        except (psutil.Error, OSError):
            continue
    return found
