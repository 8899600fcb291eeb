"""Summaries and comparisons of scores with a run's own bootstrap settings and seed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from havir_lib.evaluation import compare, summarise
from havir_lib.pipeline.run import Run


def summarised(run: Run, scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """:func:`havir_lib.evaluation.summarise` within groups of the columns `by`."""
    settings = run.config.evaluation
    return summarise(scores, by, settings.n_bootstrap, settings.confidence, run.config.seed)


def compared(
    run: Run,
    scores: pd.DataFrame,
    method: str,
    baselines: Sequence[str],
    column: str = "method",
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """:func:`havir_lib.evaluation.compare` of one method (or other `column`) with others."""
    settings = run.config.evaluation
    return compare(
        scores,
        method,
        baselines,
        column,
        by,
        n_bootstrap=settings.n_bootstrap,
        confidence=settings.confidence,
        seed=run.config.seed,
    )
