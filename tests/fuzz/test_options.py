"""Whatever a space file or an option holds, there is a plan that can be carried out, or one clear error."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keras_tuner
import optuna
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tlsearch.search.data.folder import scan
from tlsearch.search.engines.fair_start import fair_start
from tlsearch.search.engines.optuna import suggestions
from tlsearch.search.planning.options import RunOptions
from tlsearch.search.planning.plan import plan_run
from tlsearch.search.storage.folder.study import FolderStudy
from tlsearch.search.storage.places import list_studies
from tlsearch.search.storage.records import distributions
from tlsearch.spaces.errors import SpaceError, TlsearchError
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.space import SearchSpace

EXAMPLES = int(os.environ.get("TLSEARCH_FUZZ_EXAMPLES", "60"))
"""Of each property; the long version sets more."""

optuna.logging.disable_default_handler()
quick = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))

NAMES = ["frozen", "fine-tune", "full", "low", "high", "step", "log"]
KEYS = [
    *NAMES, "techniques", "fine_tune_at", "learning_rate", "epochs", "head_epochs", "head_units", "head_layers", "dropout",
    "optimizer", "batch_size", "head_learning_rate", "augment", "batch_norm", "class_weight", "base", "size", "alpha",
    "early_stopping", "space",
]  # fmt: skip
scalars = (
    st.sampled_from([*NAMES, "adam", "rmsprop", "folded", "train", "balanced", "none", 0, 1, 2, 98, 100, 153, 1e-4, 0.5])
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4), max_leaves=8
)
ranges = st.fixed_dictionaries(
    {"low": st.integers(-2, 5000) | st.floats(), "high": st.integers(0, 5000) | st.floats()},
    optional={"step": st.integers(-1, 9) | st.floats(), "log": st.booleans()},
)
spaces = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), values | ranges, max_size=6)
files = st.dictionaries(st.sampled_from(KEYS), values, max_size=3) | st.fixed_dictionaries(
    {"space": spaces}, optional={"base": st.sampled_from(["default", "smoke", "post", "x"]), "size": scalars, "alpha": scalars}
)


def toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else str(value)


def carried_out(space: SearchSpace) -> None:
    """What a search does with a space before anything is trained."""
    assert space.size is None or space.size > 0
    # As it is stored: what it holds for techniques that are not asked for is not.
    assert SearchSpace.from_dict(json.loads(json.dumps(space.as_dict()))).as_dict() == space.as_dict()
    space.sample(keras_tuner.HyperParameters())
    space.choose(suggestions(optuna.create_study().ask()))
    for proposed in fair_start(space, 6, 0):
        assert space.recipe(proposed) == space.recipe(json.loads(json.dumps(proposed)))
        distributions(space, proposed)


@quick
@given(files)
@example({"space": {"batch_size": {"low": 1, "high": 4096}, "head_units": {"low": 0, "high": 8192}}})
@example({"space": {"dropout": {"low": 0.0, "high": 0.5, "step": 1e-12}}})
@example({"space": {"dropout": {"low": 0.0, "high": 5e-324}}})
@example({"space": {"learning_rate": {"low": 1e-320, "high": 1e-310, "log": True}}})
@example({"space": {"optimizer": [1, "adam"]}})
@example({"space": {"augment": [0, 1]}})
@example({"space": {"augment": [True, 1]}})
@example({"space": {"dropout": [0, 0.5]}})
@example({"space": {"head_units": [0.0, 128]}})
@example({"space": {"head_units": {"low": 0, "high": 128, "step": 0.5}}})
@example({"space": {"batch_size": {"low": 1.0, "high": 64}}})
@example({"space": {"fine_tune_at": [True, 100]}})
@example({"space": {"dropout": [0.5, 10**400]}})
@example({"space": {"dropout": {"low": 0, "high": 10**400}}})
@example({"space": {"learning_rate": 10**400}})
@example({"size": 10**400})
@example({"alpha": 10**400})
@example({"size": 2**62, "alpha": float("nan")})
def test_any_space_file(tmp_path, fields):
    path = tmp_path / "space.toml"
    path.write_text("\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in fields.items()), encoding="utf-8")
    try:
        plan = plan_run(RunOptions(data=tmp_path, space=str(path)))
    except TlsearchError as error:
        assert "got" in str(error) or "no key" in str(error) or "must" in str(error), error
    else:
        carried_out(plan.search.space)


@quick
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"x = " + b"[" * 20_000)
@example(b"size = " + b"9" * 6000)
@example(b"[space]\n" + b"a." * 5000 + b"b = 1")
@example(b"\xef\xbb\xbfsize = 32")
def test_any_bytes_as_a_space_file(tmp_path, data):
    path = tmp_path / "space.toml"
    path.write_bytes(data)
    try:
        carried_out(load_preset(str(path)).space)
    except SpaceError as error:
        assert str(path) in str(error)


paths = st.text(max_size=20) | st.sampled_from(
    ["x" * 300, "y" * 10_000, "/".join(["z" * 200] * 30), "~nobody/there", "~", "a\0b", "", ".", "/dev/null", "/dev/stdin", "/"]
)
numbers = st.integers() | st.sampled_from([0, 1, 2**31, 2**63, 10**400])


@quick
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "data": paths.map(Path),
            "space": paths,
            "study": paths.map(Path),
            "techniques": st.lists(st.sampled_from(["frozen", "fine-tune", "full"]), max_size=4),
            "fine_tune_at": st.lists(numbers, max_size=3),
            "epochs": numbers,
            "batch_size": numbers,
            "size": numbers,
            "alpha": st.floats() | st.sampled_from([0.35, 1.0]),
            "weights": paths | st.sampled_from(["starter", "random"]),
            "engine": st.text(max_size=5) | st.sampled_from(["optuna", "keras-tuner"]),
            "algorithm": st.text(max_size=5) | st.sampled_from(["grid", "tpe", "hyperband"]),
            "demo": st.text(max_size=5),
            "labels": paths.map(Path),
        },
    ),
)
def test_any_options(options):
    try:
        plan = plan_run(RunOptions(**options))
        plan.check_folders()
    except TlsearchError as error:
        assert str(error)
    else:
        carried_out(plan.search.space)


@quick
@given(paths)
def test_any_path(path):
    for use in (FolderStudy(Path(path)).check, lambda: list_studies(Path(path) / "no")):
        try:
            use()
        except TlsearchError as error:
            assert str(error)


@pytest.mark.parametrize("path", ["~nobody/there", "a\0b", "x" * 10_000, "", "/dev/null"])
def test_any_data_folder(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TlsearchError, match="DATA must"):
        scan(path)
