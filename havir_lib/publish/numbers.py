"""Numbers in texts, taken from the tables."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from havir_lib.errors import DataError
from havir_lib.io import write_text

NUMBER = re.compile(r"<!--= (?P<query>[^>]*?) -->(?P<text>.*?)<!--/-->", re.DOTALL)


def filled(text: str, tables: Path) -> str:
    """A text with every marked number taken anew from the tables.

    A mark is ``<!--= FOLDER/TABLE | column=value; … | column | digits -->0.59<!--/-->``. ``column``
    may be preceded by ``-`` (the sign is turned) or ``abs ``, and followed by ``ci``, which adds
    the interval.

    Raises
    ------
    DataError
        If a mark fits no row, or several.
    """
    read = functools.cache(_read)  # many marks, few tables
    return NUMBER.sub(lambda found: _fill(found, tables, read), text)


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def _fill(found: re.Match, tables: Path, read: Callable[[Path], pd.DataFrame]) -> str:
    query = found["query"]
    name, where, column, digits = (part.strip() for part in query.split("|"))
    path = tables / f"{name}.csv"
    if not path.is_file():
        raise DataError(f"{path} does not exist, but a text takes a number from it: {query}")
    frame = read(path)
    for condition in filter(None, (part.strip() for part in where.split(";"))):
        key, _, value = condition.partition("=")
        frame = frame[frame[key].astype(str) == value]
    if len(frame) != 1:
        raise DataError(f"{len(frame)} rows of {path.name} fit {query!r}; expected one.")
    return f"<!--= {query} -->{_number(frame.iloc[0], column, int(digits))}<!--/-->"


def _number(row: pd.Series, column: str, digits: int) -> str:
    column, with_interval = column.removesuffix(" ci"), column.endswith(" ci")
    sign = -1 if column.startswith("-") else 1
    value = sign * row[column.removeprefix("-").removeprefix("abs ")]
    value = abs(value) if column.startswith("abs ") else value
    shown = f"{value:.{digits}f}"
    if not with_interval:
        return shown
    ends = sorted((sign * row["low"], sign * row["high"]))
    return f"{shown} [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def refresh(text_file: Path, tables: Path) -> bool:
    """Fill the numbers of a file; whether anything changed."""
    before = text_file.read_text(encoding="utf-8")
    after = filled(before, tables)
    if after != before:
        write_text(text_file, after)
    return after != before
