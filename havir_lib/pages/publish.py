"""``@figure`` and ``@table``: save what a page makes, with its provenance, and show it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import Image, Markdown
from matplotlib.figure import Figure

from havir_lib.cache.content import Description, code_of
from havir_lib.cache.store import collecting
from havir_lib.pages.index import Page, page_of
from havir_lib.plots import save_figure
from havir_lib.plots.saving import page_copy
from havir_lib.provenance import digest, record
from havir_lib.reports import save_table
from havir_lib.run import Run


@dataclass(frozen=True)
class Drawn:
    """A figure, what it shows, and what it was drawn from.

    Attributes
    ----------
    figure : matplotlib Figure
    caption : str
    made_from : dict
        Name → arrays or tables; their hashes go into the provenance.
    simulated : bool or None
        Whether it shows numbers of simulated subjects; None: as the run says.
    """

    figure: Figure
    caption: str
    made_from: dict[str, Any]
    simulated: bool | None = None


@dataclass(frozen=True)
class Table:
    """A table in long format, one number per row, and how it is shown.

    Attributes
    ----------
    frame : DataFrame
    caption, note : str
        Above and below it.
    shown : DataFrame or None
        What the notebook shows instead of `frame`.
    options : dict
        Of :func:`havir_lib.reports.save_table`.
    """

    frame: pd.DataFrame
    caption: str
    note: str = ""
    shown: pd.DataFrame | None = None
    options: dict[str, Any] = field(default_factory=dict)


def figure(function: Callable[..., Drawn | str]) -> Callable[..., Image | Markdown]:
    """Save what the function draws and return it; or the sentence that says why not."""

    @functools.wraps(function)
    def shown(run: Run, *arguments: Any, **named: Any) -> Image | Markdown:
        with collecting() as used:
            drawn = function(run, *arguments, **named)
        if isinstance(drawn, str):
            return Markdown(drawn)
        name = _name(function, run, *arguments, **named)
        simulated = run.simulated if drawn.simulated is None else drawn.simulated
        made_from = provenance(run, simulated, drawn.made_from, used, function)
        saved = save_figure(
            drawn.figure,
            run.workspace.figures,
            name,
            made_from,
            simulated,
            caption=_marked(run, drawn.caption),
        )
        content, kind = page_copy(saved)
        picture = Image(data=content, format=kind)
        picture.filename = str(saved)
        return picture

    return shown


def table(function: Callable[..., Table | str]) -> Callable[..., pd.DataFrame | Markdown]:
    """Save the table that the function makes and return it; or the sentence that says why not."""

    @functools.wraps(function)
    def shown(run: Run, *arguments: Any, **named: Any) -> pd.DataFrame | Markdown:
        with collecting() as used:
            made = function(run, *arguments, **named)
        if isinstance(made, str):
            return Markdown(made)
        save_table(
            made.frame,
            run.workspace.tables,
            _name(function, run, *arguments, **named),
            provenance(run, run.simulated, {"table": made.frame}, used, function),
            run.simulated,
            made.note,
            _marked(run, made.caption),
            **made.options,
        )
        return made.frame if made.shown is None else made.shown

    return shown


def page(function: Callable) -> Page:
    """The index's entry of a page's function."""
    module = function.__module__.removeprefix("havir_lib.pages.")
    return page_of(f"{module}.{function.__name__}")


def _name(function: Callable, *arguments: Any, **named: Any) -> str:
    bound = inspect.signature(function).bind(*arguments, **named)
    return page(function).name.format(**bound.arguments)


def _marked(run: Run, caption: str) -> str:
    """The caption, with the settings that a run of one's own has changed."""
    changes = {k: v for k, v in run.config.changes.items() if k != "comparison.full"}
    if not changes:
        return caption
    text = ", ".join(f"{key} = {value}" for key, value in changes.items())
    return f"{caption} With settings of its own: {text}."


def provenance(
    run: Run,
    simulated: bool,
    made_from: dict[str, Any],
    results: Iterable[str] = (),
    function: Callable | None = None,
) -> dict:
    """Provenance of a result: hashes of what it was made from, cached results, its own code."""
    inputs = {name: content(value) for name, value in made_from.items()}
    source = digest(code_of(function).sources) if function else ""
    return record(run.config, inputs, simulated, results, source)


def content(value: Any) -> str:
    """Hash of arrays and tables; numbers of tables count with 10 digits, as they are written."""
    if isinstance(value, pd.DataFrame):
        return digest(value.to_csv(index=False, float_format="%.10g"))
    if isinstance(value, np.ndarray):
        return digest(value)
    return digest(Description().of(value))
