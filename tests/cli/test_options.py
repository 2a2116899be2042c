import pytest

from tlsearch.cli.options import parse_bytes, parse_confirm, parse_duration, parse_folds, parse_workers
from tlsearch.spaces.errors import OptionError


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (parse_duration, None, None),
        (parse_duration, "90s", 90),
        (parse_duration, "1.5m", 90),
        (parse_duration, " 2h ", 7200),
        (parse_bytes, None, None),
        (parse_bytes, "500MB", 500_000_000),
        (parse_bytes, "1.5 gb", 1_500_000_000),
        (parse_bytes, "2TB", 2_000_000_000_000),
        (parse_workers, "auto", None),
        (parse_workers, "256", 256),
        (parse_confirm, "auto", "auto"),
        (parse_confirm, "0", 0),
        (parse_confirm, "1000", 1000),
        (parse_folds, "auto", "auto"),
        (parse_folds, "1", 1),
        (parse_folds, "20", 20),
    ],
)
def test_reads(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (parse_duration, "0m"),
        (parse_duration, "soon"),
        (parse_duration, "-1h"),
        (parse_bytes, "20"),
        (parse_bytes, "-1GB"),
        (parse_bytes, "20GiB"),
        (parse_workers, "0"),
        (parse_workers, "257"),
        (parse_workers, "two"),
        (parse_workers, "9" * 5000),
        (parse_confirm, "1001"),
        (parse_confirm, "-1"),
        (parse_confirm, "9" * 5000),
        (parse_folds, "0"),
        (parse_folds, "2"),
        (parse_folds, "21"),
        (parse_folds, "five"),
    ],
)
def test_refuses_with_what_was_got(read, text):
    with pytest.raises(OptionError, match=f"must be .* got {text}"):
        read(text)
