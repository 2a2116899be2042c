"""What finds look-alikes, and what it takes for some that are none: planted twins of ten kinds, and data sets as they are.

    python benchmarks/lookalikes.py SETS

Of each set at most ``--images`` pictures are taken, at random but always the same ones; of some of them a changed copy is
planted, of others the next kind of copy. One line a set: its pictures, how many of them have a look-alike before any is planted
(look at these with ``tlsearch inspect --format html``), seconds a thousand pictures, and how many planted twins of each kind
are found. The last line is JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from tlsearch.search.data.labels import read_layout
from tlsearch.search.data.lookalikes import find_lookalikes

SIZE = 96


def encoded(image: Image.Image, quality: int = 35) -> Image.Image:
    """Encoded again as a JPEG of low quality."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def cropped(image: Image.Image, rng: random.Random, low: float, high: float) -> Image.Image:
    """Without a part of each side, each by itself."""
    left, top, right, bottom = (rng.uniform(low, high) for _ in range(4))
    return image.crop((int(image.width * left), int(image.height * top),
                       image.width - int(image.width * right), image.height - int(image.height * bottom)))  # fmt: skip


def lit(image: Image.Image, rng: random.Random) -> Image.Image:
    """Brighter or darker, with more or less contrast."""
    return ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(rng.choice([0.7, 1.3]))).enhance(rng.choice([0.8, 1.2]))


def turned(image: Image.Image, rng: random.Random) -> Image.Image:
    """Turned by three degrees, without the corners."""
    return cropped(image.rotate(rng.choice([-3, 3]), Image.Resampling.BICUBIC), rng, 0.05, 0.05)


def later(image: Image.Image, rng: random.Random) -> Image.Image:
    """The next of a burst: moved, turned a little, with other light and noise."""
    across, down = (rng.uniform(-0.06, 0.06) * side for side in image.size)
    moved = image.transform(image.size, Image.Transform.AFFINE, (1, 0.01, across, -0.01, 1, down), Image.Resampling.BICUBIC)
    values = np.asarray(cropped(moved, rng, 0.06, 0.06), np.float32) * rng.uniform(0.92, 1.08)
    values += np.random.default_rng(rng.randrange(2**32)).normal(0, 6, values.shape).astype(np.float32)
    return encoded(Image.fromarray(values.clip(0, 255).astype(np.uint8)))


def marked(image: Image.Image, _: random.Random) -> Image.Image:
    """With a label over a tenth of the picture."""
    image = image.copy()
    box = (image.width * 0.05, image.height * 0.8, image.width * 0.6, image.height * 0.95)
    ImageDraw.Draw(image).rectangle(box, fill="white")
    return image


KINDS: dict[str, Callable[[Image.Image, random.Random], Image.Image]] = {
    "JPEG again": lambda image, _: encoded(image),
    "half the size": lambda image, _: image.resize((max(8, image.width // 2), max(8, image.height // 2))),
    "crop to 8%": lambda image, rng: cropped(image, rng, 0, 0.08),
    "crop 5-12%": lambda image, rng: cropped(image, rng, 0.05, 0.12),
    "mirrored": lambda image, _: ImageOps.mirror(image),
    "other light": lit,
    "grey": lambda image, _: image.convert("L").convert("RGB"),
    "turned 3°": turned,
    "burst": later,
    "label over it": marked,
}


def squashed(images: list[Image.Image]) -> NDArray[np.uint8]:
    """As a search sees them."""
    return np.stack([np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for image in images])


def main() -> None:
    """Measures each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", help="folders of images")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--each", type=int, default=12, help="twins of each kind")
    asked = parser.parse_args()
    planted, found = 0, Counter[str]()
    for folder in asked.sets:
        rng = random.Random(0)
        layout = read_layout(folder)
        files = rng.sample(layout.candidates, min(asked.images, len(layout.candidates)))
        images = [Image.open(layout.root / file.path).convert("RGB") for file in files]
        kinds = [kind for kind in KINDS for _ in range(asked.each)]
        originals = [place % len(images) for place in range(len(kinds))]
        twins = [KINDS[kind](images[original], rng) for kind, original in zip(kinds, originals, strict=True)]
        own = squashed(images)
        began = time.perf_counter()
        clean = find_lookalikes(own)
        seconds = (time.perf_counter() - began) / len(images) * 1000
        pairs = {(one, other) for one, other, _ in find_lookalikes(np.concatenate([own, squashed(twins)]))}
        hits = Counter(
            kind for place, (kind, of) in enumerate(zip(kinds, originals, strict=True)) if (of, len(images) + place) in pairs
        )
        alike = len({row for *pair, _ in clean for row in pair})
        print(f"{folder.name:16} {len(images):5} pictures, {alike:4} with a look-alike, {seconds:4.1f} s a thousand; "
              + ", ".join(f"{kind} {hits[kind]}" for kind in KINDS), flush=True)  # fmt: skip
        planted += asked.each
        found += hits
    recall = {kind: round(found[kind] / planted, 3) for kind in KINDS}
    print(json.dumps({"benchmark": "lookalikes", "sets": len(asked.sets), "planted_of_each": planted, "recall": recall}))


if __name__ == "__main__":
    main()
