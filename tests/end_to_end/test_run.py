"""The main job through the command, with real training on tiny images."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest
from PIL import Image
from typer.testing import CliRunner

from tlsearch.cli import app
from tlsearch.search.storage.store import StudyStore

from ..platforms import needs
from ..search.factory import striped_dataset, traceback_of

pytestmark = pytest.mark.trains
TECHNIQUES = ["frozen", "fine-tune", "full"]
OPTIONS = ["--weights", "starter", "--alpha", "0.35", "--size", "32", "--space", "smoke"]


def command(*arguments):
    return [sys.executable, "-m", "tlsearch", *map(str, arguments)]


def tlsearch(*arguments, cwd, code=0):
    done = subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=280)
    assert done.returncode == code, done.stderr
    return done


def report(study, cwd):
    """What `tlsearch report` gives, without the start of a process."""
    with contextlib.chdir(cwd):
        done = CliRunner().invoke(app, ["report", str(study), "--format", "json"], catch_exceptions=False)
    return json.loads(done.stdout)


@pytest.fixture
def photos(tmp_path):
    dataset = striped_dataset(tmp_path)
    for number, (pixels, label) in enumerate(zip(dataset.images()[:], dataset.labels, strict=True)):
        folder = tmp_path / "photos" / dataset.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (tmp_path / "photos" / "plain" / "broken.jpg").write_bytes(b"\xff\xd8 cut off")
    return tmp_path / "photos"


def test_run_report_and_run_again(photos, in_process):
    home = photos.parent
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    done = tlsearch("run", "photos", *OPTIONS, "--trials", 4, "--confirm", 2, "--workers", 1, cwd=home)
    assert "[4/4]" in done.stderr and "broken.jpg" in done.stdout
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before

    found = json.loads(tlsearch("report", "runs/photos", "--format", "json", cwd=home).stdout)
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 4
    assert [entry["technique"] for entry in found["techniques"]] == TECHNIQUES
    assert all(len(entry["test_accuracy"]["seeds"]) == 2 for entry in found["techniques"])
    assert found["data"]["skipped"][0]["path"].endswith("broken.jpg")
    assert len(found["data"]["depth_profile"]) == 18 and found["data"]["knn"]["images"] == found["data"]["train"]
    assert found["confusion"]["technique"] == found["verdict"]["recommended"] and found["timing"]["decode"] > 0

    # Optuna's own tools read it, and may go on with it.
    study = optuna.load_study(study_name="photos", storage=f"sqlite:///{home}/runs/photos/study.db")
    assert len(study.trials) == 4 and study.best_value == max(trial["val_accuracy"] for trial in found["trials"])
    assert study.trials[0].intermediate_values

    began = time.monotonic()
    again = tlsearch("run", "photos", *OPTIONS, "--trials", 4, "--confirm", 2, cwd=home)
    assert "trial" not in again.stderr and time.monotonic() - began < 60
    assert report("runs/photos", home) == found

    refused = in_process("run", "photos", *OPTIONS, "--seed", 1, "--trials", 4, cwd=home)
    assert refused.returncode == 2 and "the seed was 0, now 1" in refused.stderr and "--fresh" in refused.stderr
    assert report("runs/photos", home) == found

    more = in_process("run", "photos", *OPTIONS, "--trials", 5, "--confirm", 2, "--technique", "frozen", cwd=home)
    assert more.returncode == 2 and "techniques" in more.stderr


@pytest.fixture
def interruptible():
    """A process that was started in the background ignores Ctrl-C, and so would those that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@needs("signal.SIGKILL")  # signals that a process may handle: elsewhere each one ends it
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("how", "code"),
    [
        pytest.param("SIGINT", 130, id="interrupted"),
        pytest.param("SIGTERM", 130, id="terminated"),
        pytest.param("SIGKILL", -9, id="killed"),
    ],
)
def test_cut_off_at_any_moment_the_same_command_goes_on(photos, how, code):
    home = photos.parent
    run = ["run", "photos", *OPTIONS, "--trials", 4, "--confirm", 1, "--engine", "keras-tuner", "--workers", 1]
    # What a kill leaves of a worker's log is left in a folder of the test's.
    quarters = {**os.environ, "TMPDIR": str(home)}
    with subprocess.Popen(
        command(*run),
        cwd=home,
        env=quarters,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as searching:
        for line in searching.stderr:
            if line.startswith("[1/4]"):
                break
        os.kill(searching.pid, signal.Signals[how])
        rest = searching.stderr.read()
        assert searching.wait(60) == code
    assert "Traceback" not in rest
    if how == "SIGINT":
        assert "the same command goes on" in rest
    kept = [trial for trial in report("runs/photos", home)["trials"] if trial["state"] == "complete"]
    assert kept

    tlsearch(*run, cwd=home)
    found = report("runs/photos", home)["trials"]
    assert sum(trial["state"] == "complete" for trial in found) == 4
    assert [trial for trial in found if trial["number"] in {trial["number"] for trial in kept}] == kept
    recipes = [json.dumps(trial["recipe"], sort_keys=True) for trial in found if trial["state"] == "complete"]
    assert len(set(recipes)) == 4


@pytest.mark.slow
@pytest.mark.alone
def test_a_time_limit_leaves_time_to_confirm(photos):
    limited = ["run", "photos", *OPTIONS, "--trials", 5000, "--confirm", 400, "--time-limit", "45s", "--workers", 1]
    done = tlsearch(*limited, cwd=photos.parent)
    assert "instead of 400 training seeds a finalist" in done.stderr
    found = report("runs/photos", photos.parent)
    seeds = [len(entry["test_accuracy"]["seeds"]) for entry in found["techniques"]]
    assert len(seeds) == 3 and min(seeds) >= 1 and max(seeds) - min(seeds) <= 1
    assert 0 < found["timing"]["train"] and 0 < found["timing"]["confirm"]


@pytest.mark.slow
def test_fresh_starts_anew(photos):
    home = photos.parent
    frozen = ["run", "photos", *OPTIONS, "--technique", "frozen", "--trials", 1, "--confirm", 0]
    tlsearch(*frozen, cwd=home)
    tlsearch(*frozen, "--seed", 1, "--fresh", cwd=home)
    found = report("runs/photos", home)
    assert found["study"]["seed"] == 1 and len(found["trials"]) == 1
    assert found["verdict"]["decision"] == "insufficient"


BREAK = """
from tlsearch.cli import main
from tlsearch.search.training.trainer import Trainer

def train(*arguments):
    raise RuntimeError("broken on purpose")

# Workers import this file too.
Trainer.train = train
if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("debug", [pytest.param(False, marks=pytest.mark.slow), True])
def test_debug_shows_why_a_trial_failed(photos, debug):
    home = photos.parent
    (home / "broken.py").write_text(BREAK)
    run = ["run", "photos", *OPTIONS, "--technique", "frozen", "--trials", 1, "--workers", 1]
    command = [sys.executable, "broken.py", *(["--debug"] if debug else []), *map(str, run)]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "failed: RuntimeError: broken on purpose" in done.stderr
    assert ("Traceback of trial 0:" in done.stderr) is ("in train\n" in done.stderr) is debug
    assert "Traceback" not in StudyStore.open(home / "runs/photos").trials()[0].error
    assert 'raise RuntimeError("broken on purpose")' in traceback_of(StudyStore.open(home / "runs/photos"), 0)


def test_dry_run_writes_no_study(photos, in_process):
    quick = ["--technique", "frozen", "--workers", 1]
    done = in_process("run", "photos", *OPTIONS, *quick, "--dry-run", cwd=photos.parent)
    assert done.returncode == 0
    assert "20 trials with optuna (tpe)" in done.stdout and "In all about" in done.stdout
    assert not (photos.parent / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["optuna", "keras-tuner"])
def test_real_photographs(real_data, tmp_path, engine):
    """Ants and bees at 96 px: a logistic regression on the frozen features is right on 0.784 of the test images."""
    (weights,) = (real_data / "weights").glob("*_0.35_224_no_top.h5")
    options = ["--weights", weights, "--alpha", 0.35, "--size", 96, "--engine", engine, "--fine-tune-at", 116]
    tlsearch("run", real_data / "data" / "ants_bees", *options, "--trials", 9, "--confirm", 2, cwd=tmp_path)
    found = report("runs/ants_bees", tmp_path)
    assert (found["data"]["train"] + found["data"]["val"], found["data"]["test"]) == (245, 153)
    for entry in found["techniques"]:
        # 0.65 is four standard errors below the regression's result, and three above chance.
        assert entry["test_accuracy"]["mean"] > 0.65
