"""Figures, drawn from saved results only.

Every function takes plain arrays and data frames. ``figure_*`` return a whole
:class:`matplotlib.figure.Figure` at print size; ``plot_*`` draw into axes.
"""

from havir_lib.plots.comparison import figure_published, figure_scores, figure_shuffled
from havir_lib.plots.framework import FrameworkPictures, figure_framework, role_slice
from havir_lib.plots.grids import plot_image_grid, show_picture
from havir_lib.plots.interpretation import (
    figure_agreement,
    figure_importance,
    figure_importance_subjects,
)
from havir_lib.plots.mini import figure_contact_sheet, figure_recovery
from havir_lib.plots.reconstructions import (
    figure_ablations,
    figure_gallery,
    figure_methods,
    figure_reconstructions,
)
from havir_lib.plots.rois import (
    BrainMap,
    figure_noise_ceiling,
    figure_roi_definitions,
    figure_roles,
    figure_voxel_counts,
)
from havir_lib.plots.saving import save_figure
from havir_lib.plots.standard import (
    StandardMap,
    figure_importance_standard,
    figure_roles_surface,
)
from havir_lib.plots.style import colour_of, figure_style, label_of
from havir_lib.plots.training import figure_training

__all__ = [
    "BrainMap",
    "FrameworkPictures",
    "StandardMap",
    "colour_of",
    "figure_ablations",
    "figure_agreement",
    "figure_contact_sheet",
    "figure_framework",
    "figure_gallery",
    "figure_importance",
    "figure_importance_standard",
    "figure_importance_subjects",
    "figure_methods",
    "figure_noise_ceiling",
    "figure_published",
    "figure_reconstructions",
    "figure_recovery",
    "figure_roi_definitions",
    "figure_roles",
    "figure_roles_surface",
    "figure_scores",
    "figure_shuffled",
    "figure_style",
    "figure_training",
    "figure_voxel_counts",
    "label_of",
    "plot_image_grid",
    "role_slice",
    "save_figure",
    "show_picture",
]
