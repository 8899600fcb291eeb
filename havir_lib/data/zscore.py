"""Session-wise z-scoring without looking at test trials.

A session's mean and standard deviation of each voxel come from its *training-image* trials and are
applied to all of its trials. (MindEye's published arrays use all trials of a session, test images
included.)
"""

from __future__ import annotations

import numpy as np

from havir_lib.errors import DataError

Statistics = tuple[np.ndarray, np.ndarray]


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
    """
    statistics = {}
    for session in np.unique(sessions[is_train]):
        values = betas[(sessions == session) & is_train].astype(np.float64)
        statistics[int(session)] = (values.mean(axis=0), values.std(axis=0))
    return statistics


def pooled_statistics(statistics: dict[int, Statistics]) -> Statistics:
    """Average session: mean of the means, root mean square of the standard deviations.

    For sessions that have no statistics of their own, as in a subject trained on one hour.
    With one session these are that session's own.
    """
    means, deviations = zip(*statistics.values(), strict=True)
    return np.mean(means, axis=0), np.sqrt(np.mean(np.square(deviations), axis=0))


def zscore_sessions(betas: np.ndarray, sessions: np.ndarray, is_train: np.ndarray) -> np.ndarray:
    """Z-score each session by its own training trials.

    A session without training trials (beyond a subject's "one hour") takes the average statistics
    of the sessions that have some.

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
        Any unit; a common scale such as NSD's 1/300 cancels out.
    sessions : ndarray, (n_trials,)
    is_train : ndarray of bool, (n_trials,)
        Trials that the statistics may use.

    Returns
    -------
    ndarray, (n_trials, V) float32

    Raises
    ------
    DataError
        If there are no training trials, or a voxel is constant in the training trials of a session.
    """
    statistics = session_statistics(betas, sessions, is_train)
    if not statistics:
        raise DataError("Cannot z-score: there are no training trials.")
    fallback = pooled_statistics(statistics)
    result = np.empty(betas.shape, dtype=np.float32)
    for session in np.unique(sessions):
        mean, deviation = statistics.get(int(session), fallback)
        if not (deviation > 0).all():  # also catches NaN
            raise DataError(
                f"Cannot z-score: {int(np.sum(~(deviation > 0)))} voxels are NaN or constant "
                f"in the training trials of session {session}. Set data.bad_voxels to drop."
            )
        rows = np.flatnonzero(sessions == session)
        result[rows] = (betas[rows] - mean) / deviation
    return result


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
