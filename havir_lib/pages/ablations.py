"""Notebook 08: what each part does. Table IV and Figure 4."""

from __future__ import annotations

import pandas as pd

from havir_lib.evaluation.published import load_published
from havir_lib.pages.pictures import chosen_of, how_chosen
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.scores_file import save_per_image
from havir_lib.pages.summaries import (
    BEST_NOTE,
    MEAN,
    as_cells,
    compared,
    how_to_read,
    interval_note,
    ranked,
)
from havir_lib.plots import figure_ablations
from havir_lib.plots.comparison import figure_scores
from havir_lib.reports import tables
from havir_lib.run import Run
from havir_lib.run.images import configurations

PAPER_ROWS = {
    "HAVIR": "HAVIR",
    "HAVIR (only z'_img)": "only z'",
    "HAVIR (w/o z'_img)": "w/o z'",
}
"""Rows of published.csv that are the paper's own → configurations here."""
TOLERANCE = 0.02
NSD_ONLY = "The paper's numbers are for NSD; other subjects can't be held against them."


def ablation_subjects(run: Run) -> list[str]:
    """Subjects that are ablated: all, or those of ``comparison.ablation_subjects``."""
    full = run.config.comparison.full
    return run.subjects if full else run.config.chosen("ablation_subjects", run.subjects)


def ablation_scores(run: Run) -> pd.DataFrame:
    """Scores of every configuration, image by image."""
    subjects = ablation_subjects(run)
    return run.all_scores(configurations=configurations(run), subjects=subjects)


@table
def table4(run: Run) -> Table:
    """Table IV: the full model and its ablated configurations."""
    save_per_image(run, ablation_scores(run), "table4_ablations")
    frame = ranked(run, ablation_scores(run), "configuration")
    shown = as_cells(frame[frame["subject"] == MEAN], ["configuration"])
    note = f"{interval_note(run)} {BEST_NOTE}"
    return Table(tables.table4_ablations(frame), "Ablations of the full model.", note, shown)


@figure
def figure4(run: Run) -> Drawn:
    """Figure 4: the same test images, configuration by configuration."""
    name = run.base_subject
    chosen = chosen_of(run)
    ids = run.subject(name).test_images[chosen]
    columns = {each: run.images(name, configuration=each).of(ids) for each in configurations(run)}
    drawn = figure_ablations(run.stimuli.images(ids), columns)
    caption = f"The full model and its ablated configurations ({name}; {how_chosen(chosen)})."
    return Drawn(drawn, caption, columns)


@figure
def configurations_by_metric(run: Run) -> Drawn:
    """Scores of every ablated configuration."""
    frame = ranked(run, ablation_scores(run), "configuration")
    caption = "Scores of the full model and its ablated configurations; small points are single "
    caption += f"subjects. {how_to_read(run, frame)}"
    return Drawn(figure_scores(frame, "configuration"), caption, {"scores": frame})


def paired_to_full(run: Run) -> pd.DataFrame:
    """Paired differences of every ablated configuration to the full model."""
    ablated = list(configurations(run))[1:]
    frame = compared(run, ablation_scores(run), "HAVIR", ablated, column="configuration")
    frame[["difference", "low", "high"]] = -frame[["difference", "high", "low"]].to_numpy()
    frame["d_z"] = -frame["d_z"]
    return frame.drop(columns="configuration").rename(columns={"baseline": "configuration"})


@table
def dissociation(run: Run) -> Table:
    """The same as a table."""
    caption = "Ablated configurations minus the full model (negative: the configuration is worse)."
    return Table(paired_to_full(run), caption)


@table
def paper_and_here(run: Run) -> Table | str:
    """Every number that the paper's text gives for HAVIR, beside this run's; for runs on NSD."""
    if not run.of_nsd:
        return NSD_ONLY
    here = ranked(run, ablation_scores(run), "configuration")
    caption = "Numbers in the paper's text, and the same from this run."
    frame = beside_paper(here[here["subject"] == MEAN])
    return Table(frame, caption, "The tolerance is this companion's choice.")


def beside_paper(here: pd.DataFrame) -> pd.DataFrame:
    """Numbers of the paper beside those of a run (columns configuration, metric, value, low, high).

    Returns
    -------
    DataFrame
        Columns configuration, metric, paper, tolerance, here, low, high, within (true, false or
        "not measured").
    """
    published = load_published()
    frame = published.loc[published["method"].isin(PAPER_ROWS), ["method", "metric", "value"]]
    frame = frame.assign(configuration=frame["method"].map(PAPER_ROWS)).rename(
        columns={"value": "paper"}
    )
    frame = frame[["configuration", "metric", "paper"]].assign(tolerance=TOLERANCE)
    here = here[["configuration", "metric", "value", "low", "high"]]
    frame = frame.merge(here.rename(columns={"value": "here"}), "left")
    off = (frame["here"] - frame["paper"]).abs()
    frame["within"] = (off <= TOLERANCE).astype(object).where(off.notna(), "not measured")
    return frame
