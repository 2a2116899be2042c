from tlsearch.search.seeds import derive


def test_seeds_are_stable_distinct_and_never_zero():
    assert derive(0, 1) == derive(0, 1)
    seeds = {derive(seed, number) for seed in range(20) for number in range(200)}
    assert len(seeds) == 4000
    assert min(seeds) > 0 and max(seeds) < 2**31
