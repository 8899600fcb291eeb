"""Figures 5 and 6: how much each voxel contributes to each branch, back in the subject's brain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from havir_lib.plots.rois import BrainMap
from havir_lib.plots.style import (
    INK,
    MUTED,
    PAGE,
    ROLE_NAMES,
    ROLES,
    colour_of,
    figure_style,
    ink_of,
    mm_axes,
    mm_text,
    new_figure,
    role_map,
    tint,
)
from havir_lib.plots.volumes import colour_limits, cut_coordinates, plot_cuts, plot_projection

NULL_COLOUR, NULL_EDGE = "#cfcfcf", "#8a8a8a"
"""Outlined, since a null is often narrower than a line."""


def figure_importance(
    maps: Mapping[str, BrainMap],
    summaries: Mapping[str, pd.DataFrame],
    subject: str,
    measure: str = "L2 norm of first-layer weights",
) -> Figure:
    """Figure 5: importance maps of one subject, A structural and B semantic.

    Parameters
    ----------
    maps : mapping
        ``"structural"`` and ``"semantic"`` → map of voxel importance (NaN: not used).
    summaries : mapping
        The same roles → :func:`havir_lib.interpretation.roi_summary` of the map.
    subject, measure : str
        Named in the figure.
    """
    block = 63.0
    with figure_style():
        fig = new_figure(PAGE, block * len(maps) + 2, layout=None)
        for i, (role, brain) in enumerate(maps.items()):
            top = i * block
            mm_text(fig, 1, top + 1, "AB"[i], va="top", fontweight="bold", fontsize=9)
            mm_text(fig, 6, top + 1.4, f"{ROLE_NAMES[role]}, {subject}", va="top",
                    fontweight="bold", color=ink_of(role))  # fmt: skip
            limits = colour_limits(brain.volume)
            _cut_row(fig, brain, role, limits, (1, top + 6, 110, 26), n=4)
            _three_sides(fig, brain, role, limits, top + 36)
            ax = mm_axes(fig, 141, top + 7, 37, 46, f"{role} regions")
            plot_roi_importance(summaries[role], role, ax=ax)
            ax.set_xlabel(measure)
    return fig


def figure_importance_subjects(subjects: Mapping[str, Mapping[str, BrainMap]]) -> Figure:
    """Figure 6: importance maps of further subjects, one row each.

    Each map's colours run from its own 1st to its own 99th percentile, since norms of separately
    trained models have no common unit.

    Parameters
    ----------
    subjects : mapping
        Subject → role → map of voxel importance (NaN: not used).
    """
    head, row, foot = 6.0, 27.0, 9.0
    starts = {"structural": 15.0, "semantic": 98.0}
    with figure_style():
        fig = new_figure(PAGE, head + row * len(subjects) + foot, layout=None)
        for role, x in starts.items():
            mm_text(fig, x + 1, 1.2, ROLE_NAMES[role], va="top", fontweight="bold",
                    color=ink_of(role))  # fmt: skip
            bar = mm_axes(fig, x + 20, head + row * len(subjects) + 1, 40, 2, f"{role} scale")
            colour_bar(bar, role, (0, 1), horizontal=True)
        for i, (name, maps) in enumerate(subjects.items()):
            top = head + i * row
            mm_text(fig, 1, top + 12, name, va="center", fontweight="bold", color=ink_of(name))
            for role, brain in maps.items():
                limits = colour_limits(brain.volume)
                _cut_row(fig, brain, role, limits, (starts[role], top, 56, row - 2), n=2)
                ax = mm_axes(fig, starts[role] + 57, top, 24, row - 2, f"{name} {role} projection")
                plot_projection(ax, brain.volume, brain.background, brain.affine, axis="x",
                                cmap=role_map(role), limits=limits)  # fmt: skip
    return fig


def figure_map(brain: BrainMap, role: str) -> Figure:
    """One importance map from three sides, with its scale."""
    with figure_style():
        fig = new_figure(124, 30, layout=None)
        _three_sides(fig, brain, role, colour_limits(brain.volume), 1)
    return fig


def _three_sides(
    fig: Figure, brain: BrainMap, role: str, limits: tuple[float, float], top: float
) -> None:
    for j, axis in enumerate("xyz"):
        ax = mm_axes(fig, 1 + 34 * j, top, 32, 24, f"{role} projection {axis}")
        plot_projection(ax, brain.volume, brain.background, brain.affine, axis=axis,
                        cmap=role_map(role), limits=limits)  # fmt: skip
    colour_bar(mm_axes(fig, 104, top + 3, 2.2, 18, f"{role} scale"), role, limits)


def plot_roi_importance(summary: pd.DataFrame, role: str, *, ax: Axes) -> Axes:
    """Importance per region: 5–95 % line, quartile bar, mean dot, and the null's range behind.

    Parameters
    ----------
    summary : DataFrame
        From :func:`havir_lib.interpretation.roi_summary`.
    role : {"structural", "semantic"}
    ax : Axes
    """
    y = np.arange(len(summary))[::-1]
    ax.hlines(y, summary["p05"], summary["p95"], color=ROLES[role], lw=0.8)
    ax.barh(y, summary["q75"] - summary["q25"], 0.56, left=summary["q25"], lw=0.6,
            color=tint(ROLES[role], 0.6), edgecolor=ROLES[role])  # fmt: skip
    if "null_low" in summary:
        ax.barh(y, summary["null_high"] - summary["null_low"], 0.8, left=summary["null_low"],
                color=NULL_COLOUR, edgecolor=NULL_EDGE, lw=1.6, zorder=2)  # fmt: skip
        ax.use_sticky_edges = False  # or the axis would hide a null that lies at its end
    ax.plot(summary["mean"], y, "o", ms=3.6, color=INK, mec="white", mew=0.5, zorder=4)
    labels = [f"{row.roi}  ({row.n_voxels})" for row in summary.itertuples()]
    ax.set_yticks(y, labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(summary) - 0.4)
    ax.grid(axis="x")
    handles = [
        Line2D([], [], ls="", marker="o", ms=4, color=INK, label="mean"),
        Patch(fc=tint(ROLES[role], 0.6), ec=ROLES[role], label="quartiles"),
    ]
    if "null_low" in summary:
        handles.append(Patch(fc=NULL_COLOUR, ec=NULL_EDGE, label="null, 95 %"))
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=len(handles),
              handlelength=0.9, columnspacing=0.8, handletextpad=0.35)  # fmt: skip
    return ax


def plot_agreement(data: pd.DataFrame, *, ax: Axes) -> Axes:
    """Rank correlation of each kind of map with the truth, per subject, with its interval.

    Parameters
    ----------
    data : DataFrame
        Columns map (kind of map), subject, rho, low, high and, if it says more than that it is
        the true signal, truth.
    ax : Axes
    """
    kinds = list(dict.fromkeys(data["map"]))
    subjects = list(dict.fromkeys(data["subject"]))
    for i, subject in enumerate(subjects):
        own = data[data["subject"] == subject].set_index("map").reindex(kinds)
        y = np.arange(len(kinds))[::-1] + ((len(subjects) - 1) / 2 - i) * 0.16
        ax.hlines(y, own["low"], own["high"], color=colour_of(subject), lw=1.1)
        ax.plot(own["rho"], y, "o", ms=3.8, color=colour_of(subject), mec="white", mew=0.5,
                label=subject)  # fmt: skip
    ax.axvline(0, color=MUTED, lw=0.6)
    ax.set_yticks(np.arange(len(kinds))[::-1], kinds)
    ax.tick_params(axis="y", length=0)
    truth = data["truth"].iloc[0] if "truth" in data else "true signal"
    ax.set_xlabel(f"rank correlation with the {truth}")
    ax.grid(axis="x")
    return ax


def figure_agreement(data: pd.DataFrame) -> Figure:
    """Which kind of map finds the voxels that truly carry signal, per branch.

    Parameters
    ----------
    data : DataFrame
        Columns role, map, subject, rho, low, high.
    """
    with figure_style():
        fig = new_figure(PAGE, 56)
        axes = fig.subplots(1, 2, sharey=True, sharex=True)
        for ax, role in zip(axes, ROLES, strict=True):
            plot_agreement(data[data["role"] == role], ax=ax)
            ax.set_title(ROLE_NAMES[role], color=ink_of(role))
        handles, labels = axes[0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig


def colour_bar(
    ax: Axes, role: str, limits: tuple[float, float], *, horizontal: bool = False
) -> Axes:
    """Scale of a role's importance map, drawn into `ax`."""
    mappable = ScalarMappable(Normalize(*limits), role_map(role))
    bar = ax.figure.colorbar(
        mappable, cax=ax, orientation="horizontal" if horizontal else "vertical"
    )
    bar.outline.set_visible(False)
    if horizontal:
        bar.set_ticks(limits, labels=["1st percentile", "99th"])
    else:
        bar.ax.set_title("importance", fontsize=6.5, fontweight="normal", loc="left", pad=3)
    return ax


def _cut_row(fig, brain: BrainMap, role: str, limits, box, n: int) -> None:
    used = np.isfinite(brain.volume) & (brain.volume != 0)
    ax = mm_axes(fig, *box, f"{role} slices")
    cuts = cut_coordinates(used, brain.affine, "z", n)
    plot_cuts(ax, brain.volume, brain.background, brain.affine, axis="z", cuts=cuts,
              cmap=role_map(role), limits=limits)  # fmt: skip
