"""Notebook 07: HAVIR and other methods on the same data, and published numbers. Table III."""

from __future__ import annotations

import pandas as pd

from havir_lib.evaluation.published import load_published
from havir_lib.pages.pictures import chosen_of, how_chosen
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.scores_file import save_per_image
from havir_lib.pages.summaries import (
    BEST_NOTE,
    MEAN,
    PAIRED_NOTE,
    as_cells,
    compared,
    how_to_read,
    interval_note,
    ranked,
)
from havir_lib.plots import figure_methods
from havir_lib.plots.comparison import figure_published, figure_scores
from havir_lib.reports import tables
from havir_lib.run import Run
from havir_lib.run.methods import BUILT_IN

SHOWN = ("HAVIR", "ridge", "nearest training image", "shuffled voxels", "true targets")
"""Methods of Figure 3; those that a user has added stand before the last two."""


@figure
def published(run: Run) -> Drawn:
    """Published numbers for NSD, in a figure of their own that is never stamped as simulated."""
    frame = load_published()
    caption = "Numbers that papers report for NSD."
    return Drawn(figure_published(frame), caption, {"published": frame}, simulated=False)


def method_scores(run: Run) -> pd.DataFrame:
    """Mean scores with intervals of methods rerun here: over all subjects, then per subject."""
    return ranked(run, run.all_scores(run.method_names()), "method")


@table
def table3(run: Run) -> Table:
    """Table III: methods rerun here, and published numbers in rows of their own."""
    save_per_image(run, run.all_scores(run.method_names()), "table3_comparison")
    rerun = method_scores(run)
    caption = "Comparison of methods; published numbers are for NSD and in rows of their own."
    left_out = run.why_no_templates if run.config.comparison.full else ""
    note = f"{interval_note(run)} {BEST_NOTE} {left_out}".strip()
    shown = as_cells(rerun[rerun["subject"] == MEAN], ["method"])
    return Table(tables.table3_comparison(rerun, load_published()), caption, note, shown)


@figure
def methods_by_metric(run: Run) -> Drawn:
    """Scores of every method rerun here, per subject and on average."""
    frame = method_scores(run)
    caption = "Scores of all methods on the same data; small points are single subjects. "
    caption += how_to_read(run, frame)
    return Drawn(figure_scores(frame), caption, {"scores": frame})


@figure
def figure3(run: Run) -> Drawn:
    """Figure 3: the same test images, method by method."""
    name = run.base_subject
    chosen = chosen_of(run)
    ids = run.subject(name).test_images[chosen]
    added = tuple(method for method in run.method_names() if method not in BUILT_IN)
    methods = (*SHOWN[:-2], *added, *SHOWN[-2:])
    columns = {method: run.images(name, method).of(ids) for method in methods}
    drawn = figure_methods(run.stimuli.images(ids), columns)
    caption = f"The same test images of {name}, method by method ({how_chosen(chosen)})."
    return Drawn(drawn, caption, columns)


def paired_to_all(run: Run) -> pd.DataFrame:
    """Paired differences between HAVIR and every other method that competes, over all subjects."""
    names = run.method_names(bounds=False)
    others = [name for name in names if name != "HAVIR"]
    return compared(run, run.all_scores(names), "HAVIR", others)


@table
def paired(run: Run) -> Table:
    """The same as a table."""
    caption = "HAVIR against every other method (paired by image; positive: HAVIR is better)."
    return Table(paired_to_all(run), caption, PAIRED_NOTE)
