"""Two-way identification: does a reconstruction resemble its own image more than another one?"""

import numpy as np
import torch
from torch import Tensor

from havir_lib.errors import ShapeError
from havir_lib.evaluation.correlation import (
    ROUGH,
    ROWS,
    Device,
    paired_correlation,
    rough_correlations,
)

# Correlations closer than this differ only by rounding, whose last digits depend on the machine.
TIE = 1e-12


def two_way_identification(
    reals: np.ndarray | Tensor, preds: np.ndarray | Tensor, device: Device = "cpu"
) -> np.ndarray:
    """Share of other images that each reconstruction prefers its own image to.

    With r[i, j] the correlation of real image i and reconstruction j, reconstruction j scores the
    share of i != j with r[i, j] < r[j, j]. The mean over j is the field's "two-way identification".

    Scores are those of correlations in double precision: all are compared roughly first, and those
    that are too near to be sure once more.

    Parameters
    ----------
    reals, preds : array (n, F)
        Features of the images and, in the same order, of their reconstructions.
    device : str or torch.device
        Where to correlate.

    Returns
    -------
    array (n,)
        Between 0 and 1, chance 0.5. A tie counts as failure, as in the field's code; so does
        anything for a reconstruction with constant features.

    Raises
    ------
    ShapeError
        If the two differ in shape or there are fewer than 2 images.
    """
    if reals.shape != preds.shape or len(reals) < 2:
        raise ShapeError(
            "Two-way identification compares at least 2 images with as many reconstructions, "
            f"found features of shapes {reals.shape} and {preds.shape}."
        )
    own = paired_correlation(reals, preds, device)  # (n,)
    rough = rough_correlations(reals, preds, device)  # (n, n): image, reconstruction
    return share_beaten(settle(rough, own, reals, preds, device), own)


def settle(
    rough: np.ndarray,
    own: np.ndarray,
    reals: np.ndarray | Tensor,
    preds: np.ndarray | Tensor,
    device: Device = "cpu",
) -> np.ndarray:
    """Correlations (n, n); those near a reconstruction's own one in double precision."""
    settled = rough.copy()
    image, made = np.nonzero(np.abs(rough - own) <= ROUGH)
    step = max(1, ROWS // reals.shape[1])
    for start in range(0, len(image), step):
        i, j = image[start : start + step], made[start : start + step]
        settled[i, j] = paired_correlation(_rows(reals, i), _rows(preds, j), device)
    np.fill_diagonal(settled, own)
    return settled


def _rows(features: np.ndarray | Tensor, index: np.ndarray) -> np.ndarray | Tensor:
    return features[torch.from_numpy(index)] if isinstance(features, Tensor) else features[index]


def share_beaten(similarity: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Share of distractors in each column that stay below that column's own similarity.

    Parameters
    ----------
    similarity : array (n, n)
        Row: real image, column: reconstruction.
    own : array (n,)
        Of each reconstruction and its own image.
    """
    return (similarity < own - TIE).sum(axis=0) / (len(similarity) - 1)
