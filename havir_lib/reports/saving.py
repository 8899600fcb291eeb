"""Saving tables: CSV for machines, Markdown for readers, LaTeX for papers, and their provenance."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from havir_lib.errors import DataError
from havir_lib.io import atomic_write, write_text
from havir_lib.provenance import check_origin, origin, write_sidecar
from havir_lib.reports.formats import as_latex, as_markdown, readable, widen

FLOAT_FORMAT = "%.6g"
NOT_KEYS = frozenset(
    (
        "value",
        "low",
        "high",
        "n",
        "n_subjects",
        "best",
        "data",
        "reference",
        "checked",
        "note",
        "target",
    )
)
HEADINGS = {
    "rerun": "Rerun here",
    "published": "Published for NSD (measured brains; other networks and protocols)",
}


def save_table(
    frame: pd.DataFrame,
    folder: Path,
    name: str,
    provenance: dict,
    simulated: bool,
    note: str = "",
    caption: str = "",
    *,
    rows: Sequence[str] | None = None,
    columns: str | None = None,
    value: str = "value",
) -> Path:
    """Write ``<name>.csv``, ``.md``, ``.tex`` and ``.json`` into `folder`.

    Parameters
    ----------
    frame : DataFrame
        Long format, one number per row. The CSV holds it as it is, plus a column ``data`` that
        says ``SIMULATED`` or ``measured`` (published numbers, column source, count as measured).
    folder : Path
        Created if missing.
    name : str
        File name without suffix, e.g. ``"table3_comparison"``.
    provenance : dict
        From :func:`havir_lib.provenance.record`.
    simulated : bool
    note, caption : str
        Below and above the table in Markdown and LaTeX.
    rows, columns : names of columns, optional
        The Markdown and LaTeX versions have one row per combination of `rows` and one column per
        value of `columns`. Tables of scores (columns metric and value) are widened by metric
        unless told otherwise; others are shown as they are.
    value : str
        Column with the number, for widening.

    Returns
    -------
    Path
        The CSV.

    Raises
    ------
    DataError
        If the table is empty or cannot be widened as asked.
    """
    check_origin(provenance, simulated, name)
    if frame.empty:
        raise DataError(f"{name}: the table has no rows; nothing was written")
    blocks = _blocks(frame, name, rows, columns, value)
    path = Path(folder) / f"{name}.csv"
    _write_csv(_marked(frame, simulated), path)
    write_text(path.with_suffix(".md"), as_markdown(blocks, caption, note, simulated))
    write_text(path.with_suffix(".tex"), as_latex(blocks, caption, note, simulated, name))
    write_sidecar(path, provenance, simulated, caption=caption, note=note)
    return path


def load_table(path: Path) -> pd.DataFrame:
    """Read a CSV written by :func:`save_table`; subjects and labels stay text."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def _marked(frame: pd.DataFrame, simulated: bool) -> pd.DataFrame:
    marked = frame.assign(data=origin(simulated))
    if "source" in frame:  # published numbers come from measured brains even in a simulated run
        marked.loc[frame["source"] == "published", "data"] = "measured"
    return marked


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    with atomic_write(path) as temporary:
        frame.to_csv(temporary, index=False, float_format=FLOAT_FORMAT, lineterminator="\n",
                     quoting=csv.QUOTE_MINIMAL, encoding="utf-8")  # fmt: skip


def _blocks(frame: pd.DataFrame, name: str, rows, columns, value: str) -> dict[str, pd.DataFrame]:
    """Heading → wide table; published numbers never share a table with those computed here."""
    if "source" not in frame or rows is not None:
        return {"": _wide(frame, name, rows, columns, value)}
    blocks = {}
    for source, part in frame.groupby("source", sort=False):
        shown = part.drop(columns="source").replace("", pd.NA).dropna(axis="columns", how="all")
        blocks[HEADINGS.get(source, str(source))] = _wide(shown, name, rows, columns, value)
    return blocks


def _wide(
    frame: pd.DataFrame, name: str, rows: Sequence[str] | None, columns: str | None, value: str
) -> pd.DataFrame:
    if columns is None and {"metric", "value"} <= set(frame.columns):
        columns = "metric"
    if columns is None:
        return readable(frame)
    if rows is None:
        rows = [key for key in frame.columns if key not in NOT_KEYS | {columns, value}]
    if not rows:  # one list of scores: nothing to widen
        return readable(frame)
    keyed = frame.astype({key: object for key in rows}).fillna({key: "" for key in rows})
    try:
        return widen(keyed, rows, columns, value)
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{name}: cannot make one column per {columns!r} and one row per {list(rows)}: {error}"
        ) from None
