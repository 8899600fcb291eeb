"""The page that shows a whole run."""

from pathlib import Path

from havir_lib.pipeline.run import Run
from havir_lib.reports.html import build_html_report


def build(run: Run) -> Path:
    """Write ``report.html`` in the workspace: all figures, tables and executed notebooks."""
    place = run.workspace
    return build_html_report(
        place.notebooks, place.figures, place.tables, place.root / "report.html"
    )
