"""The repository root is the package: what is in the tree, what is listed, and what is installed must agree."""

import importlib.metadata
import tomllib
from pathlib import Path

import pytest

import tlsearch

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("spaces", "search", "reports", "cli")


def test_every_folder_of_code_is_listed():
    found = {"tlsearch"} | {
        ".".join(("tlsearch", *path.parent.relative_to(ROOT).parts))
        for top in FOLDERS
        for path in (ROOT / top).rglob("__init__.py")
    }
    holding_code = {path.parent for top in FOLDERS for path in (ROOT / top).rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in holding_code)
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_no_stray_module_enters_the_wheel():
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_the_installed_version_is_that_of_the_tree_and_the_changelog():
    assert importlib.metadata.version("tlsearch") == tlsearch.__version__
    assert f"## [{tlsearch.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", FOLDERS)
def test_each_face_lists_what_it_has(package):
    module = __import__(f"tlsearch.{package}", fromlist=["x"])
    assert list(module.__all__) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_constraints_name_every_dependency():
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().split()}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *extras["export"], *extras["test"], *extras["dev"]]
    names = {entry.split(">")[0].split("[")[0].strip() for entry in wanted} - {"tlsearch"}
    assert not names - pinned
