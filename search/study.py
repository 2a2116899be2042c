"""A study: one search for one data set, in one folder, that the same call resumes wherever it was cut off.

The phases in order: the frozen pass fills the cache, the depth profile says how similar the images are to those of the weights,
the search tries recipes on the validation split, confirmation trains each technique's finalist again and meets the test split.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from .. import __version__
from ..spaces.backbone.spec import weights_fingerprint
from ..spaces.errors import StudyError, UnusedStudyError
from ..spaces.space import SearchSpace
from .context import Context
from .data.dataset import Dataset
from .events import FoldStarted, Foreseen, Listener, Phase, PhaseEnded, PhaseStarted, Warned, ignore
from .options import Budget, SearchKeywords, SearchOptions
from .phases.confirm import Confirmer
from .phases.confirmation_plan import ConfirmationPlan, foresee
from .phases.extract import CacheFiller
from .phases.profile import measure_profile
from .phases.progress import Progress, count_done
from .phases.search import Searcher, check_success
from .phases.time_limit import TimeLimit
from .phases.training import Conditions
from .settings import StudySettings, differences
from .storage.base import StudyPlace
from .storage.places import as_place
from .storage.store import StudyStore
from .training.trainer import PATIENCE
from .workers import fork_server
from .workers.messages import Begin
from .workers.pool import WorkerPool
from .workers.processes import ProcessPool, choose_workers

if TYPE_CHECKING:
    from .workers.ray.cluster import RayCluster


class Study:
    """A search for the best technique on ``data``.

    Made by `open`. ``run`` may be called again, in this process or another, with a larger budget.
    """

    def __init__(self, store: StudyStore, space: SearchSpace, context: Context) -> None:
        self.store = store
        self.space = space
        self._context = context

    @classmethod
    def open(
        cls,
        path: StudyPlace | Path | str,
        data: Dataset,
        search: SearchOptions | None = None,
        **options: Unpack[SearchKeywords],
    ) -> Study:
        """The study at ``path``: a new one, or the one that is there if it was made for the same search.

        Args:
            path: Folder of the study, or its name and database; made where there is none.
            data: What to search on; its size must be the backbone's.
            search: What is searched, and how.
            options: Attributes of `SearchOptions`, in place of ``search`` or of some of its values.

        Raises:
            StudyError: The folder holds something else, or a study of another search: the message says what differs.
            UnusedStudyError: That study has no trial, as where a command was given with a wrong option.
            StorageError: The database refuses.
            WeightsError: The weights cannot be found.
        """
        # In its first version None stood for the default space.
        if options.get("space") is None:
            options.pop("space", None)
        search = SearchOptions(**options) if search is None else dataclasses.replace(search, **options)
        backbone = search.backbone
        at_hand = backbone.at_hand()
        weights = backbone.locate()
        fingerprint = weights_fingerprint(backbone, weights)
        place = as_place(path)
        settings = StudySettings(
            name=place.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            engine=search.engine,
            algorithm=search.algorithm,
            seed=search.seed,
            metric=search.metric,
            space=search.space.as_dict(),
            data=data.settings(),
            alpha=backbone.alpha,
            size=backbone.size,
            weights=backbone.weights,
            weights_fingerprint=fingerprint,
            version=__version__,
            warm_start=search.warm_start,
        )
        store = StudyStore.open(place) if place.exists() else StudyStore.create(place, settings)
        if differing := differences(store.settings, settings):
            message = (
                f"{place} holds a study of another search: {'; '.join(differing)}. "
                "Give the same options to go on with it, --study for another one, or --fresh to start it anew."
            )
            # Another driver may be about to begin in a shared one.
            raise StudyError(message) if store.recorder.shared or store.trials() else UnusedStudyError(message)
        if not store.notes.test_files():
            for fold in store.folds:
                own = data.fold(fold.fold)
                fold.notes.keep_test_files([own.files[row] for row in own.test])
                if (tied := own.tied_images()) is not None:
                    fold.notes.keep_tied_images(tied)
            if weights is not None:
                # Where a download failed, another size's file may stand in for the one that was missing.
                store.notes.keep_weights_file(weights.name, downloaded=not at_hand and backbone.at_hand())
        return cls(store, search.space, search.context(data.without_names(), weights, fingerprint))

    @staticmethod
    def delete(path: StudyPlace | Path | str) -> None:
        """Deletes a study; does nothing where there is none.

        Raises:
            StudyError: The folder holds something else, or another process is searching in it.
        """
        as_place(path).delete()

    @property
    def done(self) -> int:
        """Trials that count towards the study's total, or those of its folds."""
        return count_done(self.store.trials())

    def run(
        self,
        budget: Budget,
        *,
        workers: int | None = None,
        ray: RayCluster | None = None,
        prune: bool = True,
        patience: int | None = PATIENCE,
        listener: Listener = ignore,
    ) -> None:
        """Searches until the budget is spent, then confirms; returns at once where both are done already.

        Args:
            budget: What may be spent.
            workers: Processes that train side by side; None chooses by cores and memory.
            ray: Cluster whose nodes they run on; None for this machine.
            prune: Stop trials that fall behind those of their technique at the same epoch.
            patience: Epochs without a lower validation loss after which training stops; None trains all epochs.
            listener: Receives the events, in this process.

        Raises:
            SearchFailedError: No trial succeeded.
            StudyError: Another process is running this study.
            OptionError: The cluster cannot be reached, or has no room for a trial.
            KeyboardInterrupt: Ctrl-C. What was finished is kept; call again to go on.
        """
        started = time.monotonic()
        limit = TimeLimit.after(budget.seconds)
        with self.store.hold(listener):
            for trial in self.store.sweep():
                listener(Warned(f"Trial {trial.number} was cut off; its recipe is trained again."))
            plans = [ConfirmationPlan(fold, budget.confirm, budget.care) for fold in self.store.folds]
            left = [
                plan for plan in plans if plan.remaining() or not Progress.in_study(plan.store, self.space, budget).complete
            ]
            if not left:
                check_success(self.store.trials())
                return
            try:
                with _start_pool(workers, ray, listener) as pool:
                    conditions = Conditions(patience=patience, limit=limit, listener=listener)
                    self._run(pool, budget, left, conditions, prune=prune)
            finally:
                self.store.notes.add_timing("decode", self._context.dataset.decode_seconds)
                self.store.notes.add_timing("wall", time.monotonic() - started)

    def _run(
        self, pool: WorkerPool, budget: Budget, plans: Sequence[ConfirmationPlan], conditions: Conditions, *, prune: bool
    ) -> None:
        listener = conditions.listener
        pool.begin(Begin(self._context, self.space.cuts, folded=self.space.foldings[-1]))
        ready = pool.wait_until_ready()
        self.store.notes.keep_run(ready.device, len(pool.workers))
        with CacheFiller(pool, self._context, self.space, ready.values_at, listener) as filler:
            began = time.monotonic()
            with self._timed("extract"):
                # Of all folds at once.
                conditions = dataclasses.replace(conditions, cached_cuts=filler.fill("search"))
            # In proportion to the images.
            test_share = len(self._context.dataset.test) / len(self._context.search_rows())
            test_seconds = test_share * (time.monotonic() - began)
            for place, plan in enumerate(plans):
                if self._context.dataset.folds:
                    listener(FoldStarted(plan.store.fold, len(self._context.dataset.folds)))
                own = dataclasses.replace(conditions, limit=conditions.limit.share(len(plans) - place))
                if not self._run_fold(pool, filler, budget, plan, own, prune=prune, test_seconds=test_seconds):
                    return
                if self._context.dataset.folds and (prospect := foresee(self.store, plan.care)):
                    listener(Foreseen(prospect.technique, prospect.regret))

    def _run_fold(
        self,
        pool: WorkerPool,
        filler: CacheFiller,
        budget: Budget,
        plan: ConfirmationPlan,
        conditions: Conditions,
        *,
        prune: bool,
        test_seconds: float,
    ) -> bool:
        """Searches and confirms in one fold, or in all images; returns False where other drivers are still searching."""
        limit, listener, store = conditions.limit, conditions.listener, plan.store
        with self._timed("extract"):
            suggested_cut = self._suggested_cut(pool, store, listener)
        progress = Progress.in_study(store, self.space, budget)
        if not progress.complete:
            searcher = Searcher(
                store,
                self.space,
                progress.total,
                conditions,
                prune=prune,
                reserve=plan.reserve(test_seconds=test_seconds, limit=limit, workers=len(pool.workers)),
                suggested_cut=suggested_cut,
                care=budget.care if budget.close_arms else None,
            )
            with self._phase("search", progress.due, progress.done, listener):
                searcher.run(pool)
            if searcher.others_running:
                # Finalists are chosen when all is tried.
                listener(Warned("The time limit has come; drivers that go on will confirm what the search has found."))
                return False
        if plan.remaining():
            with self._timed("extract"):
                tested = filler.fill("test")
            plan.fit(limit, len(pool.workers), listener)
            done, total = plan.progress()
            with self._phase("confirm", total, done, listener):
                confirming = dataclasses.replace(conditions, cached_cuts=conditions.cached_cuts & tested)
                Confirmer(plan, self._context.dataset, confirming).run(pool)
        return True

    def _suggested_cut(self, pool: WorkerPool, store: StudyStore, listener: Listener) -> int | None:
        """Where the depth profile would cut; the profile is measured unless the study has it."""
        profile = store.notes.profile()
        context = dataclasses.replace(self._context, dataset=self._context.dataset.fold(store.fold))
        if profile is None and (profile := measure_profile(pool, context, listener)):
            store.notes.keep_profile(profile)
        return None if profile is None else profile.suggested_cut

    @contextmanager
    def _phase(self, phase: Phase, total: int, done: int, listener: Listener) -> Iterator[None]:
        began = time.monotonic()
        listener(PhaseStarted(phase, total, done))
        with self._timed(phase):
            yield
        listener(PhaseEnded(phase, time.monotonic() - began))

    @contextmanager
    def _timed(self, phase: Phase) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.store.notes.add_timing(phase, time.monotonic() - began)


def _start_pool(workers: int | None, ray: RayCluster | None, listener: Listener) -> WorkerPool:
    if ray is None:
        fork_server.start()
        # The first recipes need it, and it takes a second to import: meanwhile, then.
        import scipy.stats  # noqa: F401

        return ProcessPool(*choose_workers(workers))
    from .workers.ray.pool import RayPool

    return RayPool(ray, workers, listener)
