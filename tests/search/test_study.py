"""A whole study with real workers, on data whose test images cannot be read until confirmation."""

import dataclasses

import numpy as np
import pytest

import tlsearch.search.study as study_module
from tlsearch.search.data.images import open_images
from tlsearch.search.data.split import Fold
from tlsearch.search.events import Confirmed, FoldStarted, Foreseen, PhaseEnded, PhaseStarted, Warned
from tlsearch.search.machine.devices import Device
from tlsearch.search.phases.confirmation_plan import ConfirmationPlan
from tlsearch.search.phases.training import Conditions
from tlsearch.search.settings import WarmStart
from tlsearch.search.storage.models import kept_bytes
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.study import Budget, Study
from tlsearch.search.workers.messages import Ready
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


@pytest.mark.parametrize(("close_arms", "care"), [(True, 0.02), (False, None)])
def test_techniques_are_closed_by_what_one_cares_about(tmp_path, monkeypatch, close_arms, care):
    given = []

    class Seen(Exception):
        pass

    def searcher(*arguments, **options):
        given.append(options["care"])
        raise Seen

    monkeypatch.setattr(study_module, "Searcher", searcher)
    monkeypatch.setattr(Study, "_suggested_cut", lambda *_: None)
    study = Study.open(tmp_path / "study", striped_dataset(tmp_path), backbone=BackboneSpec(0.35, 32, "random"))
    budget, plan = Budget(care=0.02, close_arms=close_arms), ConfirmationPlan(study.store)
    with pytest.raises(Seen):
        study._run_fold(Idle(), None, budget, plan, Conditions(patience=None), prune=True, test_seconds=0.0)
    assert given == [care]


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


def in_folds(dataset, count=3):
    """The data set divided into folds, each with images of both classes on every side."""
    rows = np.arange(len(dataset.labels))
    number = rows // 2 % count
    parts = [(rows[number == own], rows[number != own]) for own in range(count)]
    folds = tuple(Fold(train=rest[4:], val=rest[:4], test=test) for test, rest in parts)
    return dataclasses.replace(dataset, train=rows, val=rows[:6], test=rows, folds=folds)


def searched_in_folds(folder, dataset, listener=lambda event: None, trials=2, **budget):
    study = Study.open(
        folder / "study", dataset, backbone=BackboneSpec(0.35, 32, "random"), space=SPACE, cache_dir=folder / "cache"
    )
    study.run(Budget(trials=trials, **budget), workers=1, listener=listener)
    return study.store


def what_was_found(store):
    trials = [(t.fold, t.recipe, t.seed, t.score, [m.val_loss for m in t.curve]) for t in store.trials()]
    tested = [(c.fold, c.recipe, c.seed, c.scores) for c in store.confirmations()]
    return trials, sorted(tested, key=str)


@pytest.mark.slow
@pytest.mark.trains
def test_no_fold_learns_anything_of_its_test_images(tmp_path):
    """The first fold's search is the same whatever is on its test images, and whatever they are said to be."""
    dataset = in_folds(striped_dataset(tmp_path))
    hidden = dataset.folds[0].test
    pixels = open_images(dataset.images_folder)[:]
    pixels[hidden] = np.random.default_rng(1).integers(0, 255, pixels[hidden].shape)
    write_images(tmp_path / "others", pixels)
    labels = dataset.labels.copy()
    labels[hidden] = 1 - labels[hidden]
    other = dataclasses.replace(dataset, labels=labels, images_folder=tmp_path / "others", images_digest="others")
    found = []
    for name, data in (("as it is", dataset), ("changed", other)):
        (tmp_path / name).mkdir()
        found.append(searched_in_folds(tmp_path / name, data))
    first, second = ([fold.trials() for fold in store.folds] for store in found)
    assert [len(trials) for trials in first] == [2, 2, 2]
    assert [[m.val_loss for m in t.curve] for t in first[0]] == [[m.val_loss for m in t.curve] for t in second[0]]
    assert [t.score for t in first[0]] == [t.score for t in second[0]]
    # The other folds train on them, which shows that they were changed.
    assert [[m.val_loss for m in t.curve] for t in first[1]] != [[m.val_loss for m in t.curve] for t in second[1]]
    profiles = [[fold.notes.profile() for fold in store.folds] for store in found]
    assert profiles[0][0] == profiles[1][0] and profiles[0][1] != profiles[1][1]


@pytest.mark.slow
@pytest.mark.trains
def test_a_study_in_folds_that_was_cut_off_goes_on_in_the_fold_where_it_was(tmp_path):
    dataset = in_folds(striped_dataset(tmp_path))
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = searched_in_folds(tmp_path / "whole", dataset)

    def interrupt(event):
        if isinstance(event, Confirmed) and event.confirmation.fold == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched_in_folds(tmp_path / "cut", dataset, interrupt)
    heard = []
    cut = searched_in_folds(tmp_path / "cut", dataset, heard.append)
    assert [event.number for event in heard if isinstance(event, FoldStarted)] == [1, 2]
    assert isinstance(heard[-1], Foreseen)
    assert what_was_found(cut) == what_was_found(whole)
    # One seed a fold repeats the training often enough; nothing is kept that has not seen all images.
    assert len(whole.confirmations()) == 3 * 2 and kept_bytes(whole.files) == 0
    tests = [fold.notes.test_files() for fold in whole.folds]
    assert [len(files) for files in tests] == [len(fold.test) for fold in dataset.folds]
    heard.clear()
    searched_in_folds(tmp_path / "cut", dataset, heard.append)
    assert heard == []


class Idle:
    """A pool whose workers have nothing to do."""

    workers = ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def begin(self, begin):
        pass

    def share(self, keys):
        pass

    def wait_until_ready(self):
        return Ready({}, Device("CPU", "tensorflow", "float32"))


def test_folds_share_a_time_limit(tmp_path, monkeypatch):
    limits, heard = [], []

    def run_fold(study, pool, filler, trials, plan, conditions, *, prune, test_seconds):
        limits.append((plan.store.fold, conditions.limit.left))
        return True

    monkeypatch.setattr(study_module, "_start_pool", lambda *_: Idle())
    monkeypatch.setattr(Study, "_run_fold", run_fold)
    searched_in_folds(tmp_path, in_folds(striped_dataset(tmp_path)), heard.append, seconds=300)
    # Nothing takes any time here: each fold that follows could have half, then all, of what is left.
    assert [(fold, round(left / 50)) for fold, left in limits] == [(0, 2), (1, 3), (2, 6)]
    assert [event.number for event in heard if isinstance(event, FoldStarted)] == [0, 1, 2]
