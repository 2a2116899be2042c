"""What a run would do and how long it would take."""

from __future__ import annotations

from collections.abc import Iterator

from ...search.planning.dry_run import DryRun, PlannedCut
from ...search.statistics.seeds import FIRST, MOST
from ...spaces.recipe import LAYERS
from ..text import count, duration, file_size, listed, literal


def plan_facts(found: DryRun) -> Iterator[tuple[str, str]]:
    """What was asked for and what was found, each with its label; safe to print."""
    plan, survey, search = found.plan, found.survey, found.plan.search
    space, backbone, confirm = search.space, search.backbone, plan.options.budget.confirm
    train, val, test, skipped = image_counts(found)
    data = found.dataset or survey.stand_in
    path, classes = survey.stand_in.path, survey.stand_in.classes
    about = "about " if found.dataset is None else ""
    yield (
        "Data",
        f"{literal(path)}: {count(len(classes), 'class')}, {about}{train:,} training, {val:,} validation, "
        f"{test:,} test images{' in each of ' + str(len(data.folds)) + ' folds' if data.folds else ''}, "
        f"{count(skipped, 'file')} skipped",
    )
    if survey.layout.remarks:
        yield "Remarks", literal(" ".join(survey.layout.remarks))
    if plan.options.labels:
        yield "Labels", literal(str(plan.options.labels))
    state = "decoded already" if not survey.to_decode else f"{survey.to_decode:,} to decode"
    if survey.to_decode and survey.decoded:
        state += f", {survey.decoded:,} decoded by an earlier run"
    yield (
        "Images",
        f"{survey.images:,} files of {file_size(survey.file_bytes)}, {state}; {file_size(survey.pixel_bytes)} on disk at "
        f"{backbone.size} × {backbone.size} pixels",
    )
    yield "Backbone", f"MobileNetV2, alpha {backbone.alpha:g}, {backbone.size} px, weights {literal(backbone.weights)}"
    cuts = ", ".join(str(cut) for cut in space.cuts if cut)
    seeds = f"{FIRST} to {MOST} seeds" if confirm == "auto" else count(confirm, "seed")
    if confirm == "auto" and data.folds:
        seeds = count(1, "seed")
    yield "Space", f"{', '.join(space.techniques)}; fine_tune_at {cuts or 'not asked for'}"
    yield (
        "Search",
        f"{f'{len(data.folds)} × ' if data.folds else ''}{count(found.trials, 'trial')} with {search.engine} "
        f"({search.algorithm}), then {seeds} a finalist",
    )
    if plan.warm_start:
        yield "Start", literal(f"the best recipes of {', '.join(map(str, plan.warm_start))}")
    yield "Study", literal(str(plan.study))


def image_counts(found: DryRun) -> tuple[int, int, int, int]:
    """Training, validation, test images and skipped files: exact where the images are decoded already, else estimated."""
    data = found.dataset or found.survey.stand_in
    first = data.fold(0)
    return len(first.train), len(first.val), len(first.test), len(data.skipped)


def concerns(found: DryRun) -> list[str]:
    """What one should know before it is begun, in sentences."""
    sentences = []
    if missing := found.to_download:
        instead = found.without_network
        otherwise = (
            f"it takes those for another size, {instead.name}."
            if instead
            else "it ends there: put the file there yourself, or name one with --weights FILE."
        )
        sentences.append(
            literal(f"The ImageNet weights {missing.name} are not in {missing.parent}: the run downloads them first. ")
            + f"Without a network {otherwise}"
        )
    needed, free = found.survey.bytes_to_decode, found.disk_free
    if needed > free:
        sentences.append(
            f"The decoded images will not fit: they need {file_size(needed)}, and {file_size(free)} are free. "
            "Free some space, or name another folder with --cache-dir."
        )
    if found.in_blocks:
        named = listed([f"{name} ({file_size(taken)})" for name, taken in found.in_blocks.items()])
        sentences.append(f"Larger than half of the memory, and so read from disk in shuffled blocks: {named}.")
    return sentences


def uncached(found: DryRun) -> list[str]:
    """What is not kept on disk and why, in sentences."""
    sentences = []
    if 0 in found.from_pixels:
        sentences.append("full trains from pixels: nothing of it is frozen.")
    if layers := [str(layer) for layer in found.from_pixels if layer]:
        sentences.append(f"fine_tune_at {', '.join(layers)}: trains from pixels, which are smaller than the activations there.")
    if large := [cut for cut in found.cuts if not cut.kept]:
        taken = file_size(sum(cut.missing for cut in large))
        names = "; ".join(purpose(cut) for cut in large)
        sentences.append(f"Trained from pixels, since {taken} more do not fit in the limit: {names}.")
    return sentences


def phases(found: DryRun) -> list[tuple[str, float]]:
    """The phases and their seconds, in the order in which they come."""
    forecast = found.forecast
    if forecast is None:
        return []
    return [
        ("start", forecast.start),
        ("decoding", forecast.decode),
        ("frozen features", forecast.extract),
        ("search", forecast.search),
        ("confirmation", forecast.confirm),
    ]


def about(seconds: float) -> str:
    """A time that is not known well: tenths of seconds below ten, whole seconds, whole minutes, tenths of hours, days."""
    if seconds < 90:
        return duration(seconds)
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 72 * 3600 else f"{seconds / 86400:,.0f} days"


def purpose(cut: PlannedCut) -> str:
    """Who needs the activations of a cut."""
    layers = [str(layer) for layer in cut.layers if layer != LAYERS]
    tuned = [f"fine_tune_at {', '.join(layers)}"] if layers else []
    return "; ".join([*(["frozen, and the heads that others start from"] if LAYERS in cut.layers else []), *tuned])
