"""BatchNorm while fine-tuning: folded, in inference mode or training, by accuracy and speed, over learning rates.

    python benchmarks/batch_norm.py DATA… --weights FILE --alpha 0.35 --size 160

fine-tunes from one layer on each data set with each mode and learning rate, with the same seeds, from the same heads, and
prints one JSON line: the best validation accuracy (mean over seeds) and the images a second of training steps.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import get_args

import numpy as np

from tlsearch.search import open_folder
from tlsearch.search.activations.cache import ActivationCache, shards_of
from tlsearch.search.activations.extract import Extractor
from tlsearch.search.activations.passes import passes
from tlsearch.search.context import Context
from tlsearch.search.training.trainer import Job, Outcome, Trainer
from tlsearch.search.trial import Measurement
from tlsearch.spaces import BackboneSpec, Recipe
from tlsearch.spaces.backbone.network import POOL
from tlsearch.spaces.backbone.spec import load_network, weights_fingerprint
from tlsearch.spaces.recipe import BatchNorm

RATES = (3e-5, 1e-4, 3e-4, 1e-3)


def main() -> None:
    """Trains every combination in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--alpha", type=float, default=0.35)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--fine-tune-at", type=int, default=98)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    found = {}
    for folder in asked.data:
        with tempfile.TemporaryDirectory() as scratch:
            found[folder.name] = compare(asked, folder, Path(scratch))
    print(json.dumps({"benchmark": "batch_norm", "fine_tune_at": asked.fine_tune_at, "epochs": asked.epochs, "data": found}))


def compare(asked: argparse.Namespace, folder: Path, scratch: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Mode → learning rate → accuracy and speed."""
    data = open_folder(folder, size=asked.size, cache_dir=scratch)
    spec = BackboneSpec(asked.alpha, asked.size, asked.weights)
    weights = spec.locate()
    network = load_network(spec, weights)
    context = Context(data, spec, weights, weights_fingerprint(spec, weights), scratch / "activations", 0, "accuracy")
    extractor = Extractor(context, network)
    cuts = [network.cut_for(asked.fine_tune_at), POOL + 1]
    for folded in (True, False):
        (work,) = passes(context, "search", cuts, folded=folded, augment=False)
        checksums = [extractor.shard(work, shard) for shard in shards_of(len(work.rows))]
        for key in work.keys(context):
            ActivationCache(context.cache).complete(key, len(work.rows), [one[key] for one in checksums])
    trainer = Trainer(data, network, extractor.inputs_for, "accuracy")
    found: dict[str, dict[str, dict[str, float]]] = {}
    for mode in get_args(BatchNorm):
        for rate in RATES:
            recipe = Recipe(
                technique="fine-tune",  # type: ignore[arg-type]
                fine_tune_at=asked.fine_tune_at,
                learning_rate=rate,
                batch_norm=mode,
                epochs=asked.epochs,
            )
            jobs = [Job(recipe, seed, head_seed=seed, patience=None) for seed in range(1, asked.seeds + 1)]
            ends = [outcome(trainer.train(job, cuts)) for job in jobs]
            found.setdefault(mode, {})[f"{rate:g}"] = {
                "val_accuracy": round(float(np.mean([end.best.val_accuracy for end in ends])), 4),
                # The first run of a Keras model traces within its first step.
                "images_per_second": round(max(end.images_per_second for end in ends)),
            }
    return found


def outcome(training: Generator[Measurement, None, Outcome]) -> Outcome:
    """Trains to the end."""
    while True:
        try:
            next(training)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
