"""Figures 2, 3 and 4 of the paper, and random reconstructions beside the chosen ones.

Shape words: n images, H W pixels. All pictures are uint8 arrays (n, H, W, 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from havir_lib.errors import ShapeError
from havir_lib.plots.grids import Picture, plot_image_grid, show_picture
from havir_lib.plots.style import MUTED, PAGE, figure_style, new_figure

STIMULUS = "Stimulus"
NOT_SEEN = "not shown to this subject"


def figure_reconstructions(
    captions: Sequence[str], stimuli: np.ndarray, reconstructions: Mapping[str, Sequence[Picture]]
) -> Figure:
    """Figure 2: one row per stimulus; its caption, the stimulus, then one column per subject.

    Parameters
    ----------
    captions : sequence of n str
    stimuli : uint8 array, shape (n, H, W, 3)
    reconstructions : mapping
        Subject → uint8 array (n, H, W, 3), or n of (H, W, 3); None where the subject did not see
        the stimulus.
    """
    return plot_image_grid(
        _rows(stimuli, reconstructions),
        [STIMULUS, *reconstructions],
        row_labels=captions,
        missing=NOT_SEEN,
        marked=list(reconstructions),
    )


def figure_methods(
    stimuli: np.ndarray,
    methods: Mapping[str, np.ndarray],
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """Figure 3: one row per stimulus; the stimulus, then one column per method.

    Parameters
    ----------
    stimuli : uint8 array, shape (n, H, W, 3)
    methods : mapping
        Method → uint8 array (n, H, W, 3).
    notes : mapping, optional
        Method → n short lines to print below its pictures, e.g. a score.
    """
    lines = None
    if notes is not None:
        names = [STIMULUS, *methods]
        lines = [[notes[m][i] if m in notes else "" for m in names] for i in range(len(stimuli))]
    return plot_image_grid(
        _rows(stimuli, methods), [STIMULUS, *methods], notes=lines, marked=list(methods)
    )


def figure_ablations(stimuli: np.ndarray, configurations: Mapping[str, np.ndarray]) -> Figure:
    """Figure 4: one row per stimulus; the stimulus, then one column per configuration.

    Parameters
    ----------
    stimuli : uint8 array, shape (n, H, W, 3)
    configurations : mapping
        Configuration (a key of ``style.CONFIGURATIONS``) → uint8 array (n, H, W, 3).
    """
    return figure_methods(stimuli, configurations)


def figure_gallery(
    sections: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    per_row: int = 6,
    width: float = PAGE,
) -> Figure:
    """Stimulus and reconstruction side by side, in titled sections such as "chosen" and "random".

    Parameters
    ----------
    sections : mapping
        Title → (stimuli, reconstructions), both uint8 (n, H, W, 3). The title should say how the
        images were picked, e.g. "Drawn at random (seed 0)".
    per_row : int
        Pairs per row.
    width : float
        Millimetres.
    """
    margin, between, head, gap = 1.0, 2.4, 5.0, 1.2
    cell = (width - 2 * margin - (per_row - 1) * between) / (2 * per_row)
    rows = {title: -(-len(pair[0]) // per_row) for title, pair in sections.items()}
    height = 2 * margin + 3.2 + sum(head + n * (cell + gap) for n in rows.values())
    with figure_style():
        fig = new_figure(width, height, layout=None)
        fig.text(1 - margin / width, 0.8 / height, "left: stimulus   right: reconstruction",
                 ha="right", va="bottom", fontsize=6.5, color=MUTED)  # fmt: skip
        top = height - margin
        for title, (stimuli, reconstructions) in sections.items():
            _check_pair(title, stimuli, reconstructions)
            fig.text(margin / width, (top - head + 1.4) / height, title, fontweight="bold")
            for i, pair in enumerate(zip(stimuli, reconstructions, strict=True)):
                x = margin + (i % per_row) * (2 * cell + between)
                y = top - head - (i // per_row) * (cell + gap) - cell
                for side, picture in enumerate(pair):
                    box = ((x + side * cell) / width, y / height, cell / width, cell / height)
                    show_picture(fig.add_axes(box, label=f"{title}/{i}/{side}"), picture)
            top -= head + rows[title] * (cell + gap)
    return fig


def _rows(stimuli: np.ndarray, columns: Mapping[str, np.ndarray]) -> list[list[np.ndarray]]:
    for name, pictures in columns.items():
        if len(pictures) != len(stimuli):
            raise ShapeError(
                f"{name!r} has {len(pictures)} pictures, but there are {len(stimuli)} stimuli"
            )
    return [[stimuli[i], *(p[i] for p in columns.values())] for i in range(len(stimuli))]


def _check_pair(title: str, stimuli: np.ndarray, reconstructions: np.ndarray) -> None:
    if len(stimuli) != len(reconstructions):
        raise ShapeError(
            f"{title!r}: {len(stimuli)} stimuli, but {len(reconstructions)} reconstructions"
        )
