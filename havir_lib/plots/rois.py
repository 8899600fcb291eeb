"""Regions of interest: where they lie, how many voxels they have, how good their signal is.

Figures beside Tables I and II. Roles are coded 1 (structural) and 2 (semantic) in volumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from havir_lib.data.spaces import VolumeMap
from havir_lib.plots.style import (
    INK,
    MUTED,
    PAGE,
    ROLES,
    colour_of,
    distinct,
    figure_style,
    ink_of,
    mm_axes,
    mm_text,
    new_figure,
    tint,
)
from havir_lib.plots.volumes import cut_coordinates, plot_cuts

ROLE_CODES = {"structural": 1, "semantic": 2}


@dataclass(frozen=True, eq=False)
class BrainMap(VolumeMap):
    """A map on one subject's grid, with the anatomy that is drawn behind it.

    Attributes
    ----------
    background : array, shape (X, Y, Z)
        Anatomy on the same grid, in the same space.
    """

    background: np.ndarray


def figure_roles(subjects: Mapping[str, BrainMap]) -> Figure:
    """Structural and semantic voxels of each subject on its own anatomy.

    Parameters
    ----------
    subjects : mapping
        Subject → map with 1 at structural and 2 at semantic voxels.
    """
    head, row = 8.0, 27.0
    colours = ListedColormap([ROLES["structural"], ROLES["semantic"]])
    with figure_style():
        fig = new_figure(PAGE, head + row * len(subjects) + 1, layout=None)
        handles = [Patch(color=ROLES[role], label=f"{role} voxels") for role in ROLES]
        fig.legend(handles=handles, loc="upper left", ncols=2, bbox_to_anchor=(0.11, 1.0))
        for i, (name, brain) in enumerate(subjects.items()):
            top = head + i * row
            mm_text(fig, 1, top + 3, name, va="top", fontweight="bold", color=ink_of(name))
            mm_text(fig, 1, top + 7, _role_counts(brain.volume), va="top", fontsize=6.5,
                    color=MUTED, linespacing=1.4)  # fmt: skip
            for axis, n, x, width in (("z", 4, 20, 92), ("x", 3, 114, 65)):
                cuts = cut_coordinates(brain.volume > 0, brain.affine, axis, n)
                ax = mm_axes(fig, x, top, width, row - 2, f"{name} {axis}")
                plot_cuts(ax, brain.volume, brain.background, brain.affine, axis=axis, cuts=cuts,
                          cmap=colours, limits=(1, 2))  # fmt: skip
    return fig


def figure_roi_definitions(brain: BrainMap, regions: pd.DataFrame, subject: str) -> Figure:
    """Every region of one subject in a colour of its own: cool ones structural, warm ones semantic.

    Parameters
    ----------
    brain : BrainMap
        Its volume holds the row number + 1 of each voxel's region in `regions`, 0 elsewhere.
    regions : DataFrame
        Columns roi and role, in the order of the codes. Up to seven regions of a role can be told
        apart; give whole sets (e.g. ``floc-faces``) where there are more.
    subject : str
    """
    colours = region_colours(regions)
    rows = (("z", 5, 27.0), ("x", 5, 33.0))
    with figure_style():
        fig = new_figure(PAGE, 6 + sum(h for *_, h in rows) + 1, layout=None)
        mm_text(fig, 1, 1.2, f"{subject}: regions of interest", va="top", fontweight="bold")
        top = 6.0
        for axis, n, height in rows:
            cuts = cut_coordinates(brain.volume > 0, brain.affine, axis, n)
            ax = mm_axes(fig, 1, top, 138, height - 3, axis)
            plot_cuts(ax, brain.volume, brain.background, brain.affine, axis=axis, cuts=cuts,
                      cmap=ListedColormap(colours), limits=(1, len(colours)))  # fmt: skip
            top += height
        for role, x in (("structural", 0.785), ("semantic", 0.87)):
            handles = [
                Patch(color=colour, label=row.roi)
                for row, colour in zip(regions.itertuples(), colours, strict=True)
                if row.role == role
            ]
            fig.legend(handles=handles, loc="upper left", bbox_to_anchor=(x, 0.93), title=role,
                       alignment="left", handlelength=0.9, labelspacing=0.35)  # fmt: skip
    return fig


def region_colours(regions: pd.DataFrame) -> list[str]:
    """One colour of its role's family per region."""
    left = {role: iter(distinct(role, int((regions["role"] == role).sum()))) for role in ROLES}
    return [next(left[role]) for role in regions["role"]]


def figure_voxel_counts(counts: pd.DataFrame) -> Figure:
    """Voxels per region and subject, structural regions left, semantic ones right (Table II).

    Parameters
    ----------
    counts : DataFrame
        Columns subject, role, roi, n_voxels and optionally n_published (marked by a line). Rows
        with roi ``"all"`` give the totals in the titles.
    """
    regions = counts[counts["roi"] != "all"]
    widths = [regions.loc[regions["role"] == role, "roi"].nunique() for role in ROLES]
    subjects = list(dict.fromkeys(counts["subject"]))
    with figure_style():
        fig = new_figure(PAGE, 62)
        axes = fig.subplots(1, 2, width_ratios=widths, sharey=True)
        for ax, role in zip(axes, ROLES, strict=True):
            plot_voxel_counts(regions[regions["role"] == role], subjects, ax=ax)
            total = counts[(counts["role"] == role) & (counts["roi"] == "all")]
            ax.set_title(role.capitalize(), color=ink_of(role))
            if len(total):
                ax.set_title(_range_text(total["n_voxels"]), loc="right", fontweight="normal",
                             fontsize=6.5, color=MUTED)  # fmt: skip
        axes[0].set_ylabel("voxels")
        handles = [Patch(color=colour_of(name), label=name) for name in subjects]
        if "n_published" in counts and counts["n_published"].notna().any():
            handles.append(Line2D([], [], color=INK, lw=1.2, label="published"))
        fig.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return fig


def plot_voxel_counts(counts: pd.DataFrame, subjects: Sequence[str], *, ax: Axes) -> Axes:
    """Grouped bars: regions along x, one bar per subject."""
    rois = list(dict.fromkeys(counts["roi"]))
    width = 0.8 / len(subjects)
    for i, subject in enumerate(subjects):
        own = counts[counts["subject"] == subject].set_index("roi").reindex(rois)
        x = np.arange(len(rois)) + (i - (len(subjects) - 1) / 2) * width
        ax.bar(x, own["n_voxels"].fillna(0), width * 0.92, color=colour_of(subject), label=subject)
        if "n_published" in own:
            published = own["n_published"].astype(float)
            ax.hlines(published, x - width / 2, x + width / 2, color=INK, lw=1.2)
    ax.set_xticks(np.arange(len(rois)), rois, rotation=40, ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.6, len(rois) - 0.4)
    ax.grid(axis="y")
    return ax


def figure_noise_ceiling(voxels: pd.DataFrame) -> Figure:
    """Distribution of the noise ceiling over voxels, per region, with each subject's median.

    Parameters
    ----------
    voxels : DataFrame
        Columns subject, role, roi and noise_ceiling (% of variance), one row per voxel and region.
    """
    subjects = list(dict.fromkeys(voxels["subject"]))
    widths = [voxels.loc[voxels["role"] == role, "roi"].nunique() for role in ROLES]
    with figure_style():
        fig = new_figure(PAGE, 62)
        axes = fig.subplots(1, 2, width_ratios=widths, sharey=True)
        for ax, role in zip(axes, ROLES, strict=True):
            plot_noise_ceiling(voxels[voxels["role"] == role], role, ax=ax)
            ax.set_title(role.capitalize(), color=ink_of(role))
        axes[0].set_ylabel("noise ceiling (% of variance)")
        axes[0].set_ylim(bottom=0)
        handles = [_marker(colour_of(name), f"{name}, median") for name in subjects]
        handles.append(Patch(color=tint(MUTED, 0.5), label="all voxels: quartiles, 5–95 %"))
        fig.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return fig


def plot_noise_ceiling(voxels: pd.DataFrame, role: str, *, ax: Axes) -> Axes:
    """Boxes over all voxels of a region; a dot per subject's median."""
    import seaborn as sns  # brings scipy.stats, which no notebook should wait for at its start

    rois = list(dict.fromkeys(voxels["roi"]))
    subjects = list(dict.fromkeys(voxels["subject"]))
    given = {"data": voxels, "x": "roi", "y": "noise_ceiling", "order": rois, "ax": ax}
    sns.boxplot(
        **given,
        width=0.62,
        whis=(5, 95),
        showfliers=False,
        boxprops={"facecolor": tint(ROLES[role], 0.65), "edgecolor": ROLES[role]},
        medianprops={"color": ROLES[role], "linewidth": 1.4},
        whiskerprops={"color": ROLES[role], "linewidth": 0.8},
        capprops={"linewidth": 0},
    )
    sns.pointplot(
        **given,
        hue="subject",
        hue_order=subjects,
        palette={subject: colour_of(subject) for subject in subjects},
        estimator="median",
        errorbar=None,
        dodge=0.13 * (len(subjects) - 1),
        linestyle="none",
        marker="o",
        markersize=3.4,
        markeredgecolor="white",
        markeredgewidth=0.5,
        legend=False,
    )
    ax.set(xlabel="", ylabel="")
    ax.set_xticks(np.arange(len(rois)), rois, rotation=40, ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.6, len(rois) - 0.4)
    ax.grid(axis="y")
    return ax


def _marker(colour: str, label: str) -> Line2D:
    return Line2D([], [], ls="", marker="o", ms=4, color=colour, mec="white", mew=0.5, label=label)


def _role_counts(volume: np.ndarray) -> str:
    lines = [f"{int((volume == code).sum())} {role}" for role, code in ROLE_CODES.items()]
    return "\n".join(lines)


def _range_text(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low} voxels" if low == high else f"{low}–{high} voxels"
