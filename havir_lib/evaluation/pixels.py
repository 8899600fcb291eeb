"""Scores on pixels: correlation and structural similarity."""

import numpy as np
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from havir_lib.evaluation.correlation import paired_correlation


def pixel_correlation(reals: np.ndarray, preds: np.ndarray) -> np.ndarray:
    """Pearson correlation over all pixels and channels of each pair (PixCorr).

    Parameters
    ----------
    reals, preds : array (n, H, W, 3)

    Returns
    -------
    array (n,)
        -1 to 1; 0 for a constant image.
    """
    return paired_correlation(reals.reshape(len(reals), -1), preds.reshape(len(preds), -1))


def ssim(reals: np.ndarray, preds: np.ndarray, columnwise: bool = False) -> np.ndarray:
    """Structural similarity of grey images with a Gaussian window (sigma 1.5, 11 taps).

    Parameters
    ----------
    reals, preds : array (n, H, W, 3)
        Values in 0..1; at least 11 pixels a side.
    columnwise : bool
        The field calls scikit-image with ``multichannel=True`` on grey images. Releases before
        0.20 then took the columns for channels and compared each as a one-dimensional signal,
        which gives higher or lower scores by up to 0.15; later ones ignore the argument.
        True repeats the old behaviour, for comparison with papers that used it.

    Returns
    -------
    array (n,)
        At most 1.
    """
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    channel = -1 if columnwise else None
    return np.array(
        [
            structural_similarity(pred, real, data_range=1.0, channel_axis=channel, **options)
            for real, pred in zip(rgb2gray(reals), rgb2gray(preds), strict=True)
        ]
    )
