"""Noise ceiling: how much of a voxel's response a perfect model could explain.

Allen et al. 2022 (NSD): the noise ceiling signal-to-noise ratio ``ncsnr`` is the standard
deviation of a voxel's true responses to images over that of its trial noise, and with the mean of
n trials a perfect model explains ``100 * ncsnr² / (ncsnr² + 1/n)`` percent of the variance.
"""

from __future__ import annotations

import numpy as np

from havir_lib.errors import DataError


def noise_ceiling(ncsnr: np.ndarray, repeats: int | np.ndarray = 1) -> np.ndarray:
    """Explainable variance in percent.

    Parameters
    ----------
    ncsnr : ndarray, (V,)
        Noise ceiling signal-to-noise ratio, >= 0.
    repeats : int or ndarray of int, (n_images,)
        Trials averaged per image. Where images differ, 1/n is replaced by its mean over images.

    Returns
    -------
    ndarray, (V,)
        0 to 100. It bounds R²; the bound on a correlation is ``sqrt(noise_ceiling / 100)``.
    """
    repeats = np.asarray(repeats, dtype=float)
    if repeats.size == 0 or (repeats < 1).any():
        raise ValueError(f"repeats must be at least 1 for every image, found {repeats}")
    signal = np.square(np.asarray(ncsnr, dtype=float))
    return 100 * signal / (signal + np.mean(1 / repeats))


def estimate_ncsnr(betas: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Noise ceiling SNR from repeated images, as NSD computes it (Allen et al. 2022, Methods).

    Noise variance is the variance over an image's repeats (n - 1), averaged over images; signal
    variance is what remains of the total variance (n - 1), at least 0. NSD's own code
    (cvnlab/nsddatapaper, ``main/export_noiseceiling.m``) takes only images shown three times, and
    the total of z-scored betas as 1; here images shown twice count too.

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
        Z-scored within sessions, see :func:`zscore_within`.
    images : ndarray, (n_trials,)
        Image of each trial; images seen once inform only the total variance.

    Returns
    -------
    ndarray, (V,) float32

    Raises
    ------
    DataError
        If no image was repeated.
    """
    order = np.argsort(images, kind="stable")
    _, first, counts = np.unique(np.asarray(images)[order], return_index=True, return_counts=True)
    repeated = counts > 1
    if not repeated.any():
        raise DataError("The noise ceiling SNR needs repeated images; every image was seen once.")
    n = counts[:, None]
    means = np.add.reduceat(betas[order], first, axis=0, dtype=np.float32) / n
    residuals = betas[order] - np.repeat(means, counts, axis=0)
    within = np.add.reduceat(residuals**2, first, axis=0)[repeated] / (n[repeated] - 1)
    noise = within.mean(axis=0, dtype=np.float64)
    signal = np.clip(betas.var(axis=0, dtype=np.float64, ddof=1) - noise, 0, None)
    return np.sqrt(signal / np.maximum(noise, np.finfo(float).tiny)).astype(np.float32)


def zscore_within(betas: np.ndarray, sessions: np.ndarray) -> np.ndarray:
    """Z-score every trial by its own session's mean and standard deviation (n - 1).

    For noise ceilings only: what trains a model is scaled by training trials alone
    (``havir_lib.data.zscore``).

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
        In any unit; a voxel that is constant in a session becomes 0 there.
    sessions : ndarray, (n_trials,)

    Returns
    -------
    ndarray, (n_trials, V) float32
    """
    z = np.empty(betas.shape, np.float32)
    for session in np.unique(sessions):
        rows = sessions == session
        values = betas[rows].astype(np.float32)
        deviation = values.std(axis=0, ddof=1)
        z[rows] = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return z
