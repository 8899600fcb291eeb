"""What the published way of z-scoring is worth, which looks at test trials.

A subject trained on one hour has test trials in sessions of which it may know nothing. The default
scales these with what the hour tells; peers scale each session by itself, with statistics that a
decoder of one hour could not have.
"""

from __future__ import annotations

import pandas as pd

from havir_lib.data.subject import with_zscore
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.pages.publish import Table, table
from havir_lib.pages.summaries import PAIRED_NOTE, compared, summarised
from havir_lib.run import Run
from havir_lib.run.methods import decoder_predictions, ridge_of

WAYS = ("session", "session_all")


def zscore_scores(run: Run) -> pd.DataFrame:
    """Scores of ridge regression after either way, of the subjects trained on an hour.

    Returns
    -------
    DataFrame
        Columns subject, image, metric, value, zscore.
    """
    others = run.others
    names = others or [run.base_subject]
    frames = [_scores(run, name, way) for name in names for way in WAYS]
    return pd.concat(frames, ignore_index=True)


def _scores(run: Run, name: str, way: str) -> pd.DataFrame:
    subject = with_zscore(run.subject(name), way)
    made = decoder_predictions(run, subject, run.targets(name), ridge_of(run))
    scores = embedding_scores(made, run.true_predictions(name))
    return scores.assign(subject=name, zscore=way)


def zscore_summary(run: Run) -> pd.DataFrame:
    """Means by way: columns zscore, metric, value, low, high, n, n_subjects."""
    return summarised(run, zscore_scores(run), ["zscore"])


def zscore_difference(run: Run) -> pd.DataFrame:
    """Paired gain of the published way over the default; positive: it scores better."""
    return compared(run, zscore_scores(run), WAYS[1], [WAYS[0]], "zscore")


@table
def difference(run: Run) -> Table:
    """What peers' z-scoring gains by looking at test trials."""
    caption = "Gain by z-scoring each session with all of its trials, test trials included."
    note = (
        "Ridge regression, subjects trained on one hour. session: statistics of the hour's "
        "training trials; session_all: of all trials of every session, as in published arrays, "
        f"which no decoder of one hour could know. {PAIRED_NOTE}"
    )
    return Table(zscore_difference(run), caption, note)
