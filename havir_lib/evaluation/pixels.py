"""Scores on pixels: correlation and structural similarity."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity
from torch import Tensor

from havir_lib.evaluation.correlation import Device, paired_correlation


def pixel_correlation(
    reals: np.ndarray | Tensor, preds: np.ndarray | Tensor, device: Device = "cpu"
) -> np.ndarray:
    """Pearson correlation over all pixels and channels of each pair (PixCorr).

    Parameters
    ----------
    reals, preds : array (n, H, W, 3)
    device : str or torch.device
        Where to correlate, in double precision.

    Returns
    -------
    array (n,)
        -1 to 1; 0 for a constant image.
    """
    flat = (images.reshape(len(images), -1) for images in (reals, preds))
    return paired_correlation(*flat, device)


def ssim(
    reals: np.ndarray | Tensor,
    preds: np.ndarray | Tensor,
    columnwise: bool = False,
    device: Device = "cpu",
) -> np.ndarray:
    """Structural similarity of grey images with a Gaussian window (sigma 1.5, 11 taps).

    scikit-image's, which is several times faster on the CPU than convolutions in torch; as many
    images at once as torch has threads.

    Parameters
    ----------
    reals, preds : array (n, H, W, 3)
        Values in 0..1; at least 11 pixels a side.
    columnwise : bool
        The field calls scikit-image with ``multichannel=True`` on grey images. Releases before
        0.20 then took the columns for channels and compared each as a one-dimensional signal,
        which gives higher or lower scores by up to 0.15; later ones ignore the argument.
        True repeats the old behaviour, for comparison with papers that used it.
    device : str or torch.device
        Not used: the CPU computes.

    Returns
    -------
    array (n,)
        At most 1.
    """
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    options |= {"data_range": 1.0, "channel_axis": -1 if columnwise else None}

    def of_pair(pred: np.ndarray, real: np.ndarray) -> float:
        return structural_similarity(rgb2gray(pred), rgb2gray(real), **options)

    pairs = (images.cpu().numpy() if isinstance(images, Tensor) else images
             for images in (preds, reals))  # fmt: skip
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return np.array(list(pool.map(of_pair, *pairs)))
