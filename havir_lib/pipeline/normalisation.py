"""What the published way of z-scoring is worth, which looks at test trials.

A subject trained on one hour has test trials in sessions of which it may know nothing. The default
scales these with what the hour tells; peers scale each session by itself, with statistics that a
decoder of one hour could not have.
"""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from havir_lib.data.subject import with_zscore
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.pipeline import brains, decoding
from havir_lib.pipeline.decoding.ridge import ridge_predictions
from havir_lib.pipeline.decoding.shared import true_predictions
from havir_lib.pipeline.run import Run
from havir_lib.pipeline.statistics import compared, summarised

WAYS = ("session", "session_all")


@lru_cache(maxsize=2)
def zscore_scores(run: Run) -> pd.DataFrame:
    """Scores of ridge regression after either way, of the subjects trained on an hour.

    Returns
    -------
    DataFrame
        Columns subject, image, metric, value, zscore.
    """
    others = [name for name in run.subjects if not run.is_base(name)]
    names = others or [run.base_subject]
    frames = [_scores(run, name, way) for name in names for way in WAYS]
    return pd.concat(frames, ignore_index=True)


def _scores(run: Run, name: str, way: str) -> pd.DataFrame:
    brain = with_zscore(brains.subject(run, name), way)
    made = ridge_predictions(run, brain, decoding.targets(run, name))
    scores = embedding_scores(made, true_predictions(run, name))
    return scores.assign(subject=name, zscore=way)


def zscore_summary(run: Run) -> pd.DataFrame:
    """Means by way: columns zscore, metric, value, low, high, n, n_subjects."""
    return summarised(run, zscore_scores(run), ["zscore"])


def zscore_difference(run: Run) -> pd.DataFrame:
    """Paired gain of the published way over the default; positive: it scores better."""
    return compared(run, zscore_scores(run), WAYS[1], [WAYS[0]], "zscore")
