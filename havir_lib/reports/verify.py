"""Compare the numbers of a run with those that the project commits, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from havir_lib.errors import DataError
from havir_lib.io import atomic_write, read_json

ATOL, RTOL, P_ATOL = 0.02, 0.05, 0.1
"""Tolerance of a number: 0.02 or 5 % of it; of a p value: 0.1. Text and counts must be equal.

Networks trained on another processor differ in their last bits from the first step on, and so a
little in what they decode."""
P_VALUES = frozenset(("p", "p_holm"))
PRECISIONS = ("float32", "bfloat16", "float16")
TEXT = ("verdict", "best")
COLUMNS = ["table", "row", "column", "value"]
SHOWN = 20


@dataclass(frozen=True)
class Verification:
    """What agrees.

    Attributes
    ----------
    n : int
        Numbers in the reference.
    off : DataFrame
        Columns table, row, column, reference, found: those that disagree, or were not made.
    theirs, ours : str
        Precisions that the reference and these tables were sampled in.
    """

    n: int
    off: pd.DataFrame
    theirs: str
    ours: str

    @property
    def text(self) -> str:
        """Some sentences for the terminal."""
        agreed = self.n - len(self.off)
        head = (
            f"{agreed} of {self.n} numbers agree with the committed reference "
            f"(within {ATOL:g} or {100 * RTOL:g} %; p values within {P_ATOL:g})."
        )
        if self.theirs != self.ours:
            head += f" It was sampled in {self.theirs}, these in {self.ours}."
        if self.off.empty:
            return head
        lines = [
            f"  {x.table}: {x.row}: {x.column} {x.found} instead of {x.reference}"
            for x in self.off.head(SHOWN).itertuples()
        ]
        more = len(self.off) - SHOWN
        return "\n".join([head, *lines, *([f"  … and {more} more"] if more > 0 else [])])


def numbers_of(tables: Iterable[Path]) -> pd.DataFrame:
    """Every number in some tables, and verdicts: columns table, row, column, value (text).

    A row is named by its texts; where several have the same, by their order, too.
    """
    parts = [_numbers(Path(path)) for path in sorted(tables)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def _numbers(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"best": str})
    if "source" in frame:  # published numbers are not this run's
        frame = frame[frame["source"] != "published"]
    frame = frame.drop(columns=[name for name in ("data", "reference", "checked", "note")
                                if name in frame])  # fmt: skip
    numbers = [name for name in frame if name in TEXT or frame[name].dtype.kind in "if"]
    texts = [name for name in frame if name not in numbers]
    row = frame[texts].fillna("").astype(str).agg(" | ".join, axis=1) if texts else pd.Series(
        [""] * len(frame), index=frame.index
    )  # fmt: skip
    again = row.groupby(row).cumcount()
    row = row.where(again == 0, row + " #" + (again + 1).astype(str))
    long = frame[numbers].astype(object).assign(row=row)
    long = long.melt("row", var_name="column", value_name="number")
    long = long.assign(table=path.stem, value=long["number"].map(_written))
    return long[COLUMNS].reset_index(drop=True)


def _written(value: object) -> str:
    return "" if value is None or value != value else str(value)  # nan is not equal to itself


def precision_of(tables: Path) -> str:
    """The precision that a folder of tables was sampled in, as their sidecars say.

    Raises
    ------
    DataError
        If there is no sidecar.
    """
    for path in sorted(tables.glob("*.json")):
        return read_json(path)["settings"]["diffusion"]["precision"]
    raise DataError(f"{tables}: expected a table's sidecar (.json), found none. Run the profile.")


def references(folder: Path, name: str) -> dict[str, Path]:
    """Committed references of a run by precision."""
    files = {precision: folder / f"{name}-{precision}.csv" for precision in PRECISIONS}
    return {precision: path for precision, path in files.items() if path.is_file()}


def write_reference(tables: Sequence[Path], folder: Path, name: str) -> Path:
    """Write the numbers of a run's tables as its reference, ``<name>-<precision>.csv``.

    There may be one for each precision of the sampler, since pictures differ.
    """
    path = folder / f"{name}-{precision_of(tables[0].parent)}.csv"
    with atomic_write(path) as temporary:
        numbers_of(tables).to_csv(temporary, index=False, lineterminator="\n")
    return path


def verify(tables: Path, folder: Path, name: str) -> Verification:
    """Compare a folder of tables with the reference of a run, of the same precision if there is.

    Parameters
    ----------
    tables, folder : Path
        Of the run, and of the references.
    name : str
        E.g. ``"demo-full"``.

    Raises
    ------
    DataError
        If there is no such reference.
    """
    known = references(folder, name)
    if not known:
        raise DataError(
            f"{folder} holds no reference {name}-{{{','.join(PRECISIONS)}}}.csv, so there is "
            "nothing to compare these tables with. `havir publish` writes one."
        )
    ours = precision_of(tables)
    theirs = ours if ours in known else next(iter(known))
    expected = pd.read_csv(known[theirs], dtype=str, keep_default_na=False)
    found = numbers_of(
        path for name in expected["table"].unique() if (path := tables / f"{name}.csv").is_file()
    )
    both = expected.merge(found, "left", on=COLUMNS[:3], suffixes=("_reference", "_found"))
    agree = [agrees(row.column, row.value_reference, row.value_found) for row in both.itertuples()]
    off = both[~np.array(agree, dtype=bool)].fillna({"value_found": "not made"})
    off = off.rename(columns={"value_reference": "reference", "value_found": "found"})
    return Verification(len(both), off.reset_index(drop=True), theirs, ours)


def agrees(column: str, reference: str, found: object) -> bool:
    """Whether a number as written agrees with the reference's."""
    if not isinstance(found, str):  # the row or table was not made
        return False
    if column in TEXT or not reference or not found:
        return reference == found
    a, b = float(reference), float(found)
    if column in P_VALUES:
        return abs(a - b) <= P_ATOL
    if _is_count(reference) and _is_count(found):
        return a == b
    return bool(np.isclose(a, b, atol=ATOL, rtol=RTOL))


def _is_count(text: str) -> bool:
    return text.removesuffix(".0").lstrip("-").isdigit()
