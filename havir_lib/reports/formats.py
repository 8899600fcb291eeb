"""Long tables as wide text: Markdown and LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

STAMP = "SIMULATED DATA"
P_VALUES = ("p", "p_holm")
LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\n": " ",
    "\r": " ",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}
MARKDOWN_SPECIAL = re.compile(r"[\\`*_<$|~]|\](?=\()")


class Best(str):
    """A cell that is shown in bold. What comes from data never is, whatever it reads like."""


def widen(frame: pd.DataFrame, rows: Sequence[str], columns: str, value: str) -> pd.DataFrame:
    """One row per combination of `rows`, one column per value of `columns`.

    Parameters
    ----------
    frame : DataFrame
        Long table: `rows`, `columns`, `value` and, optionally, low, high and best (bool).
    rows : sequence of str
        Names of the columns that identify a row.
    columns : str
        Column whose values become columns, in order of appearance.
    value : str
        Column with the number.

    Returns
    -------
    DataFrame of str
        Cells read ``0.327 [0.301, 0.352]``, missing ones ``–``; best ones are :class:`Best`.
    """
    cells = frame[[*rows, columns]].copy()
    read = [_cell(row, value) for row in frame.to_dict("records")]
    cells["cell"] = pd.Series(read, index=cells.index, dtype=object)
    duplicated = cells.duplicated([*rows, columns])
    if duplicated.any():
        first = cells.loc[duplicated, [*rows, columns]].iloc[0].to_dict()
        raise ValueError(f"more than one value for {first}; name the columns that tell them apart")
    wide = cells.pivot(index=list(rows), columns=columns, values="cell")
    keys = cells[list(rows)].drop_duplicates()
    wide = wide.reindex(index=pd.MultiIndex.from_frame(keys) if len(rows) > 1 else keys[rows[0]])
    wide = wide.reindex(columns=cells[columns].drop_duplicates()).fillna("–")
    return wide.rename_axis(columns=None).reset_index()


def number(value: float) -> str:
    """A number as people read it: whole numbers whole, others with three significant decimals."""
    if pd.isna(value):
        return "–"
    if float(value).is_integer() and abs(value) >= 1:
        return f"{int(value)}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with every number as people read it.

    Counts stay whole, even none; p values too small for three decimals read ``<0.001``; missing
    entries ``–``.
    """
    shown = frame.astype(object)
    for key in frame.select_dtypes("number").columns:
        if pd.api.types.is_integer_dtype(frame[key]):
            shown[key] = [str(item) for item in frame[key]]
        elif key in P_VALUES:
            shown[key] = ["<0.001" if item < 0.0005 else number(item) for item in frame[key]]
        else:
            shown[key] = [number(item) for item in frame[key]]
    return shown.fillna("–")


def as_markdown(
    blocks: Mapping[str, pd.DataFrame], caption: str, note: str, simulated: bool
) -> str:
    """Markdown page: stamp first, then caption, one table per heading, and note."""
    lines = [f"**{STAMP}: simulated subjects, not measured brains.**", ""] if simulated else []
    lines += [f"**{caption}**", ""] if caption else []
    for heading, wide in blocks.items():
        body = wide.astype(object).map(_markdown).rename(columns=_markdown)
        lines += [f"*{heading}*", ""] if heading else []
        lines += [body.to_markdown(index=False, disable_numparse=True), ""]
    return "\n".join([*lines, note] if note else lines[:-1]) + "\n"


def as_latex(
    blocks: Mapping[str, pd.DataFrame], caption: str, note: str, simulated: bool, label: str
) -> str:
    """A ``table`` environment with booktabs rules, one ``tabular`` per heading."""
    said = f"{STAMP}. " if simulated else ""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escape(said + caption)}}}",
        rf"\label{{tab:{label}}}",
    ]
    for heading, wide in blocks.items():
        lines += [rf"\par\medskip\textit{{{_escape(heading)}}}\par\smallskip"] if heading else []
        lines += _tabular(wide)
    lines += [rf"\par\smallskip\footnotesize {_escape(note)}"] if note else []
    return "\n".join([*lines, r"\end{table}", ""])


def _tabular(wide: pd.DataFrame) -> list[str]:
    rows = wide.astype(object).to_numpy()
    head = " & ".join(_escape(str(name)) for name in wide.columns)
    body = [" & ".join(_escape(_text(cell)) for cell in row) + r" \\" for row in rows]
    begin = rf"\begin{{tabular}}{{{'l' * wide.shape[1]}}}"
    return [begin, r"\toprule", head + r" \\", r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]


def _markdown(cell: object) -> str:
    """A cell as Markdown shows it literally."""
    plain = MARKDOWN_SPECIAL.sub(r"\\\g<0>", " ".join(str(cell).splitlines()))
    return f"**{plain}**" if isinstance(cell, Best) else plain


def _cell(row: dict, value: str) -> str:
    text = number(row[value])
    if text != "–" and pd.notna(row.get("low")) and pd.notna(row.get("high")):
        text += f" [{number(row['low'])}, {number(row['high'])}]"
    best = row.get("best")
    return Best(text) if best is not None and pd.notna(best) and best else text


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else str(cell)


def _escape(text: str) -> str:
    safe = "".join(LATEX_SPECIAL.get(character, character) for character in text)
    return rf"\textbf{{{safe}}}" if isinstance(text, Best) else safe
