"""The recovery check: how well the small models can show an image at all, and some scenes.

What the autoencoder and the diffusion model lose on *true* targets, no decoder can bring back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from havir_lib.errors import ShapeError
from havir_lib.plots.grids import plot_image_grid
from havir_lib.plots.style import INK, PAGE, ROLES, figure_style, new_figure


def figure_recovery(
    stimuli: np.ndarray,
    round_trips: np.ndarray,
    from_targets: np.ndarray,
    *,
    decoded: Mapping[str, np.ndarray] | None = None,
    width: float = PAGE,
) -> Figure:
    """Stimuli, their way through the autoencoder, and reconstructions from their true targets.

    Parameters
    ----------
    stimuli, round_trips, from_targets : uint8 arrays, shape (n, H, W, 3)
    decoded : mapping, optional
        Further rows, e.g. ``{"from brain activity": images}``.
    width : float
        Millimetres.
    """
    rows = {
        "Stimulus": stimuli,
        "Autoencoder round trip": round_trips,
        "Diffusion from true targets": from_targets,
        **(decoded or {}),
    }
    for name, pictures in rows.items():
        if len(pictures) != len(stimuli):
            raise ShapeError(f"{name!r} has {len(pictures)} pictures, expected {len(stimuli)}")
    return plot_image_grid(
        [list(pictures) for pictures in rows.values()],
        [""] * len(stimuli),
        row_labels=list(rows),
        label_width=20.0,
        width=width,
    )


def figure_contact_sheet(
    images: np.ndarray, captions: Sequence[str] | None = None, *, per_row: int = 8
) -> Figure:
    """Contact sheet: stimuli in reading order, each with its caption below if given.

    Parameters
    ----------
    images : uint8 array, shape (n, H, W, 3)
    captions : sequence of n str, optional
    per_row : int
    """
    if captions is not None and len(captions) != len(images):
        raise ShapeError(f"{len(images)} images, but {len(captions)} captions")
    return plot_image_grid(
        _in_rows([*images], per_row, None),
        [""] * per_row,
        notes=None if captions is None else _in_rows([*captions], per_row, ""),
        note_lines=3,
    )


SETTINGS = {
    "guidance_scale": "Guidance scale",
    "mixing": "Mixing ratio (0: image tokens, 1: text tokens)",
}
FOLLOWED = {"both": INK, "image tokens": ROLES["semantic"], "text tokens": "#CC79A7"}


def figure_guidance(sweep: pd.DataFrame) -> Figure:
    """How far generated pictures follow their tokens, over guidance scale and mixing ratio.

    Parameters
    ----------
    sweep : DataFrame
        Columns setting, at, follows, scene, similarity: one row per picture.
    """
    with figure_style():
        fig = new_figure(PAGE, 62)
        axes = fig.subplots(1, len(SETTINGS), sharey=True)
        for ax, (setting, title) in zip(axes, SETTINGS.items(), strict=True):
            own = sweep[sweep["setting"] == setting]
            for follows, part in own.groupby("follows", sort=False):
                each = part.groupby("at")["similarity"]
                mean, error = each.mean(), 1.96 * each.sem()
                ax.errorbar(mean.index, mean, error, color=FOLLOWED[follows], marker="o", ms=4,
                            lw=1.4, capsize=2)  # fmt: skip
                label = "scene of the tokens" if follows == "both" else f"scene of the {follows}"
                middle = len(mean) // 2  # where the curves are apart
                ax.annotate(label, (mean.index[middle], (mean + error).iloc[middle]),
                            xytext=(0, 3), textcoords="offset points", ha="center",
                            color=FOLLOWED[follows], fontsize=7)  # fmt: skip
            ax.set_xlabel(title)
            ax.set_xticks(sorted(own["at"].unique()))
            ax.grid(axis="y")
        axes[0].set_ylabel("Cosine similarity of CLIP class tokens")
    return fig


def _in_rows(items: list, per_row: int, blank) -> list[list]:
    items = items + [blank] * (-len(items) % per_row)
    return [items[i : i + per_row] for i in range(0, len(items), per_row)]
