"""Coordinates that map a simulated subject's grid to standard spaces, in NSD's files.

A subject's tissue at p belongs at p + d(p) in the template (:mod:`havir_lib.simulation.anatomy`),
so the template's place m lies where p + d(p) = m, which is solved by iterating p = m - d(p).

Names and conventions are NSD's (see :mod:`havir_lib.data.transforms` for the sources): coordinates
from 1, 9999 where there is no data, the MNI grid of FSL's 1 mm template, running from right to
left. One difference: the subject's own surface is nilearn's fsaverage5, moved into the subject's
brain, and ``white-to-fsaverage`` has its 10,242 vertices, which are the first of fsaverage's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from havir_lib.config import SimulatedSubject
from havir_lib.io import atomic_write
from havir_lib.simulation.anatomy import displacement, grid_affine
from havir_lib.simulation.atlas import load_atlas
from havir_lib.simulation.betas import write_nifti

MNI_SHAPE = (182, 218, 182)
MNI_AFFINE = np.array([[-1.0, 0, 0, 90], [0, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1]])
NO_DATA = 9999
DEPTHS = {"layerB1": 0.25, "layerB2": 0.5, "layerB3": 0.75}
"""NSD's names of layers and their depth below the pial surface, as a share of the thickness."""
N_ITERATIONS = 10
COARSE = 3
"""Every so many mm of the template the displacement is inverted."""
GRAIN = 1 / 32
"""Coordinates are rounded to this share of a voxel (0.1 mm), so that the files compress well."""


def write_transforms(
    subject: SimulatedSubject, warp_mm: float, folder: Path, source: str = "func1pt8"
) -> None:
    """Write a subject's transforms to MNI and to the surface into `folder`.

    Parameters
    ----------
    subject : SimulatedSubject
    warp_mm : float
        As passed to :func:`havir_lib.simulation.anatomy.make_anatomy`.
    folder : Path
        ``nsddata/ppdata/subjXX/transforms``.
    source : str
        The grid's name in the names of the files.
    """
    coordinates = mni_coordinates(subject, warp_mm)
    write_nifti(folder / f"{source}-to-MNI.nii.gz", coordinates, MNI_AFFINE)
    surfaces = _layers()
    together = native_coordinates(subject, warp_mm, np.concatenate(list(surfaces.values())))
    for (hemisphere, layer), found in zip(surfaces, np.split(together, len(surfaces)), strict=True):
        path = folder / f"{hemisphere}.{source}-to-{layer}.mgz"
        _write_mgz(path, found[:, None, None, :])
        numbers = np.arange(1, len(found) + 1, dtype=np.int32)
        _write_mgz(folder / f"{hemisphere}.white-to-fsaverage.mgz", numbers[:, None, None])


def mni_coordinates(subject: SimulatedSubject, warp_mm: float) -> np.ndarray:
    """Where each voxel of the MNI template's brain lies in the subject's grid.

    Returns
    -------
    ndarray, (182, 218, 182, 3) float32
        From 1; 9999 outside of the brain or of the grid.
    """
    result = np.full((*MNI_SHAPE, 3), NO_DATA, dtype=np.float32)
    box = _box_around(subject, margin=4 * warp_mm)
    coarse = _template_mm([range(b.start, b.stop, COARSE) for b in box])
    inverse = subject_position(subject, warp_mm, coarse.reshape(-1, 3)).reshape(coarse.shape)
    position = _refined(inverse)  # displacements are smooth: solved at 3 mm, linear in between
    brain = load_atlas().brain.sample(_template_mm(box), order=0) > 0
    result[box][brain] = _voxel_numbers(subject, position[brain])
    return result


def native_coordinates(subject: SimulatedSubject, warp_mm: float, mni: np.ndarray) -> np.ndarray:
    """Where places of the template, (n, 3) in MNI mm, lie in the subject's grid.

    Returns
    -------
    ndarray, (n, 3) float32
        Voxel coordinates from 1; 9999 outside of the grid.
    """
    return _voxel_numbers(subject, subject_position(subject, warp_mm, mni))


def subject_position(subject: SimulatedSubject, warp_mm: float, mni: np.ndarray) -> np.ndarray:
    """Inverse of the subject's displacement: p with p + d(p) = `mni`, (n, 3) in mm."""
    mni = mni[:, None, None, :]  # as `displacement` takes grids
    position = mni
    for _ in range(N_ITERATIONS if warp_mm else 0):
        position = mni - displacement(subject, position, warp_mm)
    return position[:, 0, 0, :]


def _voxel_numbers(subject: SimulatedSubject, position: np.ndarray) -> np.ndarray:
    """Positions in mm, (n, 3), as voxel coordinates from 1, rounded; 9999 outside of the grid."""
    voxel = (position - grid_affine(subject)[:3, 3]) / subject.voxel_mm
    rounded = np.round(voxel / GRAIN) * GRAIN
    outside = ((rounded < 0) | (rounded > np.array(subject.shape) - 1)).any(axis=-1)
    return np.where(outside[:, None], NO_DATA, rounded + 1).astype(np.float32)


def _box_around(subject: SimulatedSubject, margin: float) -> tuple[slice, ...]:
    """The template's voxels that may lie in the grid once displaced, ending on the coarse grid."""
    low = grid_affine(subject)[:3, 3]
    high = low + (np.array(subject.shape) - 1) * subject.voxel_mm
    box = []
    for axis, n in enumerate(MNI_SHAPE):
        mm = np.arange(n) * MNI_AFFINE[axis, axis] + MNI_AFFINE[axis, 3]
        near = np.flatnonzero((mm >= low[axis] - margin) & (mm <= high[axis] + margin))
        steps = (len(near) - 1) // COARSE
        box.append(slice(int(near[0]), int(near[0]) + steps * COARSE + 1))
    return tuple(box)


def _template_mm(axes: Sequence[slice | range]) -> np.ndarray:
    """MNI mm of the template's voxels with these indices, (n_i, n_j, n_k, 3)."""
    numbers = [np.arange(a.start, a.stop, a.step or 1) for a in axes]
    index = np.stack(np.meshgrid(*numbers, indexing="ij"), axis=-1)
    return index * np.diag(MNI_AFFINE)[:3] + MNI_AFFINE[:3, 3]


def _refined(values: np.ndarray) -> np.ndarray:
    """Linear in between along the first three axes: n points become COARSE * (n - 1) + 1."""
    values = values.astype(np.float32)
    for axis in range(3):
        values = np.moveaxis(values, axis, 0)
        finer = np.empty((COARSE * (len(values) - 1) + 1, *values.shape[1:]), np.float32)
        finer[::COARSE] = values
        for k in range(1, COARSE):
            finer[k::COARSE] = (values[:-1] * (COARSE - k) + values[1:] * k) / COARSE
        values = np.moveaxis(finer, 0, axis)
    return values


def _layers() -> dict[tuple[str, str], np.ndarray]:
    """Hemisphere and layer → its vertices in the template, (10242, 3) in mm."""
    layers = {}
    for hemisphere, side in (("lh", "left"), ("rh", "right")):
        white, pial = (_mesh(f"{part}_{side}") for part in ("white", "pial"))
        for name, depth in DEPTHS.items():
            layers[hemisphere, name] = pial + depth * (white - pial)
    return layers


def _mesh(name: str) -> np.ndarray:
    """Vertices of nilearn's fsaverage5, (10242, 3) in mm; part of the package, no download."""
    from nilearn import datasets, surface  # slow to import, and only needed here

    return surface.load_surf_mesh(datasets.fetch_surf_fsaverage("fsaverage5")[name]).coordinates


def _write_mgz(path: Path, values: np.ndarray) -> None:
    with atomic_write(path) as temporary:
        nib.save(nib.MGHImage(values, np.eye(4)), temporary)
