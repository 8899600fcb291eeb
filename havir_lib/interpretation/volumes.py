"""Voxel values back in the brain volume."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from havir_lib.errors import ShapeError
from havir_lib.io import atomic_write


def to_volume(
    values: np.ndarray,
    ijk: np.ndarray,
    shape: tuple[int, int, int],
    *,
    fill: float = np.nan,
) -> np.ndarray:
    """Put one value per voxel at its place in a volume.

    Parameters
    ----------
    values : array, shape (V,)
    ijk : int array, shape (V, 3)
        0-based index of each voxel along the volume's X, Y, Z axes.
    shape : (X, Y, Z)
    fill : float
        Everywhere else; NaN keeps "not measured" apart from zero.

    Returns
    -------
    ndarray, float32 (X, Y, Z)

    Raises
    ------
    ShapeError
        If values and indices differ in number, an index is outside the volume, or one occurs twice.
    """
    ijk = np.asarray(ijk)
    if ijk.shape != (len(values), 3):
        raise ShapeError(f"{len(values)} values need indices of shape (V, 3), found {ijk.shape}")
    if len(ijk) and ((ijk < 0).any() or (ijk >= np.asarray(shape)).any()):
        raise ShapeError(f"indices reach {ijk.max(axis=0).tolist()}, outside of {tuple(shape)}")
    if len(np.unique(ijk, axis=0)) != len(ijk):
        raise ShapeError("the same voxel occurs twice in ijk")
    data = np.full(shape, fill, dtype=np.float32)
    data[tuple(ijk.T)] = values
    return data


def save_volume(image: nib.Nifti1Image, path: Path) -> Path:
    """Write a NIfTI file (``.nii.gz``) atomically; equal volumes give equal bytes."""
    with atomic_write(Path(path)) as temporary:
        nib.save(image, temporary)
    return Path(path)
