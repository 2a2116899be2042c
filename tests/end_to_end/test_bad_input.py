"""What a user may get wrong on the command line: one line on standard error, its exit code, nothing changed."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from ..search.factory import settings


def tlsearch(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", "tlsearch", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def photos(make_folder):
    return make_folder({"cats": 8, "dogs": 8})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "missing"], "DATA must be a folder of images, got missing (no such folder)"),
        (["run", "photos/cats/0.png"], "(a file)"),
        (["run", "photos/cats"], "class folders"),
        (["run", "photos", "--trials", "0"], "--trials must be a whole number of at least 1, got 0"),
        (["run", "photos", "--confirm", "-1"], "--confirm must be auto or a number from 0 to 1,000, got -1"),
        (["run", "photos", "--confirm", "many"], "--confirm must be auto or a number from 0 to 1,000, got many"),
        (["run", "photos", "--folds", "2"], "--folds must be auto, 1 for none, or a number from 3 to 20, got 2"),
        (["report", "--top", "0"], "--top must be a whole number of at least 1, got 0"),
        (["run", "photos", "--fine-tune-at", "999"], "fine_tune_at must be between 1 and 153"),
        (["run", "photos", "--size", "7"], "--size must be from 32 to 1024 pixels, got 7"),
        (["run", "photos", "--alpha", "0.4"], "--alpha must be one of"),
        (["run", "photos", "--technique", "thaw"], "thaw"),
        (["run", "photos", "--engine", "hyperopt"], "hyperopt"),
        (["run", "photos", "--algorithm", "sobol"], "--algorithm of engine optuna must be one of"),
        (["run", "photos", "--space", "nope.toml"], "--space must be default, post, smoke or a TOML file"),
        (["run", "photos", "--time-limit", "soon"], "--time-limit must be a time above 0 such as 90s"),
        (["run", "photos", "--cache-limit", "20"], "--cache-limit must be a size such as 500MB or 20GB, got 20"),
        (["run", "photos", "--cache-dtype", "int8"], "int8"),
        (["run", "photos", "--workers", "0"], "--workers must be auto or a number from 1"),
        (["run", "photos", "--weights", "nope.h5"], "--weights must be imagenet, starter, random or a file"),
        (["run", "--demo", "huge"], "--demo must be one of"),
        (["run", "photos", "--nonsense"], "--nonsense"),
        (["run", "photos", "--weights", "random", "--study", "photos/cats/0.png"], "--study must be a folder"),
        (["run", "photos", "--weights", "random", "--study", "photos"], "which holds cats"),
        (["run", "photos", "--weights", "random", "--study", "photos", "--fresh"], "--fresh deletes a study"),
        (["report"], "there is no study under runs/"),
        (["report", "photos"], "no study in it"),
        (["report", "missing"], "no such folder"),
        (["export", "pets.keras"], "there is no study under runs/"),
        (["export", "photos", "pets.keras"], "no study in it"),
        (["export", "a", "b", "c"], "export takes STUDY and OUT, got 3 paths"),
        (["predict", "missing.keras", "photos"], "MODEL must be a file that can be read, got missing.keras"),
        (["predict", "photos/cats/0.png", "photos"], "which is none"),
        (["predict", "photos", "photos"], "without saved_model.pb"),
        (["run", "photos", "--cache-dir", "photos/cats/0.png"], "cache folder must be writable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_and_exit_code_2(photos, in_process, arguments, words):
    before = snapshot(photos)
    done = in_process(*arguments, cwd=photos.parent)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("decode:")]
    assert len(lines) == 1 and lines[0].startswith("Error: "), done.stderr
    assert words in lines[0]
    assert "Traceback" not in done.stderr
    assert snapshot(photos) == before
    assert not (photos.parent / "runs").exists()


@pytest.mark.slow
def test_without_weights_or_a_network_one_line_says_what_to_do(photos):
    nowhere = {"KERAS_HOME": str(photos.parent / "keras"), "https_proxy": "http://127.0.0.1:9"}
    done = tlsearch("run", "photos", "--alpha", "0.35", "--quiet", cwd=photos.parent, **nowhere)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]  # before it Keras says what it tries to download
    assert line.startswith("Error: ") and "0.35_160_no_top.h5" in line and "--weights FILE" in line


def test_a_class_too_small_to_split_is_named(make_folder, in_process):
    photos = make_folder({"cats": 8, "dogs": 2})
    done = in_process("run", photos, cwd=photos.parent)
    assert done.returncode == 2
    assert "'dogs'" in done.stderr and "got 2" in done.stderr and str(photos) in done.stderr


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        ({"train/cats": 8, "train/dogs": 8, "test/cats": 4}, "no usable image of class 'dogs'"),
        ({"train/cats": 8, "train/dogs": 8, "test/cats": 1}, "no usable image of class 'dogs'"),
        (
            {"train/cats": 8, "train/dogs": 8, "test/cats": 4, "test/dogs": 4, "test/foxes": 4},
            "no usable image of class 'foxes'",
        ),
        ({"train/cats": 1}, "at least two classes"),
        ({"cats": 1}, "at least two classes"),
    ],
    ids=["a class missing from test", "one test image", "a label that training lacks", "one image", "one image, flat"],
)
def test_what_cannot_be_judged_is_refused_before_any_training(make_folder, in_process, folders, words):
    photos = make_folder(folders)
    done = in_process("run", photos, "--weights", "random", "--size", 32, cwd=photos.parent)
    assert done.returncode == 2, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("decod"))
    assert line.startswith("Error: ") and words in line
    assert not (photos.parent / "runs").exists()


@pytest.mark.parametrize("damage", ["study.db", "study.json"])
def test_a_damaged_study_is_left_alone(photos, in_process, damage):
    study = photos.parent / "study"
    study.mkdir()
    (study / "study.json").write_text('{"schema": 1}' if damage == "study.json" else _settings())
    (study / "study.db").write_bytes(b"no database at all" * 50)
    before = snapshot(study)
    for command in (["report", study], ["run", photos, "--weights", "random", "--size", "32", "--study", study]):
        done = in_process(*command, cwd=photos.parent)
        assert done.returncode == 2 and "is damaged" in done.stderr and damage in done.stderr
        assert snapshot(study) == before


def _settings():
    fields = {"schema": 1, **dataclasses.asdict(settings())}
    return json.dumps(fields)


def test_debug_shows_the_traceback(photos):
    done = tlsearch("--debug", "run", "missing", cwd=photos.parent)
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_a_reader_that_goes_away_is_no_error(photos):
    command = f"{sys.executable} -m tlsearch run --help | head -1"
    done = subprocess.run(command, shell=True, cwd=photos.parent, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr


def test_help_and_version_load_no_framework(tmp_path):
    code = (
        "import sys; sys.argv = ['tlsearch', '--help']\n"
        "from tlsearch.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'optuna', 'keras_tuner', 'numpy', 'PIL', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert tlsearch("--version", cwd=tmp_path).stdout.startswith("tlsearch 0.")
