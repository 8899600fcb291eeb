"""Two-way identification: does a reconstruction resemble its own image more than another one?"""

import numpy as np
from torch import Tensor

from havir_lib.errors import ShapeError
from havir_lib.evaluation.correlation import Device, all_correlations

# Correlations closer than this differ only by rounding, whose last digits depend on the machine.
TIE = 1e-12


def two_way_identification(
    reals: np.ndarray | Tensor, preds: np.ndarray | Tensor, device: Device = "cpu"
) -> np.ndarray:
    """Share of other images that each reconstruction prefers its own image to.

    With r[i, j] the correlation of real image i and reconstruction j, reconstruction j scores the
    share of i != j with r[i, j] < r[j, j]. The mean over j is the field's "two-way identification".

    Parameters
    ----------
    reals, preds : array (n, F)
        Features of the images and, in the same order, of their reconstructions.
    device : str or torch.device
        Where to correlate, in double precision.

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
    return share_beaten(all_correlations(reals, preds, device))


def share_beaten(similarity: np.ndarray) -> np.ndarray:
    """Share of distractors in each column that stay below the diagonal.

    Parameters
    ----------
    similarity : array (n, n)
        Row: real image, column: reconstruction.
    """
    own = np.diag(similarity)
    return (similarity < own - TIE).sum(axis=0) / (len(similarity) - 1)
