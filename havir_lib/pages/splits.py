"""How far does decoding generalise? The same data divided into training and test in other ways.

Some data sets come with several divisions: at random, by how alike test and training images are,
by semantic cluster, with test images of another kind altogether (LAION-fMRI). What is decoded well
in one and badly in another was learned from neighbours.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.summaries import how_to_read, predicted_scores, summarised
from havir_lib.plots.controls import figure_intervals
from havir_lib.run import Run

NONE = "The data come with one division into training and test; `comparison.splits` names others."
METHODS = ("HAVIR", "ridge")
METRICS = ("latent correlation", "image token correlation", "text token correlation")


def with_split(run: Run, split: str) -> Run:
    """The same run with another division into training and test, in the same workspace."""
    if split == run.config.data.split:
        return run
    data = run.config.data.model_copy(update={"split": split})
    return replace(run, config=run.config.model_copy(update={"data": data}))


def generalisation(run: Run) -> pd.DataFrame:
    """Embedding scores of the base subject in every division; networks are trained for each.

    Returns
    -------
    DataFrame
        Columns split, method, metric, value, low, high, n (test images), n_subjects, n_train
        (training images).
    """
    frames = []
    name = run.base_subject
    for split in dict.fromkeys([run.config.data.split, *run.config.comparison.splits]):
        sibling = with_split(run, split)
        scores = predicted_scores(sibling, METHODS, [name])
        scores = scores[scores["metric"].isin(METRICS)].assign(split=Path(split).stem)
        n_train = len(np.unique(sibling.subject(name).train_images))
        frames.append(summarised(sibling, scores, ["split", "method"]).assign(n_train=n_train))
    return pd.concat(frames, ignore_index=True)


@table
def splits_table(run: Run) -> Table | str:
    """Decoding under every division of the data set into training and test."""
    if not run.config.comparison.splits:
        return NONE
    caption = f"Decoding of {run.base_subject} under several divisions into training and test."
    note = "Test images differ between divisions; compare methods within one, and gaps across them."
    return Table(generalisation(run), caption, note)


@figure
def splits_figure(run: Run) -> Drawn | str:
    """The same, drawn."""
    if not run.config.comparison.splits:
        return NONE
    frame = generalisation(run)
    drawn = figure_intervals(frame, panel="metric", row="split", colour="method")
    caption = f"Decoding of {run.base_subject} under several divisions into training and test. "
    return Drawn(drawn, caption + how_to_read(run, frame, "images"), {"scores": frame})
