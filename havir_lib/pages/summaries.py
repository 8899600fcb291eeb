"""Means, intervals and comparisons with a run's own bootstrap settings, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from havir_lib.evaluation import compare, get_metrics, summarise
from havir_lib.evaluation.best import best_methods, mark_best
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.run import Run
from havir_lib.run.methods import METHODS

ALPHA = 0.05
MEAN = "mean"
PAIRED_NOTE = (
    "Intervals resample images and subjects; p is a paired sign-flip test over images (averaged "
    "over subjects), p_holm corrected over all rows; d_z is mean over SD of the paired differences."
)
BEST_NOTE = (
    "Bold: better than every other row of the same subject (paired permutation test over images, "
    f"p < {ALPHA:g} after Holm's correction over metrics and rows); upper and lower bounds are no "
    "competitors."
)
INTERVAL_NOTE = (
    "Mean over test images [{confidence:.0f} % bootstrap interval over images{subjects}]; "
    "n is the number of test images. Two-way identification: chance is 0.5. {ssim}"
)
SSIM_NOTE = "SSIM is two-dimensional, on grey images at 425 px (MindEye's convention)."


def bootstrap_of(run: Run) -> dict[str, float]:
    """n_bootstrap, confidence and seed of a run, as the statistics take them."""
    settings = run.config.evaluation
    return {
        "n_bootstrap": settings.n_bootstrap,
        "confidence": settings.confidence,
        "seed": run.config.seed,
    }


def summarised(run: Run, scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """:func:`havir_lib.evaluation.summarise` within groups of the columns `by`."""
    return summarise(scores, by, **bootstrap_of(run))


def compared(
    run: Run,
    scores: pd.DataFrame,
    method: str,
    baselines: Sequence[str],
    column: str = "method",
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """:func:`havir_lib.evaluation.compare` of one method (or other `column`) with others."""
    return compare(scores, method, baselines, column, by, **bootstrap_of(run))


def overall_and_per_subject(run: Run, frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means with intervals: over all subjects (subject ``"mean"``), then per subject."""
    overall = summarised(run, frame, by).assign(subject=MEAN)
    return pd.concat([overall, summarised(run, frame, [*by, "subject"])], ignore_index=True)


def ranked(run: Run, scores: pd.DataFrame, column: str) -> pd.DataFrame:
    """The same, with what is significantly best of its column marked; bounds do not compete."""
    bounds = [name for name, method in METHODS.items() if method.bound]
    competing = scores[~scores["method"].isin(bounds)]
    parts = []
    for by in ([], ["subject"]):
        best = best_methods(competing, column, by, ALPHA, seed=run.config.seed)
        parts.append(mark_best(summarised(run, scores, [column, *by]), best, column))
    return pd.concat([parts[0].assign(subject=MEAN), parts[1]], ignore_index=True)


def predicted_scores(
    run: Run, methods: Sequence[str], names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Embedding scores of methods for every test image; no images are made.

    Returns
    -------
    DataFrame
        Columns image, metric, value, subject, method; what a method does not predict is not there.
    """
    frames = []
    for name in names or run.subjects:
        for method in methods:
            found = embedding_scores(run.predictions(name, method), run.true_predictions(name))
            frames.append(found.assign(subject=name, method=method))
    return pd.concat(frames, ignore_index=True)


def interval_note(run: Run, over_subjects: bool = True) -> str:
    """What the brackets in a table of scores are."""
    return INTERVAL_NOTE.format(
        confidence=100 * run.config.evaluation.confidence,
        subjects=" and subjects" if over_subjects else "",
        ssim=SSIM_NOTE,
    )


def how_to_read(run: Run, frame: pd.DataFrame, over: str = "images and subjects") -> str:
    """How points and lines of a figure of intervals are read, and of how many images they are."""
    n, percent = frame["n"].max(), 100 * run.config.evaluation.confidence
    return (
        f"Points: means over test images (n = {n:.0f}); lines: {percent:.0f} % bootstrap intervals "
        f"over {over}."
    )


def as_cells(frame: pd.DataFrame, rows: list[str]) -> pd.DataFrame:
    """One row per method, one column per metric, ``value [low, high]``."""
    cells = [
        f"{value:.3f} [{low:.3f}, {high:.3f}]"
        for value, low, high in zip(frame["value"], frame["low"], frame["high"], strict=True)
    ]
    labels = {metric.name: metric.label for metric in get_metrics(list(frame["metric"].unique()))}
    wide = frame.assign(cell=cells, metric=frame["metric"].map(labels))
    return wide.pivot_table(
        index=rows, columns="metric", values="cell", aggfunc="first", sort=False
    )
