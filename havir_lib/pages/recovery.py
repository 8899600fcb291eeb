"""Notebook 03: how good a reconstruction from the true targets gets."""

from __future__ import annotations

from havir_lib.pages.pictures import random_rows
from havir_lib.pages.publish import Drawn, Table, figure
from havir_lib.pages.publish import table as published
from havir_lib.pages.summaries import as_cells, interval_note, summarised
from havir_lib.plots import figure_methods
from havir_lib.run import Run


@figure
def pictures(run: Run) -> Drawn:
    """Stimuli, their VAE round trip, and reconstructions from their true targets."""
    name, n = run.base_subject, run.config.figures.n_examples
    rows = random_rows(run.config.seed, len(run.test_stimuli(name)), n)
    columns = {
        "VAE round trip": run.images(name, "true targets", "only z'").images[rows],
        "true z and tokens": run.images(name, "true targets").images[rows],
        "true tokens only": run.images(name, "true targets", "w/o z'").images[rows],
    }
    drawn = figure_methods(run.test_stimuli(name)[rows], columns)
    caption = "Recovery check: reconstructions from the true targets of randomly drawn test images."
    return Drawn(drawn, caption, columns)


@published
def recovery_table(run: Run) -> Table:
    """Scores of the reconstructions from true targets: the upper bound."""
    frame = summarised(run, run.scores(run.base_subject, "true targets"), ["subject", "method"])
    caption = "Recovery check: reconstructions from the true latents and tokens."
    note = interval_note(run, over_subjects=False)
    return Table(frame, caption, note, as_cells(frame, ["method"]))
