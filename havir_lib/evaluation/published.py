"""Results that papers report, each with its source (``tables/published.csv``)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from havir_lib.errors import DataError
from havir_lib.evaluation.metrics import METRICS
from havir_lib.paths import shipped

PUBLISHED = shipped("tables/published.csv")
COLUMNS = ["method", "setting", "metric", "value", "source", "checked", "note"]
SETTINGS = ("40h", "1h", "zero-shot", "variant", "not stated")
CHECKED = ("yes", "no (secondary source)")


def load_published(path: Path = PUBLISHED) -> pd.DataFrame:
    """Read the table of published results.

    Returns
    -------
    pandas.DataFrame
        One row per number. Columns: method; setting (hours of the test subject's data, or
        ``variant`` for ablations and partial models; never average over it); metric (a name in
        :data:`havir_lib.evaluation.metrics.METRICS`); value (fractions, also for two-way
        identification); source; checked (``yes`` if read in the work itself); note.

    Raises
    ------
    DataError
        If the file is missing, a column or source is, a number is given twice or out of range, or
        a setting, metric or mark is unknown.
    """
    if not path.is_file():
        raise DataError(f"Published results: expected {path}, but it does not exist.")
    table = pd.read_csv(path, keep_default_na=False, dtype={"value": float})
    if list(table.columns) != COLUMNS:
        raise DataError(f"{path}: expected columns {COLUMNS}, found {list(table.columns)}.")
    _check_words(table, path)
    _check_numbers(table, path)
    return table


def _check_words(table: pd.DataFrame, path: Path) -> None:
    allowed = {"setting": SETTINGS, "metric": tuple(METRICS), "checked": CHECKED}
    for column, words in allowed.items():
        wrong = sorted(set(table[column]) - set(words))
        if wrong:
            raise DataError(f"{path}: {column} must be one of {words}, found {wrong}.")
    unsourced = table[table["source"].str.strip() == ""]
    if len(unsourced):
        raise DataError(f"{path}: no source for {unsourced['method'].iloc[0]!r}.")


def _check_numbers(table: pd.DataFrame, path: Path) -> None:
    repeated = table[table.duplicated(["method", "setting", "metric"])]
    if len(repeated):
        row = repeated.iloc[0]
        raise DataError(f"{path}: {row['metric']} of {row['method']} ({row['setting']}) is twice.")
    outside = table[~table["value"].between(-1, 2)]  # correlations and their distances
    if len(outside):
        row = outside.iloc[0]
        raise DataError(
            f"{path}: {row['metric']} of {row['method']} is {row['value']}; write percentages as "
            "fractions of 1."
        )
