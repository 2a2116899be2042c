"""The command that searches."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..search.settings import CacheType
from ..search.trial import Metric
from ..spaces.errors import UnusedStudyError
from ..spaces.recipe import BatchNorm, ClassWeight, Technique
from .console import make_console, print_error, show, show_report, storage_for, watching
from .options import (
    CacheDir,
    Care,
    EngineName,
    FollowSymlinks,
    GroupBy,
    GroupColumn,
    LabelColumn,
    LabelFromName,
    Labels,
    LayoutOption,
    ListFormat,
    PathColumn,
    SkipClass,
    SplitColumn,
    StorageUrl,
    at_least,
    parse_bytes,
    parse_cluster,
    parse_confirm,
    parse_duration,
    parse_folds,
    parse_workers,
)

if TYPE_CHECKING:
    from ..search.events import Listener
    from ..search.planning.plan import Plan
    from ..search.study import Study


def run(  # noqa: PLR0913 - the options of the command
    data: Annotated[Path | None, typer.Argument(help="Folder of images.  [default: the built-in pictures]")] = None,
    trials: Annotated[
        int, typer.Option(callback=at_least(1, 100_000), help="Trials of the whole study, over all of its runs.")
    ] = 20,
    epochs: Annotated[
        int | None,
        typer.Option(
            callback=at_least(1),
            help="Epochs of a stage; of a head's, at each penalty.  [default: 8 of fine-tune, 6 of full, 20 of heads]",
        ),
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="Folder of the study, or its name in --storage.  [default: runs/<name of DATA>]")
    ] = None,
    storage: StorageUrl = None,
    engine: Annotated[EngineName, typer.Option(help="Who proposes.")] = "optuna",
    algorithm: Annotated[
        str | None,
        typer.Option(help="optuna: tpe, random, qmc, cmaes, grid; keras-tuner: bayesian, hyperband, random, grid."),
    ] = None,
    space: Annotated[str, typer.Option(help="default, post, smoke or a TOML file.")] = "default",
    technique: Annotated[list[Technique] | None, typer.Option(help="Repeat it for several.  [default: all three]")] = None,
    fine_tune_at: Annotated[
        list[int] | None, typer.Option(help="Freeze the layers below N; 1 to 153. Repeat it for several.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side of the images, pixels.  [default: 160]")] = None,
    alpha: Annotated[float | None, typer.Option(help="Width of MobileNetV2.  [default: 1.0]")] = None,
    weights: Annotated[str | None, typer.Option(help="imagenet, starter, random or a file.  [default: imagenet]")] = None,
    batch_size: Annotated[int | None, typer.Option(callback=at_least(1), help="Images a step.  [default: 32]")] = None,
    augment: Annotated[bool, typer.Option("--augment", help="Train on flipped, rotated and zoomed views too.")] = False,
    batch_norm: Annotated[BatchNorm | None, typer.Option(help="BatchNorm while training.  [default: folded]")] = None,
    class_weight: Annotated[ClassWeight | None, typer.Option(help="Weigh rare classes more.")] = None,
    metric: Annotated[Metric, typer.Option(help="What trials are chosen and compared by.")] = "accuracy",
    confirm: Annotated[
        str, typer.Option(help="Seeds that each finalist is trained again with: a number, or auto for as many as it takes.")
    ] = "auto",
    care: Care = None,
    folds: Annotated[
        str,
        typer.Option(help="Search so many folds and test every image: a number, or auto for 5 where test images are few."),
    ] = "1",
    seed: Annotated[int, typer.Option(callback=at_least(0), help="Of the split, the proposals and the training.")] = 0,
    workers: Annotated[str, typer.Option(help="Trials side by side: a number, or auto.")] = "auto",
    ray: Annotated[
        str | None, typer.Option(help="Train on a Ray cluster: auto, local or host:port of its head. Needs the extra `ray`.")
    ] = None,
    cpus_per_trial: Annotated[
        int | None, typer.Option(callback=at_least(1, 1024), help="Cores of a trial on a Ray cluster.  [default: 1]")
    ] = None,
    gpus_per_trial: Annotated[
        float | None, typer.Option(help="GPUs of a trial on a Ray cluster, such as 1 or 0.5.  [default: 0]")
    ] = None,
    time_limit: Annotated[str | None, typer.Option(help="Such as 90s, 30m or 2h.")] = None,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Train hopeless trials to their end.")] = False,
    no_close_arms: Annotated[
        bool, typer.Option("--no-close-arms", help="Give every technique all of its trials, even where they can hardly matter.")
    ] = False,
    no_early_stopping: Annotated[bool, typer.Option("--no-early-stopping", help="Train every epoch.")] = False,
    warm_start: Annotated[
        list[Path] | None,
        typer.Option(metavar="STUDY", help="Try another study's best recipes first. Repeat it for several."),
    ] = None,
    demo: Annotated[
        str, typer.Option(help="Built-in set: small-similar, small-different, large-similar, large-different.")
    ] = "small-similar",
    labels: Labels = None,
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
    follow_symlinks: FollowSymlinks = False,
    layout: LayoutOption = "auto",
    group_by: GroupBy = "",
    label_from_name: LabelFromName = None,
    skip_class: SkipClass = None,
    cache_dir: CacheDir = None,
    cache_dtype: Annotated[CacheType, typer.Option(help="Of the activations on disk.")] = "float16",
    cache_limit: Annotated[
        str | None,
        typer.Option(help="Most that activations take on disk, such as 500MB or 20GB.  [default: half of the free disk]"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and the report only.")] = False,
    output_format: Annotated[ListFormat, typer.Option("--format", help="Of the report, or of --dry-run.")] = "terminal",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, what it takes on disk, and about how long.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the study in the folder and start it anew.")] = False,
) -> None:
    """Search for the best technique, or go on with a search; then report."""
    from ..search.workers import fork_server

    if ray is None and not dry_run:
        fork_server.start()
    from ..search.options import Budget
    from ..search.planning.options import RunOptions
    from ..search.planning.plan import plan_run
    from ..search.statistics.chances import CARE

    options = RunOptions(
        ray=parse_cluster(ray, cpus_per_trial, gpus_per_trial),
        workers=parse_workers(workers),
        budget=Budget(
            trials=trials,
            seconds=parse_duration(time_limit),
            confirm=parse_confirm(confirm),
            care=CARE if care is None else care,
            close_arms=not no_close_arms,
        ),
        cache_limit=parse_bytes(cache_limit),
        storage=storage_for(study, storage),
        data=data,
        demo=demo,
        labels=labels,
        layout_options={
            "follow_symlinks": follow_symlinks,
            "layout": layout,
            "group_by": group_by,
            "label_from_name": label_from_name,
            "skip_class": tuple(skip_class or ()),
            "path_column": path_column,
            "label_column": label_column,
            "split_column": split_column,
            "group_column": group_column,
        },
        folds=parse_folds(folds),
        study=study,
        fresh=fresh,
        space=space,
        techniques=technique or (),
        fine_tune_at=fine_tune_at or (),
        epochs=epochs,
        batch_size=batch_size,
        augment=augment,
        batch_norm=batch_norm,
        class_weight=class_weight,
        size=size,
        alpha=alpha,
        weights=weights,
        warm_start=warm_start or (),
        early_stopping=not no_early_stopping,
        prune=not no_prune,
        engine=engine,
        algorithm=algorithm,
        metric=metric,
        seed=seed,
        cache_dir=cache_dir,
        cache_dtype=cache_dtype,
    )
    plan = plan_run(options)
    plan.check_folders()
    if dry_run:
        with watching(metric, quiet=quiet) as listener:
            plan.read_warm_start(listener)
        return _show_plan(plan, output_format)
    # Before anything is decoded: whatever is wrong with the cluster is said at once.
    with nullcontext() if options.ray is None else options.ray.connected(), watching(metric, quiet=quiet) as listener:
        searched = _open_study(plan, listener)
        try:
            searched.run(
                options.budget,
                workers=options.workers,
                ray=options.ray,
                prune=options.prune,
                patience=plan.patience,
                listener=listener,
            )
        except KeyboardInterrupt:
            kept = f"{searched.done} of {trials * len(searched.store.folds)} trials are kept"
            print_error(f"Stopped. {kept}; the same command goes on.", style="yellow")
            raise
    return show_report(searched.store.place, output_format, care=care)


def _open_study(plan: Plan, listener: Listener) -> Study:
    """The study that a run searches in, new or resumed."""
    warm_start = plan.read_warm_start(listener)
    data = plan.open_data(listener)
    from ..search.study import Study

    if plan.options.fresh:
        Study.delete(plan.study)
    try:
        return Study.open(plan.study, data, plan.search, warm_start=warm_start)
    except UnusedStudyError:
        # Left by a command with a wrong option, which has been mended now.
        Study.delete(plan.study)
        return Study.open(plan.study, data, plan.search, warm_start=warm_start)


def _show_plan(plan: Plan, output_format: ListFormat) -> None:
    """What a run would do."""
    from ..reports.files.plan import plan_json
    from ..reports.terminal.plan import PlanReport
    from ..search.planning.dry_run import dry_run

    with make_console(stderr=True).status("looking and measuring …"):
        found = dry_run(plan)
    show(PlanReport(found), lambda: plan_json(found), output_format, None, plan.study.name)
