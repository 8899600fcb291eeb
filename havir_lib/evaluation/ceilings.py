"""How much each region could tell at best, and how much of that is decoded.

Two ceilings, which answer different questions. The *noise ceiling* of a voxel is the share of its
variance that images explain (``ncsnr``). The *decoding ceiling* of a region is what its decoder's
predictions would correlate with themselves if the test were repeated: predictions from single
trials of one image differ by noise alone, so their correlation r between repeats, stepped up to k
repeats by Spearman and Brown (k r / (1 + (k - 1) r)), is the reliability of a mean prediction, and
no decoded score can exceed its square root. Score divided by that ceiling is the correlation which
the same decoder would reach on noise-free responses (Spearman's correction for attenuation).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from havir_lib.data.subject import average_repeats
from havir_lib.evaluation.correlation import paired_correlation


def region_ceiling(
    train_betas: np.ndarray,
    train_targets: np.ndarray,
    trials: np.ndarray,
    trial_images: np.ndarray,
    test_targets: np.ndarray,
    decode: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """Score, decoding ceiling and their ratio of one region's decoder.

    Scores are correlations after the mean training target is taken off both sides, so that what
    all images share does not count.

    Parameters
    ----------
    train_betas : ndarray, (n, V)
        Mean betas of training images.
    train_targets : ndarray, (n, F)
    trials : ndarray, (m, V)
        Betas of single test trials.
    trial_images : ndarray of int, (m,)
    test_targets : ndarray, (n_test, F)
        Of the test images in rising order of id.
    decode : callable
        ``decode(betas, targets, new_betas)`` gives predicted targets of the new betas.

    Returns
    -------
    dict
        See :func:`relative_scores`; ceiling and relative are nan where predictions do not repeat at
        all, or no test image was repeated.
    """
    mean = train_targets.mean(axis=0)
    single = decode(train_betas, train_targets, trials) - mean  # (m, F)
    together, order, repeats = average_repeats(single, trial_images)  # (n_test, F)
    value = paired_correlation(together, test_targets - mean)
    repeated = repeat_correlation(single, trial_images, order)
    return relative_scores(value, repeated, float(repeats.mean()), n_bootstrap, confidence, seed)


def repeat_correlation(
    predictions: np.ndarray, images: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Mean correlation of predictions from different trials of one image.

    Parameters
    ----------
    predictions : ndarray, (n_trials, F)
    images : ndarray of int, (n_trials,)
    order : ndarray of int, (n_images,)

    Returns
    -------
    ndarray, (n_images,)
        nan for an image seen once.
    """
    result = np.full(len(order), np.nan)
    for row, image in enumerate(order):
        trials = np.flatnonzero(images == image)
        pairs = np.array(list(combinations(trials, 2))).reshape(-1, 2)
        if len(pairs):
            first, second = predictions[pairs[:, 0]], predictions[pairs[:, 1]]
            result[row] = paired_correlation(first, second).mean()
    return result


def relative_scores(
    value: np.ndarray,
    repeated: np.ndarray,
    n_repeats: float,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """Mean score, its ceiling and their ratio, with intervals over images.

    Parameters
    ----------
    value : ndarray, (n_images,)
        Correlation of mean prediction and truth.
    repeated : ndarray, (n_images,)
        From :func:`repeat_correlation`.
    n_repeats : float
        Trials averaged per image.
    """
    rng = np.random.default_rng([seed, len(value)])
    drawn = rng.integers(0, len(value), (n_bootstrap, len(value)))
    tail = [50 * (1 - confidence), 100 - 50 * (1 - confidence)]
    low, high = np.percentile(value[drawn].mean(axis=1), tail)
    ceiling = _ceiling(repeated[None], n_repeats)[0]
    ratios = value[drawn].mean(axis=1) / _ceiling(repeated[drawn], n_repeats)
    known = ratios[np.isfinite(ratios)]
    relative = np.percentile(known, tail) if np.isfinite(ceiling) and len(known) else [np.nan] * 2
    return {
        "value": float(value.mean()),
        "low": float(low),
        "high": float(high),
        "ceiling": float(ceiling),
        "relative": float(value.mean() / ceiling),
        "relative_low": float(relative[0]),
        "relative_high": float(relative[1]),
        "n": len(value),
    }


def _ceiling(repeated: np.ndarray, n_repeats: float) -> np.ndarray:
    """Square root of the stepped-up reliability per row of (m, n); nan if not above 0."""
    known = np.isfinite(repeated)
    totals, sizes = np.where(known, repeated, 0).sum(axis=1), known.sum(axis=1)
    r = np.divide(totals, sizes, out=np.full(len(totals), np.nan), where=sizes > 0)
    reliability = n_repeats * r / (1 + (n_repeats - 1) * r)
    return np.sqrt(np.where(reliability > 0, reliability, np.nan))
