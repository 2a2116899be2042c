"""What a run would do, estimated within seconds and without doing any of it: what ``--dry-run`` shows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...spaces.backbone.network import IMAGE
from ...spaces.backbone.spec import weights_fingerprint
from ...spaces.recipe import LAYERS
from ...spaces.space import SearchSpace
from ..activations.cache import ActivationCache
from ..activations.cache_plan import bytes_of, plan_cache, planned_passes
from ..activations.eviction import default_limit
from ..context import Context
from ..data.dataset import Dataset
from ..data.decode_pool import choose_processes
from ..data.survey import Survey
from ..events import ignore
from ..machine.devices import machine_memory
from ..options import SearchOptions
from ..phases.confirmation_plan import TYPICAL
from ..phases.profile import MOST_IMAGES, kept_profile
from ..training.order import MEMORY_SHARE
from ..workers.processes import choose_workers
from .estimate import Counts, Estimator, Forecast
from .plan import Plan
from .probe import Costs, NoProbeError, Speeds, costs_of, probe

SAMPLE = 1000
"""Images offered to the probe: more than it can decode in its 0.4 seconds on 16 cores."""


@dataclass(frozen=True, slots=True)
class PlannedCut:
    """Activations at one cut of the network.

    Attributes:
        cut: The cut; `POOL` + 1 for pooled features.
        layers: First trained layers of the recipes that train from it; `LAYERS` stands for ``frozen`` and for first stages.
        bytes: Size of its entries, of all splits and views.
        missing: How many of these bytes are still to be written.
        kept: Whether the entries are, or will be, in the cache.
    """

    cut: int
    layers: tuple[int, ...]
    bytes: int
    missing: int
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a run would do.

    Attributes:
        plan: What was asked for.
        survey: What names and sizes tell about the data set.
        dataset: The data set itself, if an earlier run has decoded it.
        trials: Trials of the whole study, or of each of its folds; no more than the space has recipes.
        workers: Processes that train in parallel.
        cuts: The activations that may be cached, the smallest first.
        from_pixels: First trained layers (0 for ``full``) that always train from pixels: their activations are larger than the
            images.
        limit: Bytes that activations may take.
        disk_free: Free bytes on the cache's disk.
        memory: The machine's memory in bytes.
        forecast: How long the run would take; None if this machine could not be measured.
        unmeasured: Why it could not.
        to_download: ImageNet's weights that are not on this machine; None where nothing is to be downloaded.
        without_network: Those of another size that the run takes where it cannot download them; None where there are none.
    """

    plan: Plan
    survey: Survey
    dataset: Dataset | None
    trials: int
    workers: int
    cuts: tuple[PlannedCut, ...]
    from_pixels: tuple[int, ...]
    limit: int
    disk_free: int
    memory: int
    forecast: Forecast | None
    unmeasured: str = ""
    to_download: Path | None = None
    without_network: Path | None = None

    @property
    def in_blocks(self) -> Mapping[str, int]:
        """What does not fit in memory and is read in blocks: its name, and its size in bytes."""
        row_bytes = self.survey.pixel_bytes / max(self.survey.images, 1)
        taken = {f"activations at {cut.cut}": cut.bytes for cut in self.cuts if cut.kept and cut.cut <= LAYERS}
        pixels = int(len(self.survey.stand_in.train) * row_bytes)
        if self.from_pixels or not all(cut.kept for cut in self.cuts):
            taken["images"] = pixels
        return {name: size for name, size in taken.items() if size > MEMORY_SHARE * self.memory}


def dry_run(plan: Plan) -> DryRun:
    """Looks at the data set's names and sizes, measures this machine for two seconds, and estimates.

    Raises:
        DataError: Names alone tell that the data set cannot be searched on.
        WeightsError: The file of the weights is missing or damaged, or holds those of something else.
    """
    search, space, budget = plan.search, plan.search.space, plan.options.budget
    survey = plan.survey()
    # If nothing is left to decode, the real splits are known, and so is what the cache has of them.
    dataset = None if survey.to_decode else plan.open_data(ignore)
    # Nothing is downloaded for a dry run: without weights on this machine, the cache has no entry of theirs either.
    backbone = search.backbone
    at_hand = backbone.at_hand()
    weights = backbone.locate() if at_hand else None
    fingerprint = weights_fingerprint(backbone, weights) if at_hand else ""
    workers, threads, gpus = choose_workers(plan.options.workers)
    costs, unmeasured = _measure(search, survey, weights, workers, threads, gpus)
    context = search.context(dataset or survey.stand_in, weights, fingerprint)
    limit = context.cache_limit
    if limit is None:
        limit = default_limit(context.cache, spoken_for=survey.bytes_to_decode)
    cuts, missing = _cuts(context, space, costs, limit)
    trials = budget.trials if space.size is None else min(budget.trials, space.size)
    forecast = None
    if isinstance(costs, Speeds):
        kept = frozenset(cut.cut for cut in cuts if cut.kept)
        data, folds = context.dataset.fold(0), len(context.dataset.folds) or 1
        profiled = dataset and kept_profile(replace(context, dataset=data))
        seeds = (TYPICAL if folds == 1 else 1) if budget.confirm == "auto" else budget.confirm
        forecast = Estimator(costs, space, kept).forecast(
            Counts(
                images=survey.to_decode,
                train=len(data.train),
                val=len(data.val),
                test=len(data.test),
                trials=trials,
                folds=folds,
                confirm=folds * seeds,
                workers=workers,
                processes=max(1, choose_processes(None, survey.images)),
                missing=missing,
                profile=0 if profiled else folds * min(len(data.train), MOST_IMAGES),
            )
        )
    return DryRun(
        plan=plan,
        survey=survey,
        dataset=dataset,
        trials=trials,
        workers=workers,
        cuts=cuts,
        from_pixels=tuple(layer for layer in space.cuts if costs.cuts[layer] == IMAGE),
        limit=limit,
        disk_free=shutil.disk_usage(context.cache.parent).free,
        memory=machine_memory(),
        forecast=forecast,
        unmeasured=unmeasured,
        to_download=None if at_hand else backbone.imagenet_file,
        without_network=None if at_hand else backbone.other_imagenet_file(),
    )


def _measure(
    search: SearchOptions, survey: Survey, weights: Path | None, workers: int, threads: int, gpus: tuple[str, ...]
) -> tuple[Costs, str]:
    """What the network costs, with times if this machine could be measured, and why it could not."""
    files = survey.layout.candidates[:: max(1, survey.images // SAMPLE)]
    paths = [survey.layout.root / file.path for file in files]
    try:
        speeds = probe(search.backbone, search.space, paths, weights=weights, workers=workers, threads=threads, gpus=gpus)
    except NoProbeError as error:
        return costs_of(search.backbone, search.space, weights), str(error)
    return speeds, ""


def _cuts(context: Context, space: SearchSpace, costs: Costs, limit: int) -> tuple[tuple[PlannedCut, ...], int]:
    """Which activations the run will cache: those of the search first, then those of the test split, within what is left.

    Returns:
        The cuts, and how many images the frozen passes will visit.
    """
    cache = ActivationCache(context.cache)
    kept = set(costs.values_at)
    total = dict.fromkeys(costs.values_at, 0)
    missing_bytes = dict.fromkeys(costs.values_at, 0)
    rows = 0
    # The folds' test images are among those that are searched on.
    for part in ("search",) if context.dataset.folds else ("search", "test"):
        planned = planned_passes(context, space, costs.values_at, part)
        keys = {key for work in planned for key in work.keys(context)}
        missing = {key for key in keys if not cache.has(key)}
        decided = plan_cache(context, planned, missing, costs.values_at, limit)
        kept &= {*decided.fitting, *(cut for cut, size in decided.sizes.items() if not size)}
        limit -= sum(decided.sizes[cut] for cut in decided.fitting)
        for cut, size in bytes_of(context, planned, keys, costs.values_at).items():
            total[cut] += size
            missing_bytes[cut] += decided.sizes[cut]
        for work in planned:
            if any(key in missing and key.cut in decided.fitting for key in work.keys(context)):
                rows += len(work.rows)
    used = {cut: tuple(layer for layer, own in costs.cuts.items() if own == cut) for cut in costs.values_at}
    cuts = (PlannedCut(cut, used[cut], total[cut], missing_bytes[cut], cut in kept) for cut in costs.values_at)
    return tuple(sorted(cuts, key=lambda cut: cut.bytes)), rows
