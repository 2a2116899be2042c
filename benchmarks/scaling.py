"""What grows with the number of images, and with the number of trials.

    python benchmarks/scaling.py --images 500 6000 60000 --trials 6
    python benchmarks/scaling.py --images 500 --trials 10 20 40

draws a folder of so many photograph-like JPEG files (96 px, four classes), searches on it from an empty cache, and prints one
JSON line: for each pair of numbers the wall time by phase, and the most memory that all processes took together, without and
with the pages of mapped files.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from common import report, search
from PIL import Image

SIDE = 96
CLASSES = 4


def main() -> None:
    """Searches once for each pair of numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[500, 6000])
    parser.add_argument("--trials", type=int, nargs="+", default=[6])
    parser.add_argument("--epochs", type=int, default=1)
    asked = parser.parse_args()
    found = []
    for images in asked.images:
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            draw_all(scratch / "data", images)
            for trials in asked.trials:
                study = scratch / f"study-{trials}"
                options = [scratch / "data", "--study", study, "--weights", "starter", "--alpha", 0.35, "--size", SIDE]
                options += ["--trials", trials, "--epochs", asked.epochs, "--confirm", 1]
                run = search(*options, cache=scratch / f"cache-{trials}")
                timing = report(study)["timing"]
                found.append(
                    {
                        "images": images,
                        "trials": trials,
                        "seconds": round(run.seconds, 1),
                        "peak_anonymous_mb": run.peak_anonymous_mb,
                        "peak_resident_mb": run.peak_resident_mb,
                        "phases": {name: round(timing[name] or 0.0, 1) for name in ("decode", "extract", "train", "confirm")},
                    }
                )
    print(json.dumps({"benchmark": "scaling", "epochs": asked.epochs, "runs": found}))


def draw_all(folder: Path, images: int) -> None:
    """Draws the files on all cores."""
    for label in range(CLASSES):
        (folder / f"class-{label}").mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(draw, [folder] * images, range(images), chunksize=256))


def draw(folder: Path, number: int) -> None:
    """Soft blobs whose size depends on the class, over a coloured ground with noise."""
    rng = np.random.default_rng(number)
    label = number % CLASSES
    coarse = rng.integers(0, 256, (3 + 3 * label, 3 + 3 * label, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    noisy = np.asarray(picture, np.int16) + rng.integers(-12, 13, (SIDE, SIDE, 3), np.int16)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"class-{label}" / f"{number:06}.jpg", quality=85)


if __name__ == "__main__":
    main()
