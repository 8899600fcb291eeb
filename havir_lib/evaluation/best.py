"""Which method may be printed bold: the one that is significantly better than every other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from havir_lib.evaluation.metrics import higher_is_better
from havir_lib.evaluation.statistics import holm, paired_differences, sign_flip_p


def best_methods(
    scores: pd.DataFrame,
    column: str = "method",
    by: Sequence[str] = (),
    alpha: float = 0.05,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """The methods that beat all others on a metric, if any does.

    The method with the best mean is compared with every other one by the paired permutation test
    of :func:`havir_lib.evaluation.statistics.compare`. All these p values, of all metrics and
    groups, are corrected together by Holm's method; one above `alpha` is enough to lose the title.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns image, metric, value, `column`, those of `by`, and optionally subject. Only
        methods that compete: bounds such as true targets must be left out.
    column : str
        What names the method.
    by : sequence of str
        Look for the best within groups, e.g. ``["subject"]``.
    alpha, n_permutations, seed

    Returns
    -------
    pandas.DataFrame
        Columns of `by`, metric, `column`, p_holm (the largest of its comparisons): one row for
        each group and metric that has a best method.
    """
    by = list(by)
    rows = []
    for key, group in scores.groupby([*by, "metric"], sort=False):
        leader = _leader(group, column)
        for other in group[column].unique():
            if other != leader:
                gain = paired_differences(group, leader, other, column, by)
                p = sign_flip_p(np.nanmean(gain, axis=1), n_permutations, seed)
                rows.append((*key, leader, p))
    table = pd.DataFrame(rows, columns=[*by, "metric", column, "p_holm"])
    table["p_holm"] = holm(table["p_holm"].to_numpy())
    worst = table.groupby([*by, "metric", column], sort=False)["p_holm"].max().reset_index()
    return worst[worst["p_holm"] < alpha].reset_index(drop=True)


def mark_best(summary: pd.DataFrame, best: pd.DataFrame, column: str = "method") -> pd.DataFrame:
    """The summary with a boolean column ``best``, true for the rows that `best` names."""
    keys = [name for name in best.columns if name != "p_holm"]
    named = set(best[keys].itertuples(index=False, name=None))
    rows = summary[keys].itertuples(index=False, name=None)
    return summary.assign(best=[row in named for row in rows])


def _leader(group: pd.DataFrame, column: str) -> str:
    means = group.groupby(column, sort=False)["value"].mean()
    return means.idxmax() if higher_is_better(group["metric"].iloc[0]) else means.idxmin()
