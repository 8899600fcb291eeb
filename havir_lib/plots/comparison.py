"""Scores with their intervals: methods, ablations, controls (beside Tables III and IV).

Scores come as long tables: one row per method, subject and metric, with value, low and high.
Rows whose subject is ``"mean"`` are the average over subjects; they are drawn large, the single
subjects small beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from havir_lib.evaluation import METRICS
from havir_lib.plots.style import (
    INK,
    MUTED,
    PAGE,
    colour_of,
    figure_style,
    label_of,
    new_figure,
    tint,
)

MEAN = "mean"
PER_ROW = 4
"""Panels side by side; five where a single one would be left over."""
SETTINGS = ("40h", "1h", "zero-shot", "not stated", "variant")


def figure_scores(
    scores: pd.DataFrame,
    column: str = "method",
    *,
    reference: str | None = "HAVIR",
) -> Figure:
    """Small multiples, one per metric: every method (or configuration) with its interval.

    Parameters
    ----------
    scores : DataFrame
        Columns `column`, subject, metric, value, low, high.
    column : str
        What the rows of a panel are: ``"method"`` or ``"configuration"``.
    reference : str or None
        Row through whose mean a thin line is drawn in every panel.
    """
    metrics = list(dict.fromkeys(scores["metric"]))
    names = list(dict.fromkeys(scores[column]))
    n_rows, n_columns = panels(len(metrics))
    with figure_style():
        fig = new_figure(PAGE, 9 + n_rows * (13 + 4.6 * len(names)))
        axes = fig.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        for ax, metric in zip(axes.flat, metrics, strict=False):
            own = scores[scores["metric"] == metric]
            plot_scores(own, names, column, ax=ax, reference=reference)
            ax.set_title(metric_title(metric))
            if has_chance(metric):
                ax.axvline(METRICS[metric].chance, color=MUTED, lw=0.7, ls=(0, (3, 2)), zorder=0.5)
        for ax in axes.flat[len(metrics) :]:
            ax.set_axis_off()
        line = reference if reference in names else None
        handles = _score_handles(scores, any(map(has_chance, metrics)), line)
        fig.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return fig


def panels(n: int) -> tuple[int, int]:
    """Rows and columns of `n` panels."""
    most = PER_ROW + 1 if n % PER_ROW == 1 else PER_ROW
    return -(-n // most), min(most, n)


def plot_scores(
    scores: pd.DataFrame, names: Sequence[str], column: str, *, ax: Axes, reference: str | None
) -> Axes:
    """One metric: names along y; mean with interval large, single subjects small."""
    subjects = [s for s in dict.fromkeys(scores["subject"]) if s != MEAN]
    places = {name: len(names) - 1 - i for i, name in enumerate(names)}
    for row in scores.to_dict("records"):
        name, subject = row[column], row["subject"]
        if subject == MEAN or len(subjects) + (MEAN in set(scores["subject"])) == 1:
            colour = colour_of(name)
            ax.hlines(places[name], row["low"], row["high"], color=colour, lw=1.6, zorder=3)
            ax.plot(row["value"], places[name], "o", ms=4.6, color=colour, mec="white", mew=0.6,
                    zorder=4, label=f"{name}")  # fmt: skip
            if name == reference:
                ax.axvline(row["value"], color=tint(colour, 0.7), lw=0.7, zorder=0.6)
        else:
            shift = ((len(subjects) - 1) / 2 - subjects.index(subject)) * 0.6 / len(subjects)
            ax.plot(row["value"], places[name] + shift, "o", ms=2.2, zorder=2,
                    color=colour_of(subject), mew=0, label=f"{name}, {subject}")  # fmt: skip
    ax.set_yticks(list(places.values()), [label_of(name) for name in places])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.locator_params(axis="x", nbins=4)
    ax.grid(axis="x")
    return ax


def figure_published(published: pd.DataFrame) -> Figure:
    """Numbers that papers report for NSD, in a figure of their own.

    They come from measured brains, other networks and other protocols; nothing computed here is
    drawn among them.

    Parameters
    ----------
    published : DataFrame
        From :func:`havir_lib.evaluation.published.load_published`. Settings (hours of the test
        subject's data) are drawn in separate blocks. Save with ``simulated=False``.
    """
    metrics = _in_table_order(published["metric"])
    rows = published[["setting", "method"]].drop_duplicates()
    order = sorted(dict.fromkeys(rows["setting"]), key=_setting_rank)
    keys = [(s, m) for s in order for m in rows.loc[rows["setting"] == s, "method"]]
    places = _block_places(keys)
    n_rows, n_columns = panels(len(metrics))
    with figure_style():
        fig = new_figure(PAGE, 10 + n_rows * (12 + 3.3 * (len(keys) + 1.1 * len(order))))
        axes = fig.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        for ax, metric in zip(axes.flat, metrics, strict=False):
            own = published[published["metric"] == metric]
            _plot_published(own, places, ax=ax)
            ax.set_title(metric_title(metric))
        for ax in axes.flat[len(metrics) :]:
            ax.set_axis_off()
        fig.suptitle("Published for NSD (measured brains): not comparable with scores of "
                     "simulated subjects", x=0.01, ha="left", fontsize=7.5)  # fmt: skip
        handles = [
            Line2D([], [], ls="", marker="D", ms=3.4, color=INK, label="read in the work itself"),
            Line2D([], [], ls="", marker="D", ms=3.4, mfc="white", mec=MUTED,
                   label="from a secondary source"),
        ]  # fmt: skip
        fig.legend(handles=handles, loc="outside lower center", ncols=2)
    return fig


def figure_shuffled(scores: pd.DataFrame) -> Figure:
    """Control: real against shuffled voxels, per metric and subject.

    Parameters
    ----------
    scores : DataFrame
        Columns subject, metric, method (the first to appear is the real one), value, low, high.
    """
    metrics = list(dict.fromkeys(scores["metric"]))
    subjects = [s for s in dict.fromkeys(scores["subject"]) if s != MEAN]
    real, control = dict.fromkeys(scores["method"])
    n_rows, n_columns = panels(len(metrics))
    with figure_style():
        fig = new_figure(PAGE, 9 + n_rows * (13 + 4.4 * len(subjects)))
        axes = fig.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        for ax, metric in zip(axes.flat, metrics, strict=False):
            plot_pairs(scores[scores["metric"] == metric], subjects, (real, control), ax=ax)
            ax.set_title(metric_title(metric))
        for ax in axes.flat[len(metrics) :]:
            ax.set_axis_off()
        handles = [
            Line2D([], [], marker="o", ms=4.6, lw=1.4, color=INK, mec="white", label=real),
            Line2D([], [], marker="o", ms=4.6, lw=1.4, color=tint(INK, 0.4), mfc="white",
                   label=control),
        ]  # fmt: skip
        fig.legend(handles=handles, loc="outside lower center", ncols=2)
    return fig


def plot_pairs(
    scores: pd.DataFrame, subjects: Sequence[str], methods: tuple[str, str], *, ax: Axes
) -> Axes:
    """One metric: for each subject, the real score (filled) and the control (open)."""
    table = scores.set_index(["method", "subject"])
    for i, subject in enumerate(reversed(subjects)):
        colour = colour_of(subject)
        for method, height, face, pale in zip(methods, (0.12, -0.12), (colour, "white"), (0, 0.4),
                                              strict=True):  # fmt: skip
            row = table.loc[(method, subject)]
            ax.hlines(i + height, row["low"], row["high"], color=tint(colour, pale), lw=1.4)
            ax.plot(row["value"], i + height, "o", ms=4.6, mfc=face, mew=0.8,
                    mec="white" if face == colour else tint(colour, pale),
                    label=f"{subject} {method}")  # fmt: skip
    ax.set_yticks(np.arange(len(subjects)), list(reversed(subjects)))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(subjects) - 0.4)
    ax.locator_params(axis="x", nbins=4)
    ax.grid(axis="x")
    return ax


def metric_title(metric: str) -> str:
    """The metric with an arrow toward better scores, if its direction is known."""
    return METRICS[metric].label if metric in METRICS else metric


def has_chance(metric: str) -> bool:
    """Whether it is known what a guess would score."""
    return metric in METRICS and METRICS[metric].chance is not None


def _score_handles(scores: pd.DataFrame, chance: bool, reference: str | None) -> list[Line2D]:
    subjects = [s for s in dict.fromkeys(scores["subject"]) if s != MEAN]
    handles = [
        Line2D([], [], ls="", marker="o", ms=3, color=colour_of(name), label=name)
        for name in subjects
    ]
    handles.insert(0, Line2D([], [], marker="o", ms=4.6, lw=1.6, color=INK, mec="white",
                             label="mean and interval"))  # fmt: skip
    if reference:
        pale = tint(colour_of(reference), 0.7)
        handles.append(Line2D([], [], color=pale, lw=0.9, label=f"{reference}'s mean"))
    if chance:
        handles.append(Line2D([], [], color=MUTED, lw=0.7, ls=(0, (3, 2)), label="chance"))
    return handles


def _in_table_order(metrics: pd.Series) -> list[str]:
    found = set(metrics)
    return [name for name in METRICS if name in found] + sorted(found - set(METRICS))


def _setting_rank(setting: str) -> int:
    return SETTINGS.index(setting) if setting in SETTINGS else len(SETTINGS)


def _block_places(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Height of each row, top to bottom, with a gap and a heading's place above each setting."""
    places, height, last = {}, 0.0, None
    for setting, method in keys:
        height -= 1.0 if setting == last else 2.1
        places[setting, method] = height
        last = setting
    return places


def _plot_published(own: pd.DataFrame, places: Mapping[tuple[str, str], float], *, ax: Axes):
    for row in own.to_dict("records"):
        y = places[row["setting"], row["method"]]
        sure = str(row.get("checked", "yes")).startswith("yes")
        colour = INK if sure else MUTED
        ax.plot(row["value"], y, "D", ms=3.4, color=colour, mfc=colour if sure else "white",
                mew=0.9, label=row["method"])  # fmt: skip
    firsts: dict[str, float] = {}
    for (setting, _), y in places.items():
        firsts.setdefault(setting, y)
    for setting, y in firsts.items():
        ax.text(0.015, y + 1.0, setting, transform=ax.get_yaxis_transform(), fontsize=6.5,
                color=MUTED, style="italic", va="center")  # fmt: skip
    ax.set_yticks(list(places.values()), [method for _, method in places])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(min(places.values()) - 0.7, -0.2)
    ax.locator_params(axis="x", nbins=4)
    ax.grid(axis="x")
