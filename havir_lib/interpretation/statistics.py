"""Weight maps against chance, against each other and, in simulations, against the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from havir_lib.errors import ShapeError


def compare_with_null(values: np.ndarray, null: np.ndarray, *, pool: bool = True) -> pd.DataFrame:
    """Each voxel's importance against models that cannot know anything about the images.

    Parameters
    ----------
    values : array, shape (V,)
        Importance in the trained model.
    null : array, shape (R, V)
        The same map from R models trained on permuted labels, or left untrained.
    pool : bool
        Compare with the null values of all voxels; R models then give R × V values. Right when the
        null is the same for every voxel, as for voxels of one scale. Otherwise each voxel has only
        its own R values, and no p below 1 / (R + 1) can occur.

    Returns
    -------
    DataFrame, V rows
        value, z (distance from the null's mean in its SD), percentile (0-100) and p (one-sided,
        ``(1 + number of null values >= value) / (1 + number of null values)``).
    """
    values, null = np.asarray(values, np.float64), np.asarray(null, np.float64)
    if null.ndim != 2 or null.shape[1] != values.size or len(null) < 2:
        raise ShapeError(f"expected a null of shape (R >= 2, {values.size}), found {null.shape}")
    if pool:
        ordered = np.sort(null, axis=None)
        below = np.searchsorted(ordered, values, side="left")
        total, mean, sd = ordered.size, ordered.mean(), ordered.std(ddof=1)
    else:
        below = (null < values).sum(axis=0)
        total, mean, sd = len(null), null.mean(axis=0), null.std(axis=0, ddof=1)
    return pd.DataFrame(
        {
            "value": values,
            "z": (values - mean) / sd,
            "percentile": 100 * below / total,
            "p": (1 + total - below) / (1 + total),
        }
    )


def null_band(null: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float]:
    """Range that holds the central `confidence` of all null values; for plots."""
    tail = 50 * (1 - confidence)
    low, high = np.percentile(null, [tail, 100 - tail])
    return float(low), float(high)


def roi_summary(
    values: np.ndarray,
    rois: pd.DataFrame,
    *,
    names: Sequence[str] | None = None,
    null: np.ndarray | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Importance per region.

    Parameters
    ----------
    values : array, shape (V,)
    rois : DataFrame, V rows
        One boolean column per region; a voxel may belong to several.
    names : sequence of str, optional
        Regions to report, in this order; default all columns. Regions without voxels are left out.
    null : array, shape (R, V), optional
        Null maps: the range of a region's null means is reported.
    confidence : float
        Of the null range.

    Returns
    -------
    DataFrame
        roi, n_voxels, mean, median, q25, q75, p05, p95 and, with `null`, null_low, null_high.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(rois) != values.size:
        raise ShapeError(f"{values.size} values, but the ROI table has {len(rois)} rows")
    rows = []
    for name in names if names is not None else rois.columns:
        inside = rois[name].to_numpy(dtype=bool)
        if not inside.any():
            continue
        p05, q25, median, q75, p95 = np.percentile(values[inside], [5, 25, 50, 75, 95])
        row = {"roi": name, "n_voxels": int(inside.sum()), "mean": values[inside].mean(),
               "median": median, "q25": q25, "q75": q75, "p05": p05, "p95": p95}  # fmt: skip
        if null is not None:
            means = np.asarray(null, dtype=np.float64)[:, inside].mean(axis=1)
            row["null_low"], row["null_high"] = null_band(means, confidence=confidence)
        rows.append(row)
    return pd.DataFrame(rows)


def spearman_interval(
    values: np.ndarray,
    truth: np.ndarray,
    *,
    blocks: np.ndarray | None = None,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """Rank correlation of a map with the true signal, with a bootstrap interval.

    Parameters
    ----------
    values, truth : arrays, shape (V,)
    blocks : int array, shape (V,), optional
        Neighbouring voxels are not independent: with block numbers (:func:`spatial_blocks`), whole
        blocks are drawn, else single voxels, which makes the interval too narrow.
    n_bootstrap, confidence, seed
        Of the percentile bootstrap.

    Returns
    -------
    dict
        rho, low, high, n (voxels).
    """
    from scipy.stats import spearmanr  # slow to import

    values, truth = np.asarray(values), np.asarray(truth)
    if values.shape != truth.shape:
        raise ShapeError(f"the map has shape {values.shape}, the truth {truth.shape}")
    labels = np.arange(values.size) if blocks is None else np.unique(blocks, return_inverse=True)[1]
    n_blocks = labels.max() + 1
    rng = np.random.default_rng(seed)
    correlate = _weighted_spearman(values, truth)
    draws = np.empty(n_bootstrap)
    for i in range(n_bootstrap):
        chosen = rng.integers(n_blocks, size=n_blocks)
        draws[i] = correlate(np.bincount(chosen, minlength=n_blocks)[labels])
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    rho = spearmanr(values, truth).statistic
    return {"rho": float(rho), "low": float(low), "high": float(high), "n": int(values.size)}


def _weighted_spearman(values: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], float]:
    """A function of how often each voxel was drawn, (V,), that gives the resample's correlation.

    A resample is a number of copies of each voxel, so the values need sorting only once.
    """
    ranks = [_weighted_ranks(values), _weighted_ranks(truth)]

    def correlate(copies: np.ndarray) -> float:
        a, b = (rank(copies) - (copies.sum() + 1) / 2 for rank in ranks)
        spread = (copies @ a**2) * (copies @ b**2)
        return float(copies @ (a * b) / np.sqrt(spread)) if spread > 0 else float("nan")

    return correlate


def _weighted_ranks(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Mid-ranks of `values` (V,) where each occurs `copies` (V,) times."""
    _, group = np.unique(values, return_inverse=True)

    def rank(copies: np.ndarray) -> np.ndarray:
        size = np.bincount(group, weights=copies)
        return (np.cumsum(size) - (size - 1) / 2)[group]

    return rank


def spatial_blocks(ijk: np.ndarray, side: int = 4) -> np.ndarray:
    """Number of the cube, `side` voxels wide, that each voxel lies in: (V, 3) → (V,)."""
    _, labels = np.unique(np.asarray(ijk) // side, axis=0, return_inverse=True)
    return labels.reshape(-1)


def seed_reliability(maps: np.ndarray) -> pd.DataFrame:
    """Rank correlation between the maps of models that differ only in their seed.

    Parameters
    ----------
    maps : array, shape (S, V)

    Returns
    -------
    DataFrame
        first, second (seed numbers, 0-based) and rho, one row per pair.
    """
    from scipy.stats import spearmanr  # slow to import

    if len(maps) < 2:
        raise ShapeError(f"reliability needs the maps of at least 2 seeds, found {len(maps)}")
    rows = [
        {"first": i, "second": j, "rho": float(spearmanr(maps[i], maps[j]).statistic)}
        for i, j in combinations(range(len(maps)), 2)
    ]
    return pd.DataFrame(rows)
