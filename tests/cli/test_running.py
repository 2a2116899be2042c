"""The command that searches: what it asks the search for."""

import pytest
from typer.testing import CliRunner

import tlsearch.search.planning.plan as planning
from tlsearch.cli import app
from tlsearch.search.options import Budget
from tlsearch.search.workers import fork_server


@pytest.mark.parametrize(
    ("options", "budget"),
    [
        ([], Budget(trials=20, confirm="auto", care=0.005)),
        (["--no-close-arms"], Budget(trials=20, close_arms=False)),
        (["--confirm", "5", "--care", "2", "--time-limit", "90s"], Budget(trials=20, confirm=5, care=0.02, seconds=90.0)),
    ],
)
def test_what_may_be_spent_is_what_was_asked_for(monkeypatch, options, budget):
    asked = []

    def plan_run(given):
        asked.append(given.budget)
        raise SystemExit

    monkeypatch.setattr(planning, "plan_run", plan_run)
    CliRunner().invoke(app, ["run", *options])
    assert asked == [budget]


def test_a_folder_is_understood_as_it_is_said_to_be(monkeypatch):
    asked = []

    def plan_run(given):
        asked.append(given.layout_options)
        raise SystemExit

    monkeypatch.setattr(planning, "plan_run", plan_run)
    CliRunner().invoke(app, ["run", "--label-from-name", "(x)", "--skip-class", "a", "--skip-class", "b"])
    assert asked[0]["label_from_name"] == "(x)" and asked[0]["skip_class"] == ("a", "b")


@pytest.mark.parametrize(
    ("options", "expected"), [([], ["import", "plan"]), (["--dry-run"], ["plan"]), (["--ray", "auto"], ["plan"])]
)
def test_keras_is_imported_from_enter_on_where_workers_of_this_machine_will_need_it(monkeypatch, options, expected):
    seen = []

    def plan_run(given):
        seen.append("plan")
        raise SystemExit

    monkeypatch.setattr(planning, "plan_run", plan_run)
    monkeypatch.setattr(fork_server, "start", lambda: seen.append("import"))
    CliRunner().invoke(app, ["run", *options])
    assert seen == expected
