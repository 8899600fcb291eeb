"""Does a quantity of each image go with a score? Rank correlation with interval and test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from havir_lib.errors import ShapeError


class Association(NamedTuple):
    """A rank correlation, its bootstrap interval, and its permutation p value."""

    rho: float
    low: float
    high: float
    p: float


def rank_association(
    values: np.ndarray,
    covariate: np.ndarray,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> Association:
    """Spearman's correlation of scores with a quantity of the images.

    Parameters
    ----------
    values : ndarray, (n_images,) or (n_images, n_subjects)
        E.g. the gain of one method over another; averaged over subjects. nan marks an image that
        a subject did not see.
    covariate : ndarray, (n_images,)
        E.g. scene complexity.
    n_bootstrap, confidence
        Percentile interval; images and subjects are both resampled.
    n_permutations : int
        The covariate is dealt to other images; two-sided, the observed order counted in.
    seed : int

    Returns
    -------
    Association
        All nan if one of the two is the same for all images.

    Raises
    ------
    ShapeError
        If the numbers of images differ or are below 3.
    """
    values = values[:, None] if values.ndim == 1 else values
    if len(values) != len(covariate) or len(values) < 3:
        raise ShapeError(
            "Expected one value of the covariate for each of at least 3 images, found "
            f"{len(covariate)} for {len(values)} images."
        )
    mean = np.nanmean(values, axis=1)
    if np.ptp(mean) == 0 or np.ptp(covariate) == 0:
        return Association(*[float("nan")] * 4)
    rho = float(_spearman(mean[None], covariate[None])[0])
    rng = np.random.default_rng([seed, len(values)])
    images = rng.integers(0, len(values), (n_bootstrap, len(values)))
    n_subjects = values.shape[1]
    subjects = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_bootstrap)
    drawn = _spearman(_weighted_means(values, subjects, images), covariate[images])
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    orders = rng.permuted(np.tile(np.arange(len(values)), (n_permutations, 1)), axis=1)
    null = _spearman(np.tile(mean, (n_permutations, 1)), covariate[orders])
    reached = np.abs(null) >= abs(rho) - 1e-12
    return Association(rho, float(low), float(high), float((1 + reached.sum()) / (1 + len(null))))


def _weighted_means(values: np.ndarray, subjects: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Mean over drawn subjects (m, n_subjects) of drawn images (m, n); nan if none saw it."""
    seen = ~np.isnan(values)
    totals = subjects @ np.where(seen, values, 0.0).T  # (m, n_images)
    sizes = subjects @ seen.T.astype(float)
    means = np.divide(totals, sizes, out=np.full_like(totals, np.nan), where=sizes > 0)
    return np.take_along_axis(means, images, axis=1)


def _spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Row-wise rank correlation of two (m, n); nan where a row is constant."""
    from scipy.stats import rankdata  # slow to import, and only needed here

    a, b = (rankdata(rows, axis=1) for rows in (first, second))
    a -= a.mean(axis=1, keepdims=True)
    b -= b.mean(axis=1, keepdims=True)
    norms = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), norms, out=np.full(len(a), np.nan), where=norms > 0)
