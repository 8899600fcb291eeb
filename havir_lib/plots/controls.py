"""Figures of the controls: intervals and curves as small multiples, from saved tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from havir_lib.plots.style import INK, MUTED, PAGE, colour_of, figure_style, label_of, new_figure

PER_ROW = 3
POINT = {"marker": "o", "ms": 4.0, "mec": "white", "mew": 0.5}


def figure_intervals(
    table: pd.DataFrame,
    *,
    panel: str,
    row: str,
    colour: str,
    colours: Mapping[object, str] | None = None,
    zero: str | None = None,
    xlabel: str = "",
    per_row: int = PER_ROW,
) -> Figure:
    """Values with their intervals: one panel per `panel`, rows down the side, `colour` beside.

    Parameters
    ----------
    table : DataFrame
        Columns value, low, high, and those named by the next three.
    panel, row, colour : str
        Columns: which panel, which line in it, which of the points on a line.
    colours : mapping, optional
        Colour of each value of `colour`, in the order of the legend; default: the names' own.
    zero : str, optional
        What a value of 0 means; draws a line there.
    xlabel : str
    per_row : int
        Panels side by side.
    """
    panels = list(dict.fromkeys(table[panel]))
    colours = colours or {name: colour_of(name) for name in dict.fromkeys(table[colour])}
    rows = {name: list(dict.fromkeys(part[row])) for name, part in table.groupby(panel)}
    longest = max(map(len, rows.values()))
    shared = len(set(map(tuple, rows.values()))) == 1  # then they are named once, at the left
    n_rows, n_columns = -(-len(panels) // per_row), min(per_row, len(panels))
    with figure_style():
        height = 12 + n_rows * (13 + longest * max(5.0, 2.4 * len(colours)))
        fig = new_figure(PAGE, height)
        axes = fig.subplots(n_rows, n_columns, squeeze=False)
        for ax, name in zip(axes.flat, panels, strict=False):
            _intervals(ax, table[table[panel] == name], rows[name], row, colour, colours)
            ax.set_title(label_of(name))
            if shared and not ax.get_subplotspec().is_first_col():
                ax.set_yticklabels([])
            if zero is not None:
                ax.axvline(0, color=MUTED, lw=0.8, zorder=0.5)
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        for ax in axes[-1]:
            ax.set_xlabel(xlabel)
        _legend(fig, colours, zero)
    return fig


def _intervals(
    ax: Axes,
    table: pd.DataFrame,
    rows: Sequence[str],
    row: str,
    colour: str,
    colours: Mapping[object, str],
) -> None:
    step = 0.7 / max(len(colours), 1)
    for level, (name, shade) in enumerate(colours.items()):
        own = table[table[colour] == name]
        shift = ((len(colours) - 1) / 2 - level) * step
        y = np.array([len(rows) - 1 - rows.index(item) for item in own[row]]) + shift
        ax.hlines(y, own["low"], own["high"], color=shade, lw=1.4)
        ax.plot(own["value"], y, ls="", color=shade, **POINT)
    ax.set_yticks(range(len(rows))[::-1], [label_of(item) for item in rows])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.locator_params(axis="x", nbins=4)
    ax.grid(axis="x")


def figure_curves(
    table: pd.DataFrame,
    *,
    panel: str,
    x: str,
    colour: str,
    colours: Mapping[object, str] | None = None,
    titles: Mapping[str, str] | None = None,
    marks: Mapping[str, float] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    log: bool = False,
    row: str | None = None,
) -> Figure:
    """Curves with their intervals: one panel per `panel` (and `row`), one curve per `colour`.

    Parameters
    ----------
    table : DataFrame
        Columns value, low, high, and those named by `panel`, `x`, `colour` and `row`.
    colours : mapping, optional
        Colour of each curve, in the order of the legend; default: the names' own.
    titles : mapping, optional
        Titles of panels that do not speak for themselves.
    marks : mapping, optional
        Panel to the x that the run itself uses; drawn as a thin line.
    xlabel, ylabel : str
        `ylabel` is used when there is no `row`, whose values label their rows otherwise.
    log : bool
        Logarithmic x.
    row : str, optional
        Column that divides the curves into rows of panels, which share their y axis.
    """
    panels = list(dict.fromkeys(table[panel]))
    colours = colours or {name: colour_of(name) for name in dict.fromkeys(table[colour])}
    with figure_style():
        if row is None:
            n_columns = 2 if len(panels) == 4 else min(PER_ROW, len(panels))
            places = [(name, None) for name in panels]
        else:
            n_columns = len(panels)
            places = [(name, group) for group in dict.fromkeys(table[row]) for name in panels]
        n_rows = -(-len(places) // n_columns)
        fig = new_figure(PAGE, 10 + 48 * n_rows)
        shared = {} if row is None else {"sharey": "row", "sharex": "col"}
        axes = fig.subplots(n_rows, n_columns, squeeze=False, **shared)
        for ax in axes.flat[len(places) :]:
            ax.set_axis_off()
        for ax, (name, group) in zip(axes.flat, places, strict=False):
            own = table[table[panel] == name]
            own = own if group is None else own[own[row] == group]
            if log:
                ax.set_xscale("log", base=2)
            _curves(ax, own, x, colour, colours, log)
            ticks = sorted(own[x].unique())
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
            if marks and name in marks:
                ax.axvline(marks[name], color=MUTED, lw=0.7, ls=(0, (3, 2)), zorder=0.5)
            _label(ax, (titles or {}).get(name, name), group, xlabel, ylabel)
        _legend(fig, colours)
    return fig


def _curves(
    ax: Axes, table: pd.DataFrame, x: str, colour: str, colours: Mapping[object, str], log: bool
) -> None:
    drawn = [name for name in colours if name in set(table[colour])]
    step = _apart(table[x].unique(), len(drawn), log)
    for level, name in enumerate(drawn):
        own, shade = table[table[colour] == name].sort_values(x), colours[name]
        shift = (level - (len(drawn) - 1) / 2) * step
        at = own[x] * 2**shift if log else own[x] + shift
        ax.vlines(at, own["low"], own["high"], color=shade, lw=1.0, alpha=0.75)
        ax.plot(at, own["value"], color=shade, lw=1.2, **POINT)
    ax.grid(axis="y")
    ax.locator_params(axis="y", nbins=5)


def _apart(places: np.ndarray, n: int, log: bool) -> float:
    """How far to move curves aside so that their intervals stand beside each other."""
    places = np.sort(np.log2(places) if log else places)
    if n < 2 or len(places) < 2:
        return 0.0
    return 0.04 * float(places[-1] - places[0]) / n


def _label(ax: Axes, title: str, group: str | None, xlabel: str, ylabel: str) -> None:
    place = ax.get_subplotspec()
    if group is None or place.is_first_row():
        ax.set_title(title)
    if group is None or place.is_last_row():
        ax.set_xlabel(xlabel)
    if place.is_first_col():
        ax.set_ylabel(ylabel if group is None else group)


def _legend(fig: Figure, colours: Mapping[object, str], zero: str | None = None) -> None:
    handles = [
        Line2D([], [], color=shade, lw=1.4, label=label_of(str(name)), **POINT)
        for name, shade in colours.items()
    ]
    if zero:
        handles.append(Line2D([], [], color=MUTED, lw=0.8, label=zero))
    fig.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 5), labelcolor=INK
    )
