"""Which settings mattered within a technique, by Optuna's importance.

It is PED-ANOVA (Watanabe, Bansal & Hutter 2023): how far a setting's values in the better trials differ from those in all.
Techniques have settings of their own, so each is looked at by itself.
"""

from __future__ import annotations

import math

from ...search.selection import maximized
from ...search.trial import CompleteTrial
from ...spaces.recipe import Technique
from .summary import Summary

FEWEST = 8
"""Complete trials of a technique below which nothing is said: PED-ANOVA compares the better tenth with the rest, and by default
takes two trials at least for it."""

SETTINGS = ("learning_rate", "fine_tune_at", "head_layers", "head_units", "dropout", "batch_size", "optimizer")
"""Of a recipe, those that a space may vary."""


def importances(summary: Summary) -> dict[Technique, dict[str, float]]:
    """For each technique that has had trials enough, the share of each setting that varied; the shares sum to 1."""
    found = {}
    for technique in summary.techniques:
        complete = [t for t in technique.trials if isinstance(t, CompleteTrial) and math.isfinite(t.score)]
        varied = {name: values for name in SETTINGS if len(values := {getattr(t.recipe, name) for t in complete}) > 1}
        # Where all scores are the same no setting has made a difference.
        if len(complete) >= FEWEST and len(varied) > 1 and len({t.score for t in complete}) > 1:
            found[technique.technique] = _importances(complete, varied, summary.settings.metric)
    return found


def _importances(trials: list[CompleteTrial], varied: dict[str, set[object]], metric: str) -> dict[str, float]:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

    def distribution(name: str, values: set[object]) -> BaseDistribution:
        numbers = [value for value in values if isinstance(value, int | float)]
        if name not in ("learning_rate", "dropout") or len(numbers) < len(values):
            return CategoricalDistribution(sorted(values, key=str))  # type: ignore[arg-type]
        return FloatDistribution(min(numbers), max(numbers), log=name == "learning_rate")

    distributions = {name: distribution(name, values) for name, values in varied.items()}
    study = optuna.create_study(
        storage=optuna.storages.InMemoryStorage(),
        direction="maximize" if maximized(metric) else "minimize",  # type: ignore[arg-type]
    )
    study.add_trials(
        [
            optuna.trial.create_trial(
                value=t.score, params={name: getattr(t.recipe, name) for name in distributions}, distributions=distributions
            )
            for t in trials
        ]
    )
    shares = optuna.importance.get_param_importances(study)
    return {name: float(share) for name, share in shares.items() if math.isfinite(share)}
