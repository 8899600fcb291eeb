"""Noise ceiling: how much of a voxel's response a perfect model could explain.

Allen et al. 2022 (NSD): the noise ceiling signal-to-noise ratio ``ncsnr`` is the standard
deviation of a voxel's true responses to images over that of its trial noise, and with the mean of
n trials a perfect model explains ``100 * ncsnr² / (ncsnr² + 1/n)`` percent of the variance.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

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
    """Noise ceiling SNR from repeated images, as NSD computes it.

    Noise variance is the variance over an image's repeats (ddof 1), averaged over images; signal
    variance is what remains of the total variance, at least 0.

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
        Z-scored within sessions.
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
    groups = pd.Series(np.arange(len(images))).groupby(np.asarray(images)).indices
    variances = [betas[rows].var(axis=0, ddof=1) for rows in groups.values() if len(rows) > 1]
    if not variances:
        raise DataError("The noise ceiling SNR needs repeated images; every image was seen once.")
    noise = np.mean(variances, axis=0, dtype=np.float64)
    signal = np.clip(betas.var(axis=0, dtype=np.float64, ddof=1) - noise, 0, None)
    return np.sqrt(signal / noise).astype(np.float32)
