"""What the search and confirm phases share."""

from types import SimpleNamespace

import pytest

from tlsearch.search.phases.training import Conditions, TrainingPhase
from tlsearch.search.storage.base import POLL_SECONDS

from ..fakes import FakeClock


class Idle(TrainingPhase):
    """Has nothing to train, and counts how often it is asked."""

    asked = 0

    def goes_on(self, run, measurement):
        return True

    def ended(self, run, end):
        pass

    def _begin(self, worker):
        self.asked += 1

    def _out_of_time(self):
        return False

    def _waiting_for(self):
        return ""


@pytest.mark.parametrize(("shared", "at_once", "later"), [(True, 1, 2), (False, 2, 4)])
def test_a_shared_study_without_anything_to_train_is_asked_again_after_a_while(shared, at_once, later):
    clock = FakeClock(1000.0)
    store = SimpleNamespace(recorder=SimpleNamespace(shared=shared))
    phase = Idle(store, Conditions(patience=None, limit=clock.limit(60.0)))
    assert phase.next_run("worker-1") is phase.next_run("worker-2") is None and phase.asked == at_once
    clock.sleep(POLL_SECONDS)
    assert phase.next_run("worker-1") is phase.next_run("worker-2") is None and phase.asked == later
