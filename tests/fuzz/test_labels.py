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
    [
        *("a/0.png", "b/1.png", "./a/1.png", "..", "/", "~", "a", "train", "test", "VAL", "cat", "dog", "", " ", "x" * 5000),
        *("\0", "0", "1", "1.0", "False", "nan", "?"),
    ]
)
headers = st.permutations(["path", "label", "split", "Path", "id", "cat", "dog", ""]).flatmap(
    lambda names: st.integers(1, 8).map(lambda count: list(names[:count]))
)
columns = st.fixed_dictionaries(
    {},
    optional={
        f"{kind}_column": st.sampled_from([None, "path", "LABEL", "split", "id", "cat", "", "\n"]) | st.text(max_size=5)
        for kind in ("path", "label", "split", "group")
    },
)


@pytest.fixture
def root(make_folder):
    return make_folder({"a": 2, "b": 2})


def reads(root, data: bytes, options=None) -> None:
    path = root.parent / "labels.csv"
    path.write_bytes(data)
    try:
        layout = read_layout(root, path, **options or {})
    except DataError as error:
        assert "must" in str(error) and "got" in str(error)
    else:
        assert layout.candidates and layout.labels == path
        for candidate in layout.candidates:
            assert (root / candidate.path).is_file() and candidate.label and candidate.split in layout.splits


@quick
@given(headers, st.lists(st.lists(cells, max_size=8), max_size=6), st.sampled_from(",;\t"), columns)
def test_any_table(root, header, rows, separator, options):
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, *rows])
    reads(root, text.getvalue().encode("utf-8", "surrogatepass"), options)


@quick
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda data: b"path,label\na/0.png,cat\n" + data))
@example(b"path,label\n" + b'"' + b"x" * 200_000)
@example(b"path,label\n" + b"," * 200_000)
@example(b"x" * 200_000)
@example(b"path,label\ra/0.png,cat\rb/0.png,dog\r")
@example(b'"path\n",label\na/0.png,cat\n')
@example("path,label\na/0.png,cat\n".encode("utf-16"))
def test_any_bytes(root, data):
    reads(root, data)
