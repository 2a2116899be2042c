"""The commands that read: what goes where. What they say is tested with the reports."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tlsearch.cli import app
from tlsearch.cli.console import chosen_studies, storage_for
from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.folder.study import FolderStudy
from tlsearch.search.storage.shared.studies import SharedStudy
from tlsearch.search.storage.store import StudyStore
from tlsearch.spaces.errors import OptionError

from ..reports.factory import whole_study
from ..search.factory import settings


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder to work in, with two studies under ``runs/``."""
    home = tmp_path_factory.mktemp("home")
    for name in ("photos", "others"):
        (home / "runs").mkdir(exist_ok=True)
        whole_study(home / "runs" / name)
    return home


@pytest.fixture
def tlsearch(runs, monkeypatch):
    monkeypatch.chdir(runs)

    def tlsearch(*arguments):
        return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)

    return tlsearch


def test_a_report_of_the_newest_study_or_of_the_one_that_is_named(tlsearch):
    assert json.loads(tlsearch("report", "--format", "json").stdout)["study"]["name"] == "others"
    assert (
        json.loads(tlsearch("report", "runs/photos", "--format", "json", "--output", "-").stdout)["study"]["name"] == "photos"
    )
    assert "fine-tune wins" in tlsearch("report", "--top", 1).stdout


def test_who_cares_about_no_difference_is_given_the_quickest(tlsearch):
    verdict = json.loads(tlsearch("report", "--care", 50, "--format", "json").stdout)["verdict"]
    assert (verdict["care"], verdict["recommended"], verdict["winner"]) == (0.5, "frozen", "fine-tune")
    assert not verdict["proven"] and "Take frozen" in tlsearch("report", "--care", 50).stdout
    beside = json.loads(tlsearch("report", "runs/photos", "runs/others", "--care", 50, "--format", "json").stdout)
    assert {(study["recommended"], study["proven"]) for study in beside["studies"]} == {("frozen", False)}


@pytest.mark.parametrize("points", [-1, 101, "nan"])
def test_what_one_cares_about_is_a_number_of_points(tlsearch, points):
    with pytest.raises(OptionError, match=f"--care must be from 0 to 100 points, got {points}"):
        app(["report", "--care", str(points)], standalone_mode=False)


def test_a_page_goes_to_a_file(tlsearch, runs):
    done = tlsearch("report", "runs/photos", "--format", "html", "--output", "page.html")
    assert done.stdout == "" and (runs / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_page_does_not_flood_a_terminal(tlsearch, runs, monkeypatch):
    from tlsearch.cli import console

    monkeypatch.setattr(console.sys, "stdout", type("Terminal", (), {"isatty": lambda self: True, "write": None})())
    console.write("<!DOCTYPE html>", None, "html", runs / "runs" / "photos")
    assert (runs / "photos.html").read_text() == "<!DOCTYPE html>"


def test_studies_stand_side_by_side(tlsearch):
    assert "The same images" in tlsearch("report", "runs/photos", "runs/others").stdout
    assert json.loads(tlsearch("report", "runs/photos", "runs/others", "--format", "json").stdout)["same_data"] is True


def test_studies_are_listed(tlsearch):
    assert {study["name"] for study in json.loads(tlsearch("studies", "--format", "json").stdout)} == {"photos", "others"}
    assert "fine-tune wins" in tlsearch("studies").stdout


def test_a_folder_is_inspected(tlsearch, make_folder, runs):
    folder = make_folder({"cats": 6, "dogs": 6})
    assert "Ready to search on" in tlsearch("inspect", folder, "--size", 32).stdout
    assert json.loads(tlsearch("inspect", folder, "--size", 32, "--format", "json").stdout)["ready"] is True
    tlsearch("inspect", folder, "--size", 32, "--format", "html", "--output", "sheet.html")
    assert 'src="data:image/jpeg' in (runs / "sheet.html").read_text(encoding="utf-8")


def test_a_folder_is_understood_as_it_is_said_to_be(tlsearch, make_folder):
    folder = make_folder({".": 9})
    for number, picture in enumerate(sorted(folder.iterdir())):
        picture.rename(folder / f"{'cat dog fox'.split()[number % 3]}.{number}.png")
    options = ("--label-from-name", r"^(\w+)\.\d", "--skip-class", "fox", "--size", 32, "--format", "json")
    told = json.loads(tlsearch("inspect", folder, *options).stdout)
    assert [one["class"] for one in told["classes"]] == ["cat", "dog"] and len(told["skipped"]) == 3


def test_studies_in_a_database_by_option_or_environment(tlsearch, database, monkeypatch):
    shared, folder = SharedStudy(parse_storage(database), "shared"), FolderStudy(Path("runs/photos"))
    StudyStore.create(shared, settings(name="shared"))
    assert chosen_studies([], database) == chosen_studies(["shared"], database) == [shared]
    assert chosen_studies([], None) == [FolderStudy(Path("runs/others"))]
    assert (
        storage_for(folder.path, database) == shared.storage
        and storage_for(folder.path, None) is storage_for(None, None) is None
    )
    monkeypatch.setenv("TLSEARCH_STORAGE", database)
    assert chosen_studies([], None) == [shared]
    assert chosen_studies([folder.path, "shared"], None) == [folder, shared], "a folder is a folder"
    assert (
        storage_for(folder.path, None) is None and storage_for(Path("new"), None) == storage_for(None, None) == shared.storage
    )
    assert json.loads(tlsearch("report", "--study", "shared", "--format", "json").stdout)["study"]["path"] == str(shared)
    assert "shared" in tlsearch("studies").stdout and "shared" not in tlsearch("studies", "runs").stdout
