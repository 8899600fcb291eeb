"""Session-wise z-scoring without looking at test trials; and the published way, for comparison.

A session's mean and standard deviation of each voxel come from its *training-image* trials and are
applied to all of its trials. MindEye's and MindBridge's published arrays use all trials of each
session (``"session_all"``): test images included and, for a subject trained on one hour, the
sessions outside that hour.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from havir_lib.errors import DataError

Statistics = tuple[np.ndarray, np.ndarray]
Zscore = Literal["session", "session_all", "none"]

WHAT_IT_SEES: dict[str, str] = {
    "session": "each session by its training trials",
    "session_all": "each session by all its trials, TEST TRIALS INCLUDED: only for comparison with "
    "published numbers",
    "none": "none: % signal change",
}
"""What the setting ``data.zscore`` means, for readers."""


def statistics_of(
    zscore: Zscore, betas: np.ndarray, sessions: np.ndarray, is_train: np.ndarray
) -> dict[int, Statistics]:
    """:func:`session_statistics` from the trials that a way of z-scoring looks at.

    Parameters
    ----------
    zscore : {"session", "session_all"}
        Training trials, or all trials of every session.
    betas, sessions, is_train : ndarray
        As in :func:`session_statistics`.
    """
    seen = is_train if zscore == "session" else np.ones_like(is_train)
    return session_statistics(betas, sessions, seen)


def session_statistics(
    betas: np.ndarray, sessions: np.ndarray, is_train: np.ndarray
) -> dict[int, Statistics]:
    """Mean and standard deviation (ddof 0) per session from training trials.

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
    sessions : ndarray, (n_trials,)
    is_train : ndarray of bool, (n_trials,)

    Returns
    -------
    dict
        Session → (mean, SD), each ``(V,)`` float64. Sessions without training trials are absent.

    Raises
    ------
    DataError
        If there are no training trials, or a voxel is NaN or constant in those of a session.
    """
    statistics = {}
    for session in np.unique(sessions[is_train]):
        values = betas[(sessions == session) & is_train].astype(np.float64)
        mean = values.mean(axis=0)
        values -= mean
        deviation = np.sqrt(np.einsum("tv,tv->v", values, values) / len(values))
        if not (deviation > 0).all():  # also catches NaN
            raise DataError(
                f"Cannot z-score: {int(np.sum(~(deviation > 0)))} voxels are NaN or constant "
                f"in the training trials of session {session}. Set data.bad_voxels to drop."
            )
        statistics[int(session)] = (mean, deviation)
    if not statistics:
        raise DataError("Cannot z-score: there are no training trials.")
    return statistics


def pooled_statistics(statistics: dict[int, Statistics]) -> Statistics:
    """Average session: mean of the means, root mean square of the standard deviations.

    For sessions that have no statistics of their own, as in a subject trained on one hour.
    With one session these are that session's own.
    """
    means, deviations = zip(*statistics.values(), strict=True)
    return np.mean(means, axis=0), np.sqrt(np.mean(np.square(deviations), axis=0))


def apply_statistics(
    betas: np.ndarray, sessions: np.ndarray, statistics: dict[int, Statistics], rows: np.ndarray
) -> np.ndarray:
    """Z-score some trials by their sessions' statistics.

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
    sessions : ndarray, (n_trials,)
    statistics : dict
        From :func:`session_statistics`; a session that is absent takes their average.
    rows : ndarray of int
        Trials wanted, in this order.

    Returns
    -------
    ndarray, (len(rows), V) float32
    """
    fallback = pooled_statistics(statistics)
    result = np.empty((len(rows), betas.shape[1]), dtype=np.float32)
    for session in np.unique(sessions[rows]):
        mean, deviation = statistics.get(int(session), fallback)
        here = np.flatnonzero(sessions[rows] == session)
        values = betas[rows[here]] - mean.astype(np.float32)
        result[here] = np.divide(values, deviation, dtype=np.float32)
    return result


def zscore_sessions(betas: np.ndarray, sessions: np.ndarray, is_train: np.ndarray) -> np.ndarray:
    """Z-score all trials: :func:`session_statistics`, then :func:`apply_statistics`.

    A session without training trials (beyond a subject's "one hour") takes the average statistics
    of the sessions that have some. A common scale of the betas, such as NSD's 1/300, cancels out.
    """
    statistics = session_statistics(betas, sessions, is_train)
    return apply_statistics(betas, sessions, statistics, np.arange(len(betas)))


def unusable_voxels(betas: np.ndarray, is_train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voxels of one session that cannot be z-scored.

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
        One session.
    is_train : ndarray of bool, (n_trials,)

    Returns
    -------
    not_finite, constant : ndarray of bool, (V,)
        NaN or infinite in any trial; one value in all training trials.
    """
    not_finite = ~np.isfinite(betas).all(axis=0)
    training = betas[is_train]
    constant = (
        (training == training[:1]).all(axis=0) if len(training) else np.zeros_like(not_finite)
    )
    return not_finite, constant & ~not_finite
