"""Tables I to IV as CSV, Markdown and LaTeX, and the site of a run.

The site is in :mod:`havir_lib.reports.site`, which is imported on its own: what it needs takes
longer to import than all the rest of this package, and notebooks do without it.
"""

from havir_lib.reports.saving import load_table, save_table
from havir_lib.reports.tables import (
    table1_rois,
    table2_voxel_counts,
    table3_comparison,
    table4_ablations,
)

__all__ = [
    "load_table",
    "save_table",
    "table1_rois",
    "table2_voxel_counts",
    "table3_comparison",
    "table4_ablations",
]
