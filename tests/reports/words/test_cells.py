from tlsearch.reports.words.cells import best_epoch, ranking

from ...search.factory import complete

HEAD = "head: no epoch was better than the head that it began with, so it is the frozen network"


def test_of_the_best_epoch_it_is_said_among_how_many_it_was():
    assert best_epoch(complete(technique="full", scores=(0.7, 0.9, 0.8))) == "2 of 3"


def test_a_trial_that_kept_its_head_is_named_and_explained():
    trained = complete(technique="full", scores=(0.7, 0.8))
    kept = complete(technique="full", scores=(0.7, 0.8), best_epoch=0)
    assert best_epoch(kept) == "head"
    assert ranking([trained, kept], "accuracy") == f"by validation accuracy; {HEAD}"
    assert ranking([trained], "accuracy") == "by validation accuracy"
