"""Loss curves of both branches."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from havir_lib.plots.style import (
    INK,
    PAGE,
    ROLE_NAMES,
    ROLES,
    colour_of,
    figure_style,
    ink_of,
    new_figure,
    tint,
)


def figure_training(history: pd.DataFrame) -> Figure:
    """Training and validation loss over epochs, one panel per branch, one colour per subject.

    Parameters
    ----------
    history : DataFrame
        Columns branch (``"structural"``, ``"semantic"``), subject, epoch (from 1), train_loss and
        val_loss; one row per finished epoch.
    """
    branches = [role for role in ROLES if role in set(history["branch"])]
    subjects = list(dict.fromkeys(history["subject"]))
    with figure_style():
        fig = new_figure(PAGE, 62)
        axes = fig.subplots(1, len(branches), squeeze=False)[0]
        alone = subjects[0] if len(subjects) == 1 else ""
        for ax, branch in zip(axes, branches, strict=True):
            plot_training(history[history["branch"] == branch], ax=ax)
            ax.set_title(f"{ROLE_NAMES[branch]} {alone}".strip(), color=ink_of(branch))
        colour = colour_of(alone) if alone else INK
        handles = [] if alone else [_line(colour_of(name), name) for name in subjects]
        handles += [
            _line(colour, "validation"),
            Line2D([], [], color=tint(colour, 0.4), lw=0.8, ls=(0, (3, 1.5)), label="training"),
            Line2D([], [], ls="", marker="o", ms=4, mfc="white", mec=colour,
                   label="best epoch, kept"),
        ]  # fmt: skip
        fig.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return fig


def _line(colour: str, label: str) -> Line2D:
    return Line2D([], [], color=colour, label=label)


def plot_training(history: pd.DataFrame, *, ax: Axes) -> Axes:
    """Curves of one branch: dashed training, solid validation, a ring at the best epoch.

    Training loss is measured with dropout and on mixed repeats, so it may lie above validation.
    """
    for subject, own in history.groupby("subject", sort=False):
        own = own.sort_values("epoch")
        colour = colour_of(str(subject))
        ax.plot(own["epoch"], own["train_loss"], lw=0.8, ls=(0, (3, 1.5)), color=tint(colour, 0.4),
                label=f"{subject} training")  # fmt: skip
        ax.plot(own["epoch"], own["val_loss"], color=colour, label=f"{subject} validation")
        best = own.loc[own["val_loss"].idxmin()]
        ax.plot(best["epoch"], best["val_loss"], "o", ms=4.5, mfc="white", mec=colour, mew=1.1,
                label=f"{subject} best")  # fmt: skip
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    ax.set_xlim(left=0)
    ax.grid(axis="y", which="both")
    ax.yaxis.set_minor_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.tick_params(axis="y", which="minor", labelsize=6.5)
    return ax
