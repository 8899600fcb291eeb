"""Numbers in texts come from tables, and a test holds them there."""

import re

import pandas as pd
import pytest

from havir_lib.errors import DataError
from havir_lib.paths import PROJECT_ROOT
from havir_lib.publish import TEXTS
from havir_lib.publish.numbers import NUMBER, filled


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "demo").mkdir()
    pd.DataFrame(
        {
            "method": ["HAVIR", "ridge"],
            "metric": ["PixCorr", "PixCorr"],
            "value": [0.5871, -0.2],
            "low": [0.5, -0.31],
            "high": [0.66, -0.1],
        }
    ).to_csv(tmp_path / "demo" / "scores.csv", index=False)
    return tmp_path


def mark(query, text="?"):
    return f"<!--= demo/scores | {query} -->{text}<!--/-->"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("method=HAVIR | value | 2", "0.59"),
        ("method=HAVIR; metric=PixCorr | value ci | 2", "0.59 [0.50, 0.66]"),
        ("method=ridge | -value ci | 2", "0.20 [0.10, 0.31]"),
        ("method=ridge | abs value | 1", "0.2"),
    ],
)
def test_numbers_are_filled_in_place(tables, query, expected):
    text = filled(f"It is {mark(query)}, twice {mark(query, 'old')}.", tables)
    assert text == f"It is {mark(query, expected)}, twice {mark(query, expected)}."


@pytest.mark.parametrize("query", ["metric=PixCorr | value | 2", "method=none | value | 2"])
def test_a_mark_must_fit_one_row(tables, query):
    with pytest.raises(DataError, match="expected one"):
        filled(mark(query), tables)


def test_a_lost_table_is_named(tables):
    with pytest.raises(DataError, match=r"other\.csv does not exist"):
        filled("<!--= demo/other | a=1 | value | 2 -->1<!--/-->", tables)


@pytest.mark.parametrize("name", TEXTS)
def test_numbers_in_the_texts_are_those_of_the_tables(name):
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
    assert filled(text, PROJECT_ROOT / "tables") == text, "run `havir publish`"


def test_the_readme_takes_its_numbers_from_tables():
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert len(NUMBER.findall(text)) > 40
    findings = text[text.index("## What the demo shows") : text.index("## What the demo is")]
    by_hand = set(re.findall(r"\d+\.\d{2,}", NUMBER.sub("", findings)))
    assert by_hand == {"0.03"}  # chance, one in 40
