"""``havir publish``: refresh what the project commits of a profile's runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

from havir_lib.errors import RunError
from havir_lib.io import atomic_write
from havir_lib.pages.index import PAGES, pattern_of
from havir_lib.paths import NOTEBOOKS, PROJECT_ROOT, shipped
from havir_lib.publish.numbers import refresh
from havir_lib.publish.outputs import outputs_into
from havir_lib.reports.verify import write_reference
from havir_lib.workflow import AFTER, FULL_ONLY, PER_SUBJECT, Plan

TEXTS = ("README.md", "REPRODUCING.md", "havir_lib/mini/weights/README.md")
"""Texts whose numbers come from tables, see :func:`havir_lib.publish.numbers.filled`."""


def publish(profile: str) -> Iterator[str]:
    """Refresh notebooks, references and texts; says what was done.

    Raises
    ------
    RunError
        If a notebook was not run.
    """
    core, full = (Plan.of(profile, {"comparison.full": value}) for value in (False, True))
    for notebook in AFTER:
        plan = full if notebook in FULL_ONLY else core
        yield _notebook(plan, notebook)
    for plan in (core, full):
        folder = shipped("tables/reference")
        made = write_reference(tables_of_run(plan), folder, plan.config.reference)
        yield f"reference {made.stem}"
    for name in TEXTS:
        changed = refresh(PROJECT_ROOT / name, PROJECT_ROOT / "tables")
        yield f"{name}: {'numbers changed' if changed else 'as it was'}"


def tables_of_run(plan: Plan) -> list[Path]:
    """Tables that the notebooks of a run made, and not those that lie beside them."""
    patterns = [pattern_of(page.name) for page in PAGES if page.kind == "table"]
    found = sorted(plan.workspace.tables.glob("*.csv"))
    return [path for path in found if any(re.fullmatch(x, path.stem) for x in patterns)]


def _notebook(plan: Plan, notebook: str) -> str:
    base = plan.config.data.base_subject
    name = f"{notebook}_{base}" if notebook in PER_SUBJECT else notebook
    executed = plan.workspace.notebooks / f"{name}.ipynb"
    source = NOTEBOOKS / f"{notebook}.ipynb"
    if not executed.is_file():
        raise RunError(
            f"{executed} does not exist. Run the profile first, with and without --full."
        )
    place = plan.workspace
    made = outputs_into(source, executed, place.figures, place.tables)
    with atomic_write(source) as temporary:
        nbformat.write(made, temporary)
    return f"{notebook}: {source.stat().st_size // 1000} kB"
