"""The confirm phase: each technique's finalist is trained again with several seeds and evaluated on the test split.

The finalist is chosen on the validation split alone. This is the only place that asks a worker for test predictions. Of the
models trained with a finalist's seeds, the one that did best on the validation split is kept with the study.
"""

from __future__ import annotations

from ..data.dataset import Dataset
from ..events import Confirmed, Foreseen, PhaseAdvanced, Warned
from ..metrics import scores
from ..storage.base import POLL_SECONDS
from ..storage.models import KeptModel, keep_better
from ..training.trainer import Job, Outcome
from ..trial import Confirmation
from ..workers.messages import Train, Trained
from ..workers.pool import RunEnd, WorkerPool
from .confirmation_plan import ConfirmationPlan, Run, expected_seconds
from .training import Conditions, TrainingPhase


class Confirmer(TrainingPhase):
    """Does the training runs of a plan that have not been done yet, round by round.

    Args:
        plan: What is to be trained.
        dataset: Of the study, with its folds.
        conditions: Of all runs.
    """

    def __init__(self, plan: ConfirmationPlan, dataset: Dataset, conditions: Conditions) -> None:
        super().__init__(plan.store, conditions)
        self._plan = plan
        # A model of one fold has not seen that fold's images: none is kept, but one trained on all of them when it is wanted.
        self._keeps = not dataset.folds
        self._dataset = dataset.fold(plan.store.fold)
        self._waiting: list[Run] = []
        self._running: dict[int, Run] = {}
        self._gone: set[Run] = set()
        self._begun = 0

    def run(self, pool: WorkerPool) -> None:
        """Confirms until nothing remains or the time limit is reached."""
        while waiting := self._plan.remaining(self._gone):
            self._foresee()
            if self._plan.prospect and expected_seconds([run.trial for run in waiting], len(pool.workers)) > self._limit.left:
                return  # what was asked for is done, and a longer look would take too long
            # The longest first, so that no worker is left alone with it (Graham 1969); under a time limit seed by seed, so that
            # it cuts all techniques alike.
            self._waiting = waiting if self._limit.exists else sorted(waiting, key=lambda run: -run.trial.seconds)
            self._train(pool)
            if self._waiting:
                done, total = self._plan.progress(self._gone)
                self._listener(Warned(f"The time limit left {total - done} of {total} confirmation runs undone."))
                return
        self._foresee()

    def goes_on(self, run: Train, measurement: object) -> bool:
        """See `TrainingRuns`. Every run is trained to its end."""
        return True

    def ended(self, run: Train, end: RunEnd) -> None:
        own = self._running.pop(run.ticket)
        if self._may_retry(own, end):
            self._store.recorder.release(own.claim)
            self._waiting.insert(0, own)
            return
        if not isinstance(end, Trained):
            self._store.recorder.release(own.claim)
            self._gone.add(own)
            if end.details:
                self._store.keep_traceback(own.trial.number, end.details, seed=own.seed)
            failed = f"A confirmation run of {own.trial.recipe.technique} failed ({end.error}); its seed is left out."
            self._listener(Warned(failed, end.details))
            return
        assert end.outcome is not None
        if not self._confirmed(own, end.outcome):
            # Another driver has taken it over.
            self._waiting.append(own)
            return
        self._advance()

    def _begin(self, worker: str) -> Train | None:
        if (own := self._take()) is None:
            return None
        ticket, self._begun = self._begun, self._begun + 1
        self._running[ticket] = own
        job = Job(
            own.trial.recipe,
            own.seed,
            head_seed=own.seed,
            patience=self._conditions.patience,
            test=True,
            keep=self._keeps,
            fold=self._store.fold,
        )
        return Train(ticket, job, self._conditions.cached_cuts)

    def _take(self) -> Run | None:
        """Takes the first waiting run that no other driver is training."""
        for run in [*self._waiting]:
            if not self._store.recorder.claim(run.claim):
                continue
            self._waiting.remove(run)
            if not self._store.recorder.shared or run in self._plan.remaining(self._gone):
                return run
            # Another driver has done it.
            self._store.recorder.release(run.claim)
            self._advance()
        return None

    def _waiting_for(self) -> str:
        count = len(self._waiting) if self._store.recorder.shared else 0
        return f"{count} confirmation run{'s' if count > 1 else ''} of other drivers" if count else ""

    def _out_of_time(self) -> bool:
        return self._limit.reached()

    def _confirmed(self, run: Run, outcome: Outcome) -> bool:
        """Records a run and keeps its model; returns False where another driver has taken the run over."""
        assert outcome.test is not None
        labels = self._dataset.labels[self._dataset.test]
        confirmation = Confirmation(
            recipe=run.trial.recipe,
            trial=run.trial.number,
            seed=run.seed,
            seconds=outcome.seconds,
            val_score=outcome.best.score,
            scores={str(name): value for name, value in scores(outcome.test, labels).items()},
            predictions="",
        )
        if outcome.weights is not None:
            # The model first: a kill between the two then costs a training run, not the model.
            self._keep(
                KeptModel(
                    recipe=run.trial.recipe,
                    trial=run.trial.number,
                    seed=run.seed,
                    order=run.number,
                    epoch=outcome.best.epoch,
                    val_score=confirmation.val_score,
                    weights=outcome.weights,
                )
            )
        if (recorded := self._store.confirm(confirmation, outcome.test, labels, claim=run.claim)) is None:
            return False
        self._listener(Confirmed(recorded))
        return True

    def _keep(self, model: KeptModel) -> None:
        """Keeps a model unless a better one is there, and while no other driver does the same."""
        claim = f"model {model.recipe.technique}"
        while not self._store.recorder.claim(claim):
            self._limit.sleep(POLL_SECONDS / 10)
        try:
            keep_better(self._store.files, model, self._store.settings.metric)
        finally:
            self._store.recorder.release(claim)

    def _advance(self) -> None:
        self._listener(PhaseAdvanced("confirm", *self._plan.progress(self._gone)))

    def _foresee(self) -> None:
        if self._plan.prospect:
            self._listener(Foreseen(self._plan.prospect.technique, self._plan.prospect.regret))
