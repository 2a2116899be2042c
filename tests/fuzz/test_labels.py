"""Whatever a CSV file of labels holds, there is a layout of files that are there, or one clear error."""

from __future__ import annotations

import csv
import io
import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tlsearch.search.data.labels import read_layout
from tlsearch.spaces.errors import DataError

EXAMPLES = int(os.environ.get("TLSEARCH_FUZZ_EXAMPLES", "100"))
quick = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))

cells = st.text(max_size=12) | st.sampled_from(
    ["a/0.png", "b/1.png", "./a/1.png", "..", "/", "~", "a", "train", "test", "VAL", "cat", "dog", "", " ", "x" * 5000, "\0"]
)
headers = st.permutations(["path", "label", "split", "Path", "id"]).flatmap(
    lambda names: st.integers(1, 5).map(lambda count: list(names[:count]))
)


@pytest.fixture
def root(make_folder):
    return make_folder({"a": 2, "b": 2})


def reads(root, data: bytes) -> None:
    path = root.parent / "labels.csv"
    path.write_bytes(data)
    try:
        layout = read_layout(root, path)
    except DataError as error:
        assert "must" in str(error) and "got" in str(error)
    else:
        assert layout.candidates and layout.labels == path
        for candidate in layout.candidates:
            assert (root / candidate.path).is_file() and candidate.label and candidate.split in layout.splits


@quick
@given(headers, st.lists(st.lists(cells, max_size=5), max_size=6), st.sampled_from(",;\t"))
def test_any_table(root, header, rows, separator):
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, *rows])
    reads(root, text.getvalue().encode("utf-8", "surrogatepass"))


@quick
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda data: b"path,label\na/0.png,cat\n" + data))
@example(b"path,label\n" + b'"' + b"x" * 200_000)
@example(b"path,label\n" + b"," * 200_000)
@example(b"path,label\ra/0.png,cat\rb/0.png,dog\r")
@example(b'"path\n",label\na/0.png,cat\n')
@example("path,label\na/0.png,cat\n".encode("utf-16"))
def test_any_bytes(root, data):
    reads(root, data)
