"""Intervals and tests on per-image scores.

A table of scores has one row per image and metric, and usually columns that say which method and
subject it belongs to. All subjects see the same test images, so images and subjects are crossed:
the bootstrap resamples both, and a resampled image stays the same image in every subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from havir_lib.errors import DataError
from havir_lib.evaluation.metrics import higher_is_better


class Interval(NamedTuple):
    """A mean and its percentile bootstrap interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: np.ndarray, n_bootstrap: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Mean of scores with a percentile bootstrap interval over images and subjects.

    Parameters
    ----------
    values : array (n_images,) or (n_images, n_subjects)
        nan marks an image that a subject did not see. With several subjects both axes are
        resampled independently (Owen's pigeonhole bootstrap), which is conservative.
    n_bootstrap : int
    confidence : float
        Between 0 and 1.
    seed : int
        Equal seeds and shapes give equal resamples, so methods are compared on the same draws.

    Returns
    -------
    Interval
        Bounds are nan if there are fewer than 2 images.

    Notes
    -----
    For two-way identification the distractors stay those of the full test set.
    """
    values = values[:, None] if values.ndim == 1 else values
    seen = ~np.isnan(values)
    mean = float(values[seen].mean())
    if len(values) < 2:
        return Interval(mean, np.nan, np.nan)
    image_counts = _resamples(values.shape[0], n_bootstrap, seed)  # (B, n_images)
    subject_counts = _resamples(values.shape[1], n_bootstrap, seed + 1)  # (B, n_subjects)
    totals = ((image_counts @ np.where(seen, values, 0.0)) * subject_counts).sum(axis=1)
    sizes = ((image_counts @ seen.astype(float)) * subject_counts).sum(axis=1)
    means = totals[sizes > 0] / sizes[sizes > 0]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(mean, float(low), float(high))


@lru_cache(maxsize=8)
def _resamples(n: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """How often each of n items is drawn in each resample: (n_bootstrap, n)."""
    rng = np.random.default_rng([seed, n])
    return rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap).astype(float)


def summarise(
    scores: pd.DataFrame,
    by: Sequence[str] = (),
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean score and interval of each metric within each group.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns image, metric, value, those named in `by`, and optionally subject.
    by : sequence of str
        What distinguishes groups, e.g. ``["method"]`` or ``["method", "subject"]``. Without
        subject among them, subjects are averaged and resampled too.
    n_bootstrap, confidence, seed
        See :func:`bootstrap_mean`.

    Returns
    -------
    pandas.DataFrame
        Columns of `by`, then metric, value, low, high, n (images), n_subjects; groups in order of
        first appearance.

    Raises
    ------
    DataError
        If a column is missing, a value is nan, or a group holds an image twice.
    """
    by = list(by)
    _check_columns(scores, by)
    rows = []
    for key, group in scores.groupby([*by, "metric"], sort=False):
        table = _image_by_subject(group, by)
        interval = bootstrap_mean(table.to_numpy(), n_bootstrap, confidence, seed)
        rows.append((*key, *interval, *table.shape))
    return pd.DataFrame(rows, columns=[*by, "metric", "value", "low", "high", "n", "n_subjects"])


def compare(
    scores: pd.DataFrame,
    method: str,
    baselines: Sequence[str],
    column: str = "method",
    by: Sequence[str] = (),
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Paired comparison of a method with others, image by image.

    Parameters
    ----------
    scores : pandas.DataFrame
        As for :func:`summarise`, with `column` naming the method.
    method, baselines
        Positive differences mean that `method` is better than the baseline, whichever way the
        metric points.
    column : str
    by : sequence of str
        Compare within groups, e.g. ``["subject"]``.
    n_permutations : int
        Sign flips; all 2^n of them if there are no more.
    n_bootstrap, confidence, seed
        See :func:`bootstrap_mean`.

    Returns
    -------
    pandas.DataFrame
        Columns of `by`, then `column`, baseline, metric, difference, low, high, p (two-sided),
        p_holm (corrected for all rows of this table), d_z, n, n_subjects, subjects_better (in how
        many of them the mean difference is above 0). With several subjects, p and d_z treat images
        as the units, averaged over subjects; the interval resamples both.

    Raises
    ------
    DataError
        If a method is absent, or two methods were not scored on the same images.
    """
    by = list(by)
    _check_columns(scores, [*by, column])
    absent = [name for name in [method, *baselines] if name not in set(scores[column])]
    if absent:
        raise DataError(f"No scores of {absent}; {column} holds {sorted(set(scores[column]))}.")
    rows = []
    for baseline in baselines:
        for key, group in scores.groupby([*by, "metric"], sort=False):
            differences = paired_differences(group, method, baseline, column, by)
            interval = bootstrap_mean(differences, n_bootstrap, confidence, seed)
            per_image = np.nanmean(differences, axis=1)
            p = sign_flip_p(per_image, n_permutations, seed)
            effect = cohens_dz(per_image)
            better = int((np.nanmean(differences, axis=0) > 0).sum())
            found = (*interval, p, effect, *differences.shape, better)
            rows.append((*key[:-1], method, baseline, key[-1], *found))
    names = [*by, column, "baseline", "metric", "difference", "low", "high"]
    names += ["p", "d_z", "n", "n_subjects", "subjects_better"]
    table = pd.DataFrame(rows, columns=names)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(table["p"].to_numpy()))
    return table


def sign_flip_p(differences: np.ndarray, n_permutations: int = 10_000, seed: int = 0) -> float:
    """Two-sided paired permutation test that differences (n,) are symmetric around 0.

    All 2^n sign patterns are used when they are at most `n_permutations`; otherwise random ones,
    with the observed pattern counted, so that p is never 0.
    """
    n = len(differences)
    exact = 2**n <= n_permutations
    if exact:
        patterns = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    else:
        patterns = np.random.default_rng(seed).integers(0, 2, (n_permutations, n), dtype=np.int8)
    totals = np.abs(differences.sum() - 2 * (patterns @ differences))
    # The same sum in another order differs by rounding and must still count as equally extreme.
    reached = totals >= np.abs(differences.sum()) - 1e-12 * np.abs(differences).sum()
    return float(reached.mean() if exact else (1 + reached.sum()) / (1 + n_permutations))


def holm(p: np.ndarray) -> np.ndarray:
    """P values (m,) corrected for m tests by Holm's step-down method (family-wise error)."""
    order = np.argsort(p)
    scaled = p[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected


def cohens_dz(differences: np.ndarray) -> float:
    """Effect size of paired differences: mean / SD; nan if fewer than 2 or all the same."""
    if len(differences) < 2 or np.ptp(differences) == 0:
        return float("nan")
    return float(differences.mean() / differences.std(ddof=1))


def paired_differences(
    scores: pd.DataFrame,
    method: str,
    baseline: str,
    column: str = "method",
    by: Sequence[str] = (),
) -> np.ndarray:
    """Advantage of `method` over `baseline` per image and subject, on one metric.

    Parameters
    ----------
    scores : pandas.DataFrame
        Of one metric and, if `by` is given, one group.

    Returns
    -------
    ndarray, (n_images, n_subjects)
        Positive where `method` is better; images in rising order.

    Raises
    ------
    DataError
        If the two were not scored on the same images and subjects.
    """
    group, by, metric = scores, list(by), scores["metric"].iloc[0]
    tables = [
        _image_by_subject(group[group[column] == name], [*by, column])
        for name in (method, baseline)
    ]
    first, second = tables
    same = first.index.sort_values().equals(second.index.sort_values())
    second = second.reindex(index=first.index, columns=first.columns)
    if not same or not np.array_equal(first.isna(), second.isna()):
        raise DataError(
            f"{metric}: {method!r} and {baseline!r} were not scored on the same images and "
            f"subjects ({first.notna().sum().sum()} and {second.notna().sum().sum()} common)."
        )
    sign = 1 if higher_is_better(metric) else -1
    return sign * (first.to_numpy() - second.to_numpy())


def _image_by_subject(group: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Values with images as rows and subjects (or one column) as columns."""
    pooled = "subject" in group.columns and "subject" not in by
    subjects = group["subject"] if pooled else pd.Series("all", index=group.index)
    table = group[["image", "value"]].assign(subject=subjects)
    repeated = table.duplicated(["image", "subject"])
    if repeated.any():
        raise DataError(
            f"Image {table.loc[repeated, 'image'].iloc[0]} has several values in one group. Name "
            f"the column that tells them apart in `by` (now {by}; columns: {list(group)})."
        )
    return table.pivot(index="image", columns="subject", values="value")


def _check_columns(scores: pd.DataFrame, by: list[str]) -> None:
    missing = [name for name in [*by, "image", "metric", "value"] if name not in scores.columns]
    if missing:
        raise DataError(f"Scores lack the columns {missing}; they have {list(scores.columns)}.")
    if scores["value"].isna().any():
        raise DataError(f"{int(scores['value'].isna().sum())} of {len(scores)} scores are nan.")
