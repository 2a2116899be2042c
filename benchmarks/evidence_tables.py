"""The tables and the figure of ``docs/evidence.md``, from the cells in ``docs/evidence.json``.

    python benchmarks/evidence_tables.py cells       each cell: what was known, what was found, what the rule of thumb said
    python benchmarks/evidence_tables.py rule        how often the rule of thumb is right
    python benchmarks/evidence_tables.py following   what following a rule costs, on test images that played no part
    python benchmarks/evidence_tables.py verdict     whether the verdict holds on those, and is sure of itself for good reason
    python benchmarks/evidence_tables.py widths      the gaps of two widths of the network, side by side
    python benchmarks/evidence_tables.py figure      docs/evidence.svg: the gaps by the images a class

A cell's search is judged by ten random halves of its test images: the verdict over the one half, the accuracies on the other.
Halves of a cell are no new data, nor are cells of a set: intervals are over data sets, drawn again with replacement. All but
the widths are of the narrow network, with which every set was searched.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from evidence import EVIDENCE
from numpy.typing import NDArray
from prior import Cell, left_out, ruled

from tlsearch.reports.answer.dataset import RULE
from tlsearch.spaces.recipe import Technique

FIGURE = EVIDENCE.with_name("evidence.svg")
TECHNIQUES = [str(technique) for technique in Technique]
NARROW = 0.35
"""α of most cells."""
LABELS = ("similar", "different", "uncertain")
FIFTHS = ("below 20%", "20 to 40%", "40 to 60%", "60 to 80%", "above 80%")


def main() -> None:
    """Prints one table, or draws the figure."""
    tables: dict[str, Callable[[Sequence[Cell]], None]] = {
        "cells": cells_table,
        "rule": rule_table,
        "following": following_table,
        "verdict": verdict_table,
        "widths": widths_table,
        "figure": draw,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=list(tables))
    asked = parser.parse_args()
    cells = sorted(json.loads(EVIDENCE.read_text()), key=lambda cell: (cell["set"], cell["train"]))
    tables[asked.table](cells if asked.table == "widths" else [cell for cell in cells if cell["alpha"] == NARROW])


def cells_table(cells: Sequence[Cell]) -> None:
    """A line a cell."""
    print(
        "| data set | images a class | test images | k-NN | similarity | frozen | fine-tune less frozen | full less frozen ",
        end="",
    )
    print("| rule | proven best |\n|---|--:|--:|--:|---|--:|--:|--:|---|---|")
    for cell in cells:
        gaps = _written(cell)
        known = (
            f"{cell['set']} | {_per_class(cell):.0f} | {cell['test']} | {cell['knn']['corrected']:.2f} | {cell['similarity']}"
        )
        found = f"{100 * cell['test_accuracy']['frozen']:.1f} | {' | '.join(gaps)}".replace("-", "−")
        print(f"| {known} | {found} | {cell['rule'] or 'either'} | {_proven(cell) or ''} |")


def rule_table(cells: Sequence[Cell]) -> None:
    """How often the blog post's rule of thumb is right, by the similarity that the whole data set shows."""
    whole = {cell["set"]: cell["similarity"] for cell in cells}
    print("| the whole set is | large begins at | cells | the rule's technique is proven best | is beaten for real ", end="")
    print("| cannot be told | points lost |\n|---|--:|--:|--:|--:|--:|--:|")
    for label in (*LABELS[:2], "either"):
        own = [cell for cell in cells if label in (whole[cell["set"]], "either") and whole[cell["set"]] != "uncertain"]
        for least in (1, 16, 64, 256, 1000):
            rule = [RULE["large" if _per_class(cell) >= least else "small", whole[cell["set"]]] for cell in own]
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
    halves = [half for cell in cells for half in cell["halves"] if half["probability_best"]]
    won = [half for half in halves if half["winner"]]
    held = [_best(half) == {half["winner"]} for half in won]
    print(f"{len(halves)} verdicts over halves with 50 test images or more; {len(won)} of them proven,", end=" ")
    print(f"of which {sum(held)} ({np.mean(held):.0%}) have the best technique on the other half")
    said = [half["expected_regret"][half["recommended"]] for half in halves]
    real = [max(half["elsewhere"].values()) - half["elsewhere"][half["recommended"]] for half in halves]
    print(f"expected regret {100 * np.mean(said):.2f} points; on the other half below the best there {100 * np.mean(real):.2f}")
    by_fifth = defaultdict(list)
    for half in halves:
        best = _best(half)
        for technique, probability in half["probability_best"].items():
            by_fifth[min(int(5 * probability), 4)].append((probability, (technique in best) / len(best)))
    print(f"| {' | '.join(FIFTHS)} |\n|{'---|' * 5}")
    told = [np.mean(by_fifth[fifth], axis=0) for fifth in range(5)]
    print(f"| {' | '.join(f'{said:.0%}, true of {true:.0%} of {len(by_fifth[n])}' for n, (said, true) in enumerate(told))} |")


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
        print(f"| {cell['set']} | {_per_class(cell):.0f} | {cell['test']} | {' | '.join(gaps).replace('-', '−')} |")


def draw(cells: Sequence[Cell]) -> None:
    """Writes the figure."""
    import vl_convert

    sets = sorted({cell["set"] for cell in cells})
    # Cells of one size lie beside each other.
    apart = {name: 1.025 ** (place - len(sets) / 2) for place, name in enumerate(sets)}
    points = [
        {
            "set": cell["set"],
            "images": _per_class(cell) * apart[cell["set"]],
            "similarity": cell["similarity"],
            "of": technique,
            "gap": gap,
            "low": max(low, -_MOST),
            "high": min(high, _MOST),
        }
        for cell in cells
        for technique, (gap, low, high) in zip(TECHNIQUES[1:], _gaps(cell), strict=True)
    ]
    numbers = {"type": "quantitative"}
    x = {**numbers, "field": "images", "scale": {"type": "log", "domainMin": 4}, "title": "training images a class"}
    y = {**numbers, "field": "gap", "scale": {"domain": [-_MOST, _MOST]}, "title": "test accuracy above frozen"}
    y["axis"] = {"format": "+%"}
    similarity = {"field": "similarity", "type": "nominal", "sort": LABELS, "title": "to the weights' pictures"}
    colour = {**similarity, "scale": {"domain": LABELS, "range": list(_DARK)[:3]}}
    shape = {**similarity, "scale": {"domain": LABELS, "range": ["circle", "triangle-up", "square"]}}

    def panel(technique: str) -> dict[str, Any]:
        interval = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour}
        path = {"x": x, "y": y, "detail": {"field": "set"}}
        return {
            "title": technique,
            "width": 330,
            "height": 300,
            "data": {"values": [point for point in points if point["of"] == technique]},
            "layer": [
                {"mark": {"type": "rule", "color": _INK}, "encoding": {"y": {"datum": 0}}},
                {"mark": {"type": "line", "strokeWidth": 1, "opacity": 0.5, "color": _QUIET}, "encoding": path},
                {"mark": {"type": "rule", "opacity": 0.5}, "encoding": interval},
                {
                    "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
                    "encoding": {"x": x, "y": y, "color": colour, "shape": shape},
                },
            ],
        }

    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": 10,
        "resolve": {"scale": {"y": "shared"}},
        "hconcat": [panel(technique) for technique in TECHNIQUES[1:]],
        "config": {
            "axis": {"labelColor": _INK, "titleColor": _INK, "gridColor": _GRID, "domainColor": _QUIET, "tickColor": _QUIET},
            "legend": {
                "labelColor": _INK,
                "titleColor": _INK,
                "orient": "bottom",
                "direction": "horizontal",
                "symbolOpacity": 1,
            },
            "title": {"color": _INK},
            "view": {"stroke": _GRID},
        },
    }
    drawn = str(vl_convert.vegalite_to_svg(spec, vl_version="5.20"))
    dark = "".join(f'[fill="{light}"]{{fill:{other}}}[stroke="{light}"]{{stroke:{other}}}' for light, other in _DARK.items())
    style = f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>"
    FIGURE.write_text(re.sub(r"(<svg[^>]*>)", lambda head: head[1] + style, drawn, count=1) + "\n")


_MOST = 0.4
"""Where intervals are cut off."""

_INK, _QUIET, _GRID = "#1f2328", "#8c959f", "#d1d9e0"
_DARK = {
    "#0969da": "#58a6ff",
    "#bc4c00": "#f0883e",
    "#6e7781": "#b1bac4",
    _INK: "#e6edf3",
    _QUIET: "#768390",
    _GRID: "#3d444d",
}
"""Colours, and what they are where the page is dark; first those of `LABELS`."""


def _gaps(cell: Cell) -> Iterator[tuple[float, float, float]]:
    """Of ``fine-tune`` and ``full``: test accuracy above ``frozen``, and its interval."""
    found = {(a, b): (difference, interval) for a, b, difference, interval, _ in cell["differences"]}
    for technique in TECHNIQUES[1:]:
        difference, (low, high) = found["frozen", technique]
        yield 0.0 - difference, 0.0 - high, 0.0 - low


def _written(cell: Cell) -> list[str]:
    """The same in points."""
    return [f"{100 * gap:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})" for gap, low, high in _gaps(cell)]


def _per_class(cell: Cell) -> float:
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
