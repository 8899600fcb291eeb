"""Voxel importance from the weights of the first layer."""

from __future__ import annotations

import numpy as np

from havir_lib.errors import ShapeError


def weight_norm(weight: np.ndarray) -> np.ndarray:
    r"""The paper's map: :math:`\lVert W_{:v} \rVert_2` of each voxel's weights.

    Parameters
    ----------
    weight : array, shape (H, V)
        Weight matrix of the first linear layer, as torch stores it.

    Returns
    -------
    float64 array, shape (V,)
    """
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim != 2:
        raise ShapeError(f"expected first-layer weights of shape (H, V), found {weight.shape}")
    return np.linalg.norm(weight, axis=0)


def scaled_weight_norm(weight: np.ndarray, voxel_sd: np.ndarray) -> np.ndarray:
    r"""Weight norm times the voxel's standard deviation: what the voxel adds to the hidden layer.

    For inputs of one common scale this equals :func:`weight_norm`. Betas that were z-scored per
    session have a common scale trial by trial, but not after repeats are averaged: then a voxel's
    SD grows with its reliability. Pass the SD of the voxels as the model sees them.

    Parameters
    ----------
    weight : array, shape (H, V)
    voxel_sd : array, shape (V,)

    Returns
    -------
    float64 array, shape (V,)
    """
    norm = weight_norm(weight)
    if np.shape(voxel_sd) != norm.shape:
        raise ShapeError(f"{norm.size} voxels have weights, but voxel_sd is {np.shape(voxel_sd)}")
    return norm * np.asarray(voxel_sd, dtype=np.float64)
