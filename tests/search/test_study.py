"""A whole study with real workers, on data whose test images cannot be read until confirmation."""

import pytest

import tlsearch.search.study as study_module
from tlsearch.search.data.images import open_images
from tlsearch.search.events import Confirmed, PhaseEnded, PhaseStarted, Warned
from tlsearch.search.settings import WarmStart
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.study import Budget, Study
from tlsearch.spaces.backbone.spec import BackboneSpec
from tlsearch.spaces.errors import StudyError, UnusedStudyError
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.recipe import Technique

from .factory import begin_trial, striped_dataset, write_images

SPACE = load_preset("smoke").space.replace(techniques=(Technique.FROZEN, Technique.FINE_TUNE))


@pytest.mark.slow
@pytest.mark.trains
def test_no_test_image_is_read_before_confirmation(tmp_path):
    """The test split is the last third of the rows, and the pixels end before it: reading one raises IndexError."""
    dataset = striped_dataset(tmp_path)
    whole = open_images(dataset.images_folder)[:]
    first = dataset.test.min()
    assert first == len(whole) - len(dataset.test)
    write_images(dataset.images_folder, whole[:first])
    heard = []

    def run():
        heard.clear()
        study = Study.open(
            tmp_path / "study", dataset, backbone=BackboneSpec(0.35, 32, "random"), space=SPACE, cache_dir=tmp_path / "cache"
        )
        study.run(Budget(trials=2, confirm=1), workers=1, listener=heard.append)
        return study.store

    store = run()
    assert len(store.trials()) == 2 and all(trial.score > 0 for trial in store.trials())
    assert store.notes.profile() is not None and store.notes.test_files() == ("",) * len(dataset.test)
    # Everything went well until the search had ended. Confirmation fails, which shows that the trap works.
    ended = next(place for place, event in enumerate(heard) if isinstance(event, PhaseEnded) and event.phase == "search")
    assert not [event for event in heard[:ended] if isinstance(event, Warned)]
    warnings = [event.message for event in heard[ended:] if isinstance(event, Warned)]
    assert sum("confirmation run" in warning and "IndexError" in warning for warning in warnings) == 2
    assert store.confirmations() == ()

    write_images(dataset.images_folder, whole)
    store = run()
    assert sum(isinstance(event, Confirmed) for event in heard) == len(store.confirmations()) == 2
    assert [event.phase for event in heard if isinstance(event, PhaseStarted)] == ["extract", "confirm"], "nothing anew"


def test_a_study_of_another_search_without_trials_is_said_to_be_unused_and_stays(tmp_path):
    dataset = striped_dataset(tmp_path)
    options = {"backbone": BackboneSpec(0.35, 32, "random"), "cache_dir": tmp_path / "cache"}
    Study.open(tmp_path / "study", dataset, seed=0, **options)
    with pytest.raises(UnusedStudyError, match="another search: the seed was 0, now 1"):
        Study.open(str(tmp_path / "study"), dataset, seed=1, **options)
    assert StudyStore.open(tmp_path / "study").settings.seed == 0


def test_a_study_of_another_search_that_has_a_trial_is_kept(tmp_path):
    dataset = striped_dataset(tmp_path)
    options = {"backbone": BackboneSpec(0.35, 32, "random"), "cache_dir": tmp_path / "cache"}
    study = Study.open(tmp_path / "study", dataset, seed=0, **options)
    begin_trial(study)
    with pytest.raises(StudyError, match="another search: the seed was 0, now 1") as refused:
        Study.open(tmp_path / "study", dataset, seed=1, **options)
    assert not isinstance(refused.value, UnusedStudyError)
    assert len(StudyStore.open(tmp_path / "study").trials()) == 1


def test_a_warm_start_need_not_be_named_again(tmp_path):
    dataset = striped_dataset(tmp_path)
    options = {"backbone": BackboneSpec(0.35, 32, "random"), "cache_dir": tmp_path / "cache"}
    before = WarmStart(("other",), ())
    Study.open(tmp_path / "study", dataset, warm_start=before, **options)
    assert Study.open(tmp_path / "study", dataset, **options).store.settings.warm_start == before


def test_confirmation_goes_by_what_one_cares_about(tmp_path, monkeypatch):
    planned = []

    def plan(store, seeds, care):
        planned.append((seeds, care))
        raise KeyboardInterrupt

    monkeypatch.setattr(study_module, "ConfirmationPlan", plan)
    study = Study.open(tmp_path / "study", striped_dataset(tmp_path), backbone=BackboneSpec(0.35, 32, "random"))
    with pytest.raises(KeyboardInterrupt):
        study.run(Budget(confirm="auto", care=0.02))
    assert planned == [("auto", 0.02)]
