"""The tables of ``docs/evidence.md``, from the cells in ``docs/evidence.json``.

    python benchmarks/evidence_tables.py cells       each cell: what was known, what was found, what the rule of thumb said
    python benchmarks/evidence_tables.py rule        how often the rule of thumb is right
    python benchmarks/evidence_tables.py following   what following a rule costs, on test images that played no part
    python benchmarks/evidence_tables.py verdict     whether the verdict holds on those, and is sure of itself for good reason
    python benchmarks/evidence_tables.py decides     what tells the gaps of another data set
    python benchmarks/evidence_tables.py prior       what the verdict would gain by the model of `prior.py`
    python benchmarks/evidence_tables.py widths      the gaps of two widths of the network, side by side

A cell's search is judged by ten random halves of its test images: the verdict over the one half, the accuracies on the other.
Halves of a cell are no new data, nor are cells of a set: intervals are over data sets, drawn again with replacement. All but
the widths are of the narrow network, with which every set was searched.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from evidence import EVIDENCE
from numpy.typing import NDArray
from prior import DRAWS, Cell, known, left_out, left_out_models, ruled

from tlsearch.reports.answer.dataset import RULE
from tlsearch.reports.terminal.drawing import sparks
from tlsearch.search.statistics.chances import PRIOR
from tlsearch.search.statistics.expectation import COMPARED, FREEDOM, foretell
from tlsearch.spaces.recipe import Technique

TECHNIQUES = [str(technique) for technique in Technique]
Gaps = tuple[NDArray[np.float64], NDArray[np.float64]]
"""What is expected of those of `COMPARED` to ``frozen``: mean and covariance."""

NO_GAP: Gaps = (np.zeros(len(COMPARED)), PRIOR.gap**2 / 2 * (np.eye(len(COMPARED)) + 1))
"""As the verdict expects it."""

NARROW = 0.35
"""α of most cells."""
FIFTHS = ("below 20%", "20 to 40%", "40 to 60%", "60 to 80%", "above 80%")


def main() -> None:
    """Prints one table."""
    tables: dict[str, Callable[[Sequence[Cell]], None]] = {
        "cells": cells_table,
        "rule": rule_table,
        "following": following_table,
        "verdict": verdict_table,
        "decides": decides_table,
        "prior": prior_table,
        "widths": widths_table,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=list(tables))
    asked = parser.parse_args()
    cells = sorted(json.loads(EVIDENCE.read_text()), key=lambda cell: (cell["set"], cell["train"]))
    tables[asked.table](cells if asked.table == "widths" else [cell for cell in cells if cell["alpha"] == NARROW])


def cells_table(cells: Sequence[Cell]) -> None:
    """A line a cell; the depth profile is drawn from the first block to the last, from its lowest to its highest."""
    print(
        "| data set | images a class | test images | k-NN | depth profile | similarity | frozen | fine-tune less frozen ",
        end="",
    )
    print("| full less frozen | rule | proven best |\n|---|--:|--:|--:|---|---|--:|--:|--:|---|---|")
    for cell in cells:
        known = (
            f"{cell['set']} | {per_class(cell):.0f} | {cell['test']} | {cell['knn']['corrected']:.2f} | {sparks(cell['depth'])}"
        )
        found = f"{100 * cell['test_accuracy']['frozen']:.1f} | {' | '.join(_written(cell))}".replace("-", "−")
        print(f"| {known} | {cell['similarity']} | {found} | {cell['rule'] or 'either'} | {_proven(cell) or ''} |")


def rule_table(cells: Sequence[Cell]) -> None:
    """How often the blog post's rule of thumb is right, by the similarity that the whole data set shows."""
    whole = {cell["set"]: cell["similarity"] for cell in cells}
    print("| the whole set is | large begins at | cells | the rule's technique is proven best | is beaten for real ", end="")
    print("| cannot be told | points lost |\n|---|--:|--:|--:|--:|--:|--:|")
    for label in ("similar", "different", "either"):
        own = [cell for cell in cells if label in (whole[cell["set"]], "either") and whole[cell["set"]] != "uncertain"]
        for least in (1, 16, 64, 256, 1000):
            rule = [RULE["large" if per_class(cell) >= least else "small", whole[cell["set"]]] for cell in own]
            said = Counter(map(_said, own, rule))
            lost = 100 * np.mean(list(map(_lost, own, rule)))
            print(f"| {label} | {least} | {len(own)} | {said['right']} | {said['wrong']} | {said['open']} | {lost:.1f} |")


def following_table(cells: Sequence[Cell]) -> None:
    """What following each rule gives on fresh test images."""
    expected = left_out(cells)
    best = {id(cell): TECHNIQUES[int(expected(cell).mean(axis=0).argmax())] for cell in cells}
    rules: dict[str, Callable[[Cell, dict[str, Any]], Sequence[str]]] = {
        "tlsearch, after its search": lambda _, half: [half["recommended"]],
        "the prior of other data sets, before any": lambda cell, _: [best[id(cell)]],
        "the post's rule, where it is open at random": lambda cell, _: ruled(cell),
        **{f"always {one}": lambda _, __, one=one: [one] for one in TECHNIQUES},
    }
    print("| what is taken | accuracy on the other half | less than tlsearch's (95% interval, over sets) | regret |")
    print("|---|--:|--:|--:|")
    first: dict[str, float] = {}
    for name, rule in rules.items():
        found = {cell["set"]: [] for cell in cells}
        regrets = []
        for cell in cells:
            taken = [np.mean([half["elsewhere"][one] for one in rule(cell, half)]) for half in cell["halves"]]
            found[cell["set"]].append(float(np.mean(taken)))
            regrets += [max(half["elsewhere"].values()) - own for half, own in zip(cell["halves"], taken, strict=True)]
        means = {name: float(np.mean(values)) for name, values in found.items()}
        first = first or means
        low, high = _interval(np.array([first[name] - means[name] for name in means]))
        mean = np.mean(list(means.values()))
        less = f"{100 * (np.mean(list(first.values())) - mean):.1f} ({100 * low:.1f} to {100 * high:.1f})".replace("-", "−")
        print(f"| {name} | {100 * mean:.1f} | {less} | {100 * np.mean(regrets):.1f} |")


def verdict_table(cells: Sequence[Cell]) -> None:
    """How the verdict over one half of the test images fares on the other."""
    judged = [
        (half, elsewhere)
        for cell in cells
        for half, elsewhere in zip(cell["halves"], _elsewhere(cell), strict=True)
        if half["probability_best"]
    ]
    halves = [half for half, _ in judged]
    won = [half for half in halves if half["winner"]]
    held = [_best(half) == {half["winner"]} for half in won]
    print(f"{len(halves)} verdicts over halves with 50 test images or more; {len(won)} of them proven,", end=" ")
    print(f"of which {sum(held)} ({np.mean(held):.0%}) have the best technique on the other half")
    said = np.mean([half["expected_regret"][half["recommended"]] for half in halves])
    there = np.mean([elsewhere[half["recommended"]][1] for half, elsewhere in judged])
    real = np.mean([max(half["elsewhere"].values()) - half["elsewhere"][half["recommended"]] for half in halves])
    print(
        f"expected regret {100 * said:.2f} points, with the luck of the other half {100 * there:.2f}; it was {100 * real:.2f}"
    )
    print(f"| the probability | {' | '.join(FIFTHS)} |\n|---|{'---|' * 5}")
    of_best = [pair for half in halves for pair in _came_true(half, half["probability_best"])]
    of_elsewhere = [pair for half, elsewhere in judged for pair in _came_true(half, _chances(elsewhere))]
    for name, pairs in {"of being the best": of_best, "of scoring best on the other half": of_elsewhere}.items():
        by_fifth = [[pair for pair in pairs if min(int(5 * pair[0]), 4) == fifth] for fifth in range(5)]
        told = [(*np.mean(own, axis=0), len(own)) for own in by_fifth]
        print(f"| {name} | {' | '.join(f'{said:.0%}, true of {true:.0%} of {number}' for said, true, number in told)} |")


def _came_true(half: dict[str, Any], chances: Mapping[str, float]) -> list[tuple[float, float]]:
    """Of each technique the probability, and whether it scored best on the other half: a share where several did."""
    best = _best(half)
    return [(probability, (technique in best) / len(best)) for technique, probability in chances.items()]


def _chances(elsewhere: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    return {technique: chance for technique, (chance, _) in elsewhere.items()}


def _elsewhere(cell: Cell, prior: Gaps | None = None) -> Iterator[dict[str, tuple[float, float]]]:
    """By half and technique, the probability that the same models score best on the other half, and the regret to expect there.

    With the verdict's own prior of gaps, or another. What images do to the models comes on top on either half; what other seeds
    would do does not. A technique that is truly the best by little is often not the best on half of a small test split. The
    images' part is the covariance of the gaps over the halves, doubled, since halves are drawn from finitely many images.
    """
    whole, there = (
        np.array([[scores[name] for name in TECHNIQUES] for scores in own])
        for own in ([cell["test_accuracy"]], [half["elsewhere"] for half in cell["halves"]])
    )
    images = 2 * np.cov(there[:, 1:] - there[:, :1], rowvar=False) + 1e-7 * np.eye(len(COMPARED))
    mean, covariance = prior or NO_GAP
    kept = covariance @ np.linalg.inv(covariance + images)
    spread = np.linalg.cholesky(kept @ images + images)
    noise = np.random.default_rng(0).standard_normal((DRAWS, len(COMPARED))) @ spread.T
    for here in 2 * whole - there:
        drawn = np.column_stack([np.zeros(DRAWS), mean + kept @ (here[1:] - here[0] - mean) + noise])
        chances = np.bincount(drawn.argmax(axis=1), minlength=len(TECHNIQUES)) / DRAWS
        regrets = drawn.max(axis=1).mean() - drawn.mean(axis=0)
        yield dict(zip(TECHNIQUES, zip(chances, regrets, strict=True), strict=True))


def decides_table(cells: Sequence[Cell]) -> None:
    """How much of the gaps of a data set's cells one property of theirs tells, by a line through the cells of all others."""
    properties: dict[str, Callable[[Cell], float]] = {
        "images a class (logarithm)": lambda cell: float(np.log2(per_class(cell))),
        "images that their neighbours name right, at the end": lambda cell: float(cell["knn"]["corrected"]),
        "how much better an earlier depth is": lambda cell: max(cell["depth"]) - cell["depth"][-1],
        "classes (logarithm)": lambda cell: float(np.log2(cell["classes"])),
        "validation error of the frozen base": lambda cell: 1 - float(cell["validation"]["frozen"]),
    }
    gaps = np.array([[gap for gap, _, _ in gaps_of(cell)] for cell in cells])
    others = [np.array([other["set"] != cell["set"] for other in cells]) for cell in cells]
    plain = np.array([gaps[rest].mean(axis=0) for rest in others])
    print("| property | explained of fine-tune's gaps | of full's |\n|---|--:|--:|")
    for name, known_of in properties.items():
        line = np.column_stack([np.ones(len(cells)), [known_of(cell) for cell in cells]])
        told = [own @ np.linalg.lstsq(line[rest], gaps[rest], rcond=None)[0] for own, rest in zip(line, others, strict=True)]
        shares = 1 - np.square(gaps - told).sum(axis=0) / np.square(gaps - plain).sum(axis=0)
        print(f"| {name} | {' | '.join(f'{share:.0%}' for share in shares)} |".replace("-", "−"))


def prior_table(cells: Sequence[Cell]) -> None:
    """What the verdict over one half would gain by expecting of a data set what the other data sets showed."""
    models = left_out_models(cells)
    told = {id(cell): foretell(models[cell["set"]], known(cell)) for cell in cells}
    variance = FREEDOM / (FREEDOM - 2)
    priors: dict[str, Callable[[Cell], Gaps]] = {
        "no gap, as the verdict does": lambda _: NO_GAP,
        "the model's mean": lambda cell: (np.array(told[id(cell)].mean), NO_GAP[1]),
        "its mean and covariance": lambda cell: (np.array(told[id(cell)].mean), variance * np.array(told[id(cell)].scale)),
    }
    print(
        "| what is expected before the study | Brier score | less than the first's (95% interval, over sets) | regret ", end=""
    )
    print("| less than the first's |\n|---|--:|--:|--:|--:|")
    first = None
    for name, prior in priors.items():
        scored: dict[str, list[tuple[float, float]]] = {}
        for cell in cells:
            for half, elsewhere in zip(cell["halves"], _elsewhere(cell, prior(cell)), strict=True):
                if half["probability_best"]:
                    brier = sum((chance - true) ** 2 for chance, true in _came_true(half, _chances(elsewhere)))
                    taken = min(TECHNIQUES, key=lambda technique: elsewhere[technique][1])
                    lost = max(half["elsewhere"].values()) - half["elsewhere"][taken]
                    scored.setdefault(cell["set"], []).append((brier, 100 * lost))
        means = np.array([np.mean(own, axis=0) for own in scored.values()])
        first = means if first is None else first
        less = (f"{np.mean(own):.3f} ({low:.3f} to {high:.3f})" for own in (first - means).T for low, high in [_interval(own)])
        cells_of_row = zip((f"{value:.3f}" for value in means.mean(axis=0)), less, strict=True)
        print(f"| {name} | {' | '.join(text for pair in cells_of_row for text in pair)} |".replace("-", "−"))


def widths_table(cells: Sequence[Cell]) -> None:
    """Gaps over frozen at both widths, of the cells that were searched with both."""
    narrow = {(cell["set"], cell["images"]): cell for cell in cells if cell["alpha"] == NARROW}
    both = [
        (narrow[key], cell) for cell in cells if cell["alpha"] > NARROW and (key := (cell["set"], cell["images"])) in narrow
    ]
    print(
        "| data set | images a class | test images | fine-tune less frozen: α = 0.35 | α = 1.0 | full less frozen: α = 0.35 ",
        end="",
    )
    print("| α = 1.0 |\n|---|--:|--:|--:|--:|--:|--:|")
    for pair in both:
        gaps = [gap for own in zip(*map(_written, pair), strict=True) for gap in own]
        cell = pair[0]
        print(f"| {cell['set']} | {per_class(cell):.0f} | {cell['test']} | {' | '.join(gaps).replace('-', '−')} |")


def gaps_of(cell: Cell) -> Iterator[tuple[float, float, float]]:
    """Of ``fine-tune`` and ``full``: test accuracy above ``frozen``, and its interval."""
    found = {(a, b): (difference, interval) for a, b, difference, interval, _ in cell["differences"]}
    for technique in TECHNIQUES[1:]:
        difference, (low, high) = found["frozen", technique]
        yield 0.0 - difference, 0.0 - high, 0.0 - low


def _written(cell: Cell) -> list[str]:
    """The same in points."""
    return [f"{100 * gap:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})" for gap, low, high in gaps_of(cell)]


def per_class(cell: Cell) -> float:
    """Training images."""
    return float(cell["train"] / cell["classes"])


def _proven(cell: Cell) -> str | None:
    return cell["verdict"]["winner"] if cell["verdict"]["decision"] == "win" else None


def _lost(cell: Cell, technique: Technique) -> float:
    return float(max(cell["test_accuracy"].values()) - cell["test_accuracy"][technique])


def _said(cell: Cell, technique: Technique) -> str:
    """Whether a rule that names the technique is right, by what is proven."""
    if _proven(cell) == technique:
        return "right"
    beaten = {b if low > 0 else a for a, b, _, (low, high), p in cell["differences"] if p < 0.05 and (low > 0 or high < 0)}
    return "wrong" if technique in beaten else "open"


def _best(half: dict[str, Any]) -> set[str]:
    return {name for name, accuracy in half["elsewhere"].items() if accuracy == max(half["elsewhere"].values())}


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Of a mean over data sets."""
    drawn = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
