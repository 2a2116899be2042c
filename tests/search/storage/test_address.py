"""URLs of databases: what is taken, what is refused, and that no password is ever shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL

from tlsearch.search.storage.address import Storage, chosen_storage, parse_storage
from tlsearch.search.storage.shared.studies import SharedStudy
from tlsearch.spaces.errors import OptionError, TlsearchError


@pytest.mark.parametrize(
    ("text", "shown", "driver"),
    [
        ("postgresql://ann:secret@db.example:5433/lab", "postgresql://ann:***@db.example:5433/lab", "postgresql+psycopg"),
        ("postgres://db/lab?sslmode=require", "postgresql://db/lab", "postgresql+psycopg"),
        ("postgresql+psycopg2://ann:secret@db/lab", "postgresql://ann:***@db/lab", "postgresql+psycopg"),
        ("POSTGRESQL://db/lab", "postgresql://db/lab", "postgresql+psycopg"),
    ],
)
def test_takes_what_names_a_postgresql(text, shown, driver):
    storage = parse_storage(text)
    assert (str(storage), storage.url.drivername) == (shown, driver)
    assert str(SharedStudy(storage, "photos")) == f"photos in {shown}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got nothing"),
        ("photos", "got no URL"),
        ("sqlite:///secret.db", "A study in a folder is one"),
        ("mongodb://ann:secret@db/lab", "got mongodb://"),
        ("postgresql://ann:sec:ret@db:x/lab", "cannot be read"),
        ("postgresql://ann:secret@db:54a3/lab", "cannot be read"),
        ("postgresql://ann:secret@[::1/lab", "cannot be read"),
    ],
)
def test_refuses_anything_else_without_repeating_it(text, words):
    with pytest.raises(OptionError, match=words) as raised:
        parse_storage(text)
    assert "sec" not in str(raised.value) and raised.value.__cause__ is None


def test_the_option_goes_before_the_environment(monkeypatch):
    assert chosen_storage(None) is None
    monkeypatch.setenv("TLSEARCH_STORAGE", "postgresql://db/one")
    assert str(chosen_storage(None)) == "postgresql://db/one"
    assert str(chosen_storage("postgresql://db/two")) == "postgresql://db/two"
    monkeypatch.setenv("TLSEARCH_STORAGE", "")
    assert chosen_storage(None) is None


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", "a\nb"])
def test_a_study_needs_a_name(name):
    with pytest.raises(OptionError, match="1 to 255 printable"):
        SharedStudy(parse_storage("postgresql://db/lab"), name)


@given(st.text(min_size=4).filter(str.strip), st.text("abc%&=?#@/", max_size=8))
def test_a_password_is_never_shown(password, query):
    """Whatever it is made of, in the text of a storage, a study or an error that quotes it."""
    url = URL.create("postgresql+psycopg", "u", password, "h", 1, "d", {"sslpassword": password, "options": query})
    storage = Storage(url)
    shown = [str(storage), repr(storage), str(SharedStudy(storage, "s")), repr(SharedStudy(storage, "s"))]
    assert not any(password in text for text in shown) or password in "postgresql://u:***@h:1/d SharedStudy(storage=Storage()"
    said = f"<<{password}>> and {url.render_as_string(hide_password=False)}"
    assert f"<<{password}>>" not in storage.redact(said)


def test_parsing_shows_no_password_whatever_is_wrong():
    for text in ("postgresql://u:hunter2@h:port/d", "mysql://u:hunter2@h:1:2/d", "oracle://u:hunter2@h/d", "hunter2"):
        try:
            parse_storage(text)
        except TlsearchError as error:
            assert "hunter2" not in str(error)
