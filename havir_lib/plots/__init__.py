"""Figures, drawn from saved results only.

Every function takes plain arrays and data frames. ``figure_*`` return a whole
:class:`matplotlib.figure.Figure` at print size; ``plot_*`` draw into axes.
"""

from havir_lib.plots.grids import plot_image_grid, show_picture
from havir_lib.plots.reconstructions import (
    figure_ablations,
    figure_contact_sheet,
    figure_gallery,
    figure_methods,
    figure_reconstructions,
)
from havir_lib.plots.saving import save_figure
from havir_lib.plots.style import colour_of, figure_style, label_of

__all__ = [
    "colour_of",
    "figure_ablations",
    "figure_contact_sheet",
    "figure_gallery",
    "figure_methods",
    "figure_reconstructions",
    "figure_style",
    "label_of",
    "plot_image_grid",
    "save_figure",
    "show_picture",
]
