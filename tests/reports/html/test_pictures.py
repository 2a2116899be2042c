import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tlsearch.reports import summarize
from tlsearch.reports.html.pictures import MISTAKES, SAMPLES, album, class_samples, mistakes
from tlsearch.search.data.demo import TARGET_SHAPES
from tlsearch.search.data.folder import scan
from tlsearch.search.storage.store import StudyStore

from ..factory import whole_study
from .factory import photographed


@pytest.fixture
def study(tmp_path):
    return photographed(tmp_path / "photos", tmp_path / "data", ("cats", "dogs"), train=8, test=60)


def test_samples_of_each_class_and_the_mistakes(study):
    found = album(summarize(study))
    assert [(name, len(shown)) for name, shown in found.samples] == [("cats", SAMPLES), ("dogs", SAMPLES)]
    assert found.missing == () and 0 < len(found.mistakes) <= MISTAKES
    for shown in found.mistakes:
        true = shown.name.split("/")[1]
        assert shown.text.startswith(f"{true}, taken for {'dogs' if true == 'cats' else 'cats'} (")
        assert shown.source.startswith("data:image/jpeg;base64,")


def test_the_most_confident_mistakes_come_first(study):
    summary = summarize(study)
    confirmations = summary.recommended.confirmations
    found = mistakes(study, confirmations, most=1000)
    mean = np.mean([study.predictions(one)[0] for one in confirmations], axis=0)
    labels = study.predictions(confirmations[0])[1]
    assert {one.place for one in found} == set(np.flatnonzero(mean.argmax(axis=1) != labels))
    confidences = [one.confidence for one in found]
    assert confidences == sorted(confidences, reverse=True)
    assert all(one.confidence == pytest.approx(mean[one.place, one.predicted]) for one in found)


def test_a_folder_that_has_gone_is_spoken_of(study, tmp_path):
    shutil.rmtree(tmp_path / "data")
    found = album(summarize(study))
    assert not found.samples and not found.mistakes and "cannot be read any more" in found.missing[0]


def test_test_images_that_have_gone_are_counted(study, tmp_path):
    shutil.rmtree(tmp_path / "data" / "test")
    (tmp_path / "data" / "test" / "cats").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "data" / "test" / "cats" / "other.png")
    found = album(summarize(study))
    assert found.samples and not found.mistakes and "mistaken test images cannot be read any more" in found.missing[-1]


def test_nothing_outside_the_data_folder_is_opened(study, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8)).save(secret)
    for name in (str(secret), "../secret.png"):
        (study.place.path / "test_files.json").write_text(json.dumps([name] * 120))
        assert album(summarize(study)).mistakes == ()


def test_a_study_that_did_not_record_its_test_files_says_so(study):
    (study.place.path / "test_files.json").unlink()
    found = album(summarize(StudyStore.open(study.place)))
    assert found.samples and "does not record" in found.missing[0]


def test_many_classes_have_few_pictures_each(make_folder):
    folder = make_folder({f"train/{number:03}": 3 for number in range(60)} | {f"test/{number:03}": 1 for number in range(60)})
    found = class_samples(scan(folder), [f"{number:03}" for number in range(60)], most=40)
    assert len(found) == 20 and {len(shown) for _, shown in found} == {2}


def test_a_damaged_file_gives_way_to_the_next(make_folder):
    folder = make_folder({"cats": 6, "dogs": 6})
    (folder / "cats" / "0.png").write_bytes(b"no image")
    ((_, shown), _) = class_samples(scan(folder), ["cats", "dogs"], each=2)
    assert [one.name for one in shown] == ["cats/1.png", "cats/3.png"]


@pytest.mark.slow
def test_the_built_in_pictures_are_drawn_again(tmp_path):
    classes = tuple(sorted(TARGET_SHAPES))
    store = whole_study(tmp_path / "demo", data={"path": "demo:small-similar", "classes": classes[:2]})
    found = album(summarize(store))
    assert [(name, len(shown)) for name, shown in found.samples] == [(name, SAMPLES) for name in classes[:2]]
