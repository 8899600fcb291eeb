"""Correlation distance of features (EffNet-B and SwAV in Table III)."""

import numpy as np

from havir_lib.evaluation.correlation import Device, paired_correlation


def correlation_distance(
    reals: np.ndarray, preds: np.ndarray, device: Device = "cpu"
) -> np.ndarray:
    """One minus Pearson's r of each image's features and its reconstruction's.

    Equals ``scipy.spatial.distance.correlation`` row by row, except that constant features count
    as uncorrelated (distance 1) instead of nan.

    Parameters
    ----------
    reals, preds : array (n, F)
    device : str or torch.device
        Where to correlate, in double precision.

    Returns
    -------
    array (n,)
        0 (same up to scale and offset) to 2.
    """
    return 1 - paired_correlation(reals, preds, device)
