"""What more training seeds, or more test images, would tell of a difference between two techniques.

The variance of the difference has three parts (Searle et al. 1992, section 4.4), with K seeds of each technique and n images:

    σ²_S / K + σ²_I / n + σ²_SI / (n K)

what the seeds do to all images alike, what the images do to all seeds alike, and what each seed does to each image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...search.statistics.bootstrap import Resampled

POWER_FACTOR = 2.8
"""z(0.975) + z(0.80): a difference of so many standard errors is found four times in five (Cohen 1988, section 2.4)."""

_HALF_WIDTH = 1.96
"""Standard errors on either side of a 95% interval."""

_LEAST_SHARE = 0.25
"""Of what resampled images do to a difference, the part that no seeds take away. It is a difference of two estimates: where it
comes out smaller than this, or negative, the seeds were too few to tell the two apart."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would narrow the 95% interval of a difference; half-widths in the metric's unit.

    Attributes:
        now: Half the interval's width.
        any_seeds: With any number of seeds on these images; None where the seeds so far are too few to tell.
        twice_images: With twice as many test images.
        images: More test images with which a difference as large as the one observed would be found four times in five; None
            where no number would do, as the seeds differ too much.
    """

    now: float
    any_seeds: float | None
    twice_images: float
    images: int | None


def outlook(a: Resampled, b: Resampled, images: int, now: float) -> Outlook:
    """The outlook of the difference between two techniques.

    Args:
        a: One of them.
        b: The other.
        images: That both were tested on.
        now: Half the width of the 95% interval of their difference.
    """
    both = a, b
    mixed = sum(one.explained for one in both)
    seeds = max(0.0, sum(one.between for one in both) - mixed)
    total = float(np.var(a.draws - b.draws))
    alone = total - mixed
    room = ((a.score - b.score) / POWER_FACTOR) ** 2 - seeds
    needed = math.ceil(images * (total / room - 1)) if room > 0 else None
    return Outlook(
        now=now,
        any_seeds=None if alone < _LEAST_SHARE * total else min(now, _HALF_WIDTH * math.sqrt(alone)),
        twice_images=now * math.sqrt((total / 2 + seeds) / (total + seeds)) if now else 0.0,
        images=None if needed is None else max(0, needed),
    )
