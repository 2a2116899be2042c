"""The repository root is the package: what is in the tree, what is listed, and what is installed must agree."""

import ast
import importlib
import importlib.metadata
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import tlsearch

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("spaces", "search", "reports", "cli")
MODULES = [path.relative_to(ROOT) for top in FOLDERS for path in sorted((ROOT / top).rglob("*.py"))]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += [path for folder in ("docs", "benchmarks", "scripts") for path in sorted((ROOT / folder).iterdir())
          if path.suffix in (".md", ".py")]  # fmt: skip
IN_THE_TREE = re.compile(rf"(?<![\w/.-])(?:{'|'.join(FOLDERS)}|tests|benchmarks|scripts|docs|\.ci|\.github)/[\w./-]*")
TEST_MODULE = re.compile(r"-m (tests\.[\w.]+)")
BARE_FILE = re.compile(r"`(\w+\.py)`")


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


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_what_a_page_names_is_in_the_tree(page):
    text = page.read_text(encoding="utf-8")
    named = {ROOT / path.rstrip("./-") for path in IN_THE_TREE.findall(text)}
    named |= {ROOT / f"{module.replace('.', '/')}.py" for module in TEST_MODULE.findall(text)}
    assert not sorted(str(path) for path in named if not path.exists())
    files = {path.name for top in (*FOLDERS, "tests", "benchmarks", "scripts") for path in (ROOT / top).rglob("*.py")}
    assert not sorted(set(BARE_FILE.findall(text)) - files)


def test_no_module_is_longer_than_300_lines():
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {path: lines for path, lines in lengths.items() if lines > 300}


@pytest.mark.parametrize("room", [path for path in MODULES if path.name == "__init__.py"], ids=lambda path: str(path.parent))
def test_each_room_says_in_one_sentence_what_it_is_for(room):
    said = ast.get_docstring(ast.parse((ROOT / room).read_text(encoding="utf-8")))
    assert said is not None
    assert re.fullmatch(r"[^.\n]+\.", said)


@pytest.mark.parametrize("package", FOLDERS)
def test_every_public_method_has_a_docstring_its_own_or_its_contract_s(package):
    """What ruff cannot see: a method without one inherits that of the class whose contract it keeps."""
    silent = []
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(("tlsearch", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        module = importlib.import_module(name)
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__module__ == name and not kind.__name__.startswith("_"):
                silent += [
                    f"{name}.{kind.__name__}.{method}"
                    for method, value in vars(kind).items()
                    if not method.startswith("_")
                    and (inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod))
                    and not inspect.getdoc(getattr(kind, method))
                ]
    assert not silent, "\n".join(silent)
