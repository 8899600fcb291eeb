"""Scores of every method's predictions themselves, without images; seconds instead of minutes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.pipeline import decoding
from havir_lib.pipeline.run import Run
from havir_lib.pipeline.statistics import summarised
from havir_lib.training import Predictions


def scores(run: Run, methods: tuple[str, ...], names: list[str] | None = None) -> pd.DataFrame:
    """Embedding scores of methods for every test image.

    Returns
    -------
    DataFrame
        Columns image, metric, value, subject, method; what a method does not predict is not there.
    """
    frames = []
    for name in names or run.subjects:
        true = decoding.predictions(run, name, "true targets")
        for method in methods:
            found = embedding_scores(decoding.predictions(run, name, method), true)
            frames.append(found.assign(subject=name, method=method))
    return pd.concat(frames, ignore_index=True)


def subset(predicted: Predictions, rows: np.ndarray) -> Predictions:
    """Some images of a set of predictions."""
    parts = (predicted.latents, predicted.image_tokens, predicted.text_tokens)
    return Predictions(
        *(None if part is None else part[rows] for part in parts), predicted.image_ids[rows]
    )


def overall_and_per_subject(run: Run, frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means with intervals: over all subjects (subject ``"mean"``), then per subject."""
    overall = summarised(run, frame, by).assign(subject="mean")
    return pd.concat([overall, summarised(run, frame, [*by, "subject"])], ignore_index=True)
