"""Tables I to IV as CSV, Markdown and LaTeX, and one HTML page with everything a run made."""

from havir_lib.reports.html import build_html_report
from havir_lib.reports.saving import load_table, save_table
from havir_lib.reports.tables import (
    table1_rois,
    table2_voxel_counts,
    table3_comparison,
    table4_ablations,
)

__all__ = [
    "build_html_report",
    "load_table",
    "save_table",
    "table1_rois",
    "table2_voxel_counts",
    "table3_comparison",
    "table4_ablations",
]
