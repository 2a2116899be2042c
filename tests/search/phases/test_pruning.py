from tlsearch.search.phases.pruning import falls_behind

from ..factory import complete, measurement, pruned, recipe

CONSTANT = recipe("fine-tune", epochs=4)
DECAYING = recipe("fine-tune", epochs=4, schedule="cosine")
GOOD = [complete(0, scores=(0.8, 0.9)), complete(1, scores=(0.7, 0.8))]


def curve(*scores):
    return [measurement(epoch, score) for epoch, score in enumerate(scores, start=1)]


def test_ends_what_is_below_the_median_at_the_same_epoch():
    assert falls_behind(CONSTANT, curve(0.5, 0.6), GOOD, "accuracy")
    assert not falls_behind(CONSTANT, curve(0.5, 0.86), GOOD, "accuracy")


def test_compares_with_what_the_others_had_reached_by_then():
    slow = [complete(0, scores=(0.3, 0.4, 0.95)), complete(1, scores=(0.3, 0.4, 0.95))]
    assert not falls_behind(CONSTANT, curve(0.3, 0.5), slow, "accuracy")


def test_a_loss_is_worse_when_it_is_higher():
    assert falls_behind(CONSTANT, curve(0.99, 0.95), GOOD, "log_loss")
    assert not falls_behind(CONSTANT, curve(0.5, 0.6), GOOD, "log_loss")


def test_the_first_epoch_ends_only_what_is_worse_than_all_others():
    assert not falls_behind(CONSTANT, curve(0.71), GOOD, "accuracy"), "below their median of 0.75"
    assert not falls_behind(CONSTANT, curve(0.7), GOOD, "accuracy"), "as good as the worst"
    assert falls_behind(CONSTANT, curve(0.69), GOOD, "accuracy")
    assert not falls_behind(CONSTANT, curve(0.8), GOOD, "log_loss") and falls_behind(CONSTANT, curve(0.81), GOOD, "log_loss")


def test_the_head_at_epoch_zero_is_no_epoch():
    assert not falls_behind(CONSTANT, [measurement(0, 0.1)], GOOD, "accuracy")
    assert not falls_behind(CONSTANT, [measurement(0, 0.1), measurement(1, 0.7)], GOOD, "accuracy")
    assert falls_behind(CONSTANT, [measurement(0, 0.99), measurement(1, 0.1)], GOOD, "accuracy")


def test_two_complete_trials_come_first():
    assert not falls_behind(CONSTANT, curve(0.1, 0.1), GOOD[:1], "accuracy")
    assert not falls_behind(CONSTANT, curve(0.1, 0.1), [GOOD[0], pruned(5)], "accuracy")


def test_nothing_is_ended_before_half_of_a_schedule_is_over():
    """A high rate looks bad until it has decayed."""
    rivals = [complete(number, "fine-tune", scores=(0.8, 0.8, 0.8, 0.9)) for number in range(2)]
    assert falls_behind(CONSTANT, curve(0.1), rivals, "accuracy")
    assert not falls_behind(DECAYING, curve(0.1), rivals, "accuracy")
    assert falls_behind(DECAYING, curve(0.1, 0.1), rivals, "accuracy")
    assert not falls_behind(DECAYING, curve(0.1, 0.85), rivals, "accuracy")


def test_a_head_is_never_ended():
    path = recipe("frozen", epochs=4, schedule="cosine", l2_path=True)
    assert not falls_behind(path, curve(0.1, 0.1, 0.1, 0.1), GOOD, "accuracy")
