"""Tables of text that come with data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from havir_lib.data.hdf5 import ANEW
from havir_lib.errors import DataError
from havir_lib.io import atomic_write


def read_table(path: Path, separator: str = ",", names: bool = False) -> pd.DataFrame:
    """A table of text, UTF-8 with or without a mark at its start.

    Parameters
    ----------
    path : Path
    separator : str
    names : bool
        All cells are text, as they are written: ``NA`` is a name. Otherwise pandas decides.

    Raises
    ------
    DataError
        If it cannot be read as one.
    """
    plain = {"dtype": str, "keep_default_na": False} if names else {}
    try:
        return pd.read_csv(path, sep=separator, encoding="utf-8-sig", **plain)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8 ({error}). Save it as UTF-8.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error}). {ANEW}") from None


def read_names(path: Path, columns: Iterable[str], separator: str = "\t") -> pd.DataFrame:
    """A table of names that has these columns, all of it text; errors as :func:`read_table`."""
    table = read_table(path, separator, names=True)
    if missing := sorted(set(columns) - set(table)):
        by = {"\t": "tabs", ",": "commas"}[separator]
        raise DataError(
            f"{path}: expected the columns {', '.join(sorted(columns))} separated by {by}, "
            f"{missing} missing, found {list(table)}."
        )
    return table


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as :func:`read_names` reads it, separated by tabs."""
    with atomic_write(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False)
