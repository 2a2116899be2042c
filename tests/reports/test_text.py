import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.reports.text import (
    and_more,
    count,
    describe,
    duration,
    file_size,
    gap,
    gap_number,
    in_words,
    listed,
    literal,
    rate,
    score,
)

from ..search.factory import recipe


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (89.4, "89 s"), (89.6, "1 min 30 s"), (119.7, "2 min 00 s"),
     (5399, "89 min 59 s"), (5400, "1 h 30 min"), (90_000, "25 h 00 min")],
)  # fmt: skip
def test_durations(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.01, "0.01"), (0.00131, "0.0013"), (1e-4, "1e-4"), (4.68e-5, "4.7e-5")])
def test_rates(value, shown):
    assert rate(value) == shown


@given(st.floats(1e-6, 1))
def test_a_rate_is_right_to_two_digits(value):
    assert float(rate(value)) == pytest.approx(value, rel=0.051)


def test_numbers_with_their_units():
    assert (score(0.9512, "accuracy"), score(0.25, "log_loss")) == ("95.1%", "0.250")
    assert (gap(0.013, "accuracy"), gap(-0.013, "macro_f1"), gap(0.1, "log_loss")) == (
        "1.3 points",
        "−1.3 points",
        "0.100 nats",
    )
    assert gap_number(-0.0001, "accuracy") == "0.0"


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 bytes"), (999, "999 bytes"), (2_500_000, "2.5 MB"), (3e9, "3.0 GB"), (4e12, "4.0 TB")]
)
def test_sizes_of_files(number, shown):
    assert file_size(number) == shown


def test_of_many_names_a_few_are_shown():
    assert (and_more(["a", "b"], 2), and_more(list("abc"), 2), and_more([], 2)) == ("a; b", "a; b; and 1 more", "")


def test_counts_and_lists():
    assert [count(n, "class") for n in (0, 1, 2000)] == ["0 classes", "1 class", "2,000 classes"]
    assert [listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


@given(st.text())
def test_nothing_literal_acts_on_a_terminal(text):
    shown = literal(text)
    assert all(char.isprintable() or char in " \u200c\u200d" or ord(char) > 127 for char in shown)
    assert not set(shown) & set("\x1b\r\n\t\u202e\u2028\u0085")


def test_letters_of_every_script_stay():
    for text in ("Äpfel", "猫", "کتاب\u200cها", "👩\u200d🔬", "a b"):
        assert literal(text) == text


def test_recipes_in_short_and_in_words():
    one = recipe("fine-tune", learning_rate=4.7e-5, head_units=128, head_layers=2, dropout=0.25, augment=True)
    assert describe(one, technique=True) == "fine-tune, from layer 100, lr 4.7e-5, head 2 × 128, dropout 0.25, augmented"
    assert in_words(one) == (
        "trains from layer 100 on, learning rate 4.7e-5, 2 hidden layers of 128 units, dropout 0.25, augmented images"
    )
    assert in_words(recipe()) == "learning rate 0.001, no hidden layer"
