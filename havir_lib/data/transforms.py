"""From a subject's own grid to standard spaces, with the coordinates that come with the data.

NSD's transforms are not matrices but lookups (``nsddata/ppdata/subjXX/transforms``): a file
``A-to-B`` holds, for each place of B, where it lies in A.

- ``func1pt8-to-MNI.nii.gz`` (182, 218, 182, 3): for each voxel of FSL's 1 mm MNI152 template, its
  coordinates in the functional grid. The array runs as the template's own file does, from right to
  left along x; its header says otherwise and is ignored here as it is in NSD's own code.
- ``{lh,rh}.func1pt8-to-layerB{1,2,3}.mgz`` (V, 1, 1, 3): the same for each vertex of the subject's
  own surface at 25, 50 and 75 % of the cortex's depth.
- ``{lh,rh}.white-to-fsaverage.mgz`` (163842, 1, 1): for each vertex of fsaverage the nearest vertex
  of the subject's own surface.

Coordinates and vertex numbers count from 1; 9999 means that there is no data.

Sources: cvnlab/nsddatapaper ``main/preprocess_nsd_calculatetransformations.m`` (which writes these
files), cvnlab/nsdcode ``nsdcode/transform_data.py`` and ``matlab/nsd_mapdata.m`` (which apply
them), and the NSD data manual, "Spaces for imaging data".
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from scipy.ndimage import map_coordinates

from havir_lib.data.anatomy import Anatomy
from havir_lib.data.layout import GET_DATA
from havir_lib.data.nifti import read_image
from havir_lib.data.spaces import (
    FSAVERAGE,
    MNI,
    SurfaceMap,
    VolumeMap,
    require_space,
    to_fsaverage5,
)
from havir_lib.errors import DataError, ShapeError, require_file

NO_DATA = 9999
MNI_SHAPE = (182, 218, 182)
MNI_AFFINE = np.array([[-1.0, 0, 0, 90], [0, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1]])
"""Of FSL's MNI152_T1_1mm: x runs from right to left, and 0 mm lies at voxel (90, 126, 72)."""
LEAST_SUPPORT = 0.5
"""Share of its interpolation weight that must lie on voxels with a value, or a place gets none."""
Method = Literal["linear", "nearest"]


def load_coordinates(path: Path, step: int = 1) -> np.ndarray:
    """Read a lookup of coordinates, ``.nii.gz`` or ``.mgz``.

    Parameters
    ----------
    path : Path
    step : int
        Keep only each `step`-th place along the first three axes.

    Returns
    -------
    ndarray, (..., 3) float32
        Voxel coordinates from 0; NaN where there is no data.

    Raises
    ------
    DataError
        If the file is missing, damaged, or does not hold three coordinates per place.
    """
    values = _read(path, "Transform")
    if values.ndim != 4 or values.shape[-1] != 3:
        raise DataError(f"{path}: expected coordinates (..., 3), found shape {values.shape}.")
    coordinates = values[::step, ::step, ::step].astype(np.float32)
    coordinates[(coordinates == NO_DATA).any(axis=-1)] = np.nan
    coordinates -= 1
    return coordinates.reshape(-1, 3) if path.suffix == ".mgz" else coordinates


def load_vertices(path: Path, n_source: int) -> np.ndarray:
    """Read a lookup of vertex numbers.

    Parameters
    ----------
    path : Path
    n_source : int
        Vertices of the surface that the numbers refer to.

    Returns
    -------
    ndarray of int, (n_target,)
        From 0.

    Raises
    ------
    DataError
        If the file is missing or damaged, or a number is no vertex of the source.
    """
    values = _read(path, "Transform").reshape(-1)
    vertices = values.astype(np.int64) - 1
    wrong = (vertices < 0) | (vertices >= n_source) | (vertices + 1 != values)
    if wrong.any():
        raise DataError(
            f"{path}: expected vertex numbers 1 to {n_source}, found {int(wrong.sum())} others, "
            f"e.g. {values[wrong][0]}. {GET_DATA}"
        )
    return vertices


def interpolate(
    volume: np.ndarray, coordinates: np.ndarray, method: Method = "linear"
) -> np.ndarray:
    """Values of a volume at fractional voxel coordinates.

    Linear interpolation weighs only voxels that have a value (are not NaN), so that a map which
    ends at a region's border is not pulled to zero there. Where all voxels have a value this is
    plain trilinear interpolation, as nsdcode's ``interptype="linear"``.

    Parameters
    ----------
    volume : ndarray, (X, Y, Z)
    coordinates : ndarray, (..., 3)
        From 0; NaN gives NaN.
    method : {"linear", "nearest"}
        Nearest for labels.

    Returns
    -------
    ndarray, (...) float32
        NaN outside of the grid, and where less than half of the weight lies on values.
    """
    limits = np.array(np.shape(volume)) - 1
    flat = np.reshape(coordinates, (-1, 3))
    inside = ((flat >= 0) & (flat <= limits)).all(axis=1)  # also False for NaN
    places = flat[inside].T.astype(np.float64)
    known = np.isfinite(volume)
    filled = np.where(known, volume, 0).astype(np.float64)
    result = np.full(len(flat), np.nan, dtype=np.float32)
    options = {"order": 0 if method == "nearest" else 1, "mode": "nearest"}
    support = map_coordinates(known.astype(np.float64), places, **options)
    values = map_coordinates(filled, places, **options)
    enough = support >= LEAST_SUPPORT
    found = np.divide(values, support, out=np.full_like(values, np.nan), where=enough)
    result[inside] = found
    return result.reshape(coordinates.shape[:-1])


def volume_to_mni(
    anatomy: Anatomy, native: VolumeMap, *, step: int = 1, method: Method = "linear"
) -> VolumeMap:
    """A subject's map in MNI space.

    Parameters
    ----------
    anatomy : Anatomy
        The subject's.
    native : VolumeMap
        In the subject's own space.
    step : int
        Take only each `step`-th voxel of the 1 mm template along each axis.
    method : {"linear", "nearest"}

    Raises
    ------
    SpaceError
        If the map is not in this subject's space.
    DataError
        If the transform is missing or damaged.
    """
    require_space(native, anatomy.space, f"the transform of {anatomy.subject}")
    path = anatomy.to_mni
    coordinates = load_coordinates(path, step)
    expected = tuple(len(range(0, n, step)) for n in MNI_SHAPE)
    if coordinates.shape[:3] != expected:
        raise DataError(
            f"{path}: expected the grid {MNI_SHAPE} of FSL's 1 mm MNI152 template, but every "
            f"{step}. voxel of it gives {coordinates.shape[:3]} instead of {expected}."
        )
    _check_grid(path, coordinates, native)
    values = interpolate(native.volume, coordinates, method)
    return VolumeMap(values, MNI_AFFINE @ np.diag([step, step, step, 1.0]), MNI)


def volume_to_fsaverage(
    anatomy: Anatomy, native: VolumeMap, *, method: Method = "linear"
) -> SurfaceMap:
    """A subject's map on FreeSurfer's average surface, as fine as the transform files are.

    The volume is sampled at each depth of the subject's own cortex, averaged over the depths that
    have a value (labels: the first that has one, from the middle), and carried to the average
    surface vertex by vertex.

    Parameters
    ----------
    anatomy, native, method
        As for :func:`volume_to_mni`.

    Returns
    -------
    SurfaceMap
        On ``fsaverage`` (163,842 vertices) with NSD's files.
    """
    require_space(native, anatomy.space, f"the transform of {anatomy.subject}")
    sides = []
    for hemisphere, path in anatomy.to_fsaverage.items():
        layers = []
        for (side, _), layer in anatomy.to_layers.items():
            if side != hemisphere:
                continue
            coordinates = load_coordinates(layer)  # (n_own_vertices, 3)
            _check_grid(layer, coordinates, native)
            layers.append(interpolate(native.volume, coordinates, method))
        own = _across_depths(np.stack(layers), method)  # (n_own_vertices,)
        vertices = load_vertices(path, len(own))
        if len(vertices) not in FSAVERAGE:
            raise DataError(
                f"{path}: {len(vertices)} vertices; FreeSurfer's average surfaces have "
                f"{sorted(FSAVERAGE)}."
            )
        sides.append(own[vertices])
    return SurfaceMap(sides[0], sides[1], FSAVERAGE[len(sides[0])])


def volume_to_fsaverage5(anatomy: Anatomy, native: VolumeMap, **options) -> SurfaceMap:
    """:func:`volume_to_fsaverage`, reduced to the vertices whose mesh nilearn ships."""
    return to_fsaverage5(volume_to_fsaverage(anatomy, native, **options))


def on_fsaverage5(anatomy: Anatomy, native: VolumeMap, **options) -> SurfaceMap:
    """A subject's map on fsaverage5, whether its betas lie in a volume or on an average surface."""
    if anatomy.surface is not None:
        return to_fsaverage5(anatomy.surface.map(native.volume))
    return volume_to_fsaverage5(anatomy, native, **options)


def _across_depths(layers: np.ndarray, method: Method) -> np.ndarray:
    """(n_depths, V) → (V,)."""
    if method == "nearest":
        from_middle = np.argsort(np.abs(np.arange(len(layers)) - len(layers) // 2), kind="stable")
        result = layers[from_middle[0]].copy()
        for layer in layers[from_middle[1:]]:
            result = np.where(np.isnan(result), layer, result)
        return result
    known = np.isfinite(layers)
    total = np.where(known, layers, 0).sum(axis=0)
    n = known.sum(axis=0)
    return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)


def _check_grid(path: Path, coordinates: np.ndarray, native: VolumeMap) -> None:
    """Some coordinates must lie in the map's grid, or the file belongs to another grid."""
    limits = np.array(native.volume.shape) - 1
    flat = coordinates.reshape(-1, 3)
    if not ((flat >= 0) & (flat <= limits)).all(axis=1).any():
        raise ShapeError(
            f"{path}: none of its coordinates lies in the grid {native.volume.shape} of the map; "
            f"they reach from {np.nanmin(flat, axis=0)} to {np.nanmax(flat, axis=0)}."
        )


def _read(path: Path, what: str) -> np.ndarray:
    require_file(path, what, GET_DATA)
    try:
        return np.asarray(read_image(path)[0])
    except Exception as error:  # nibabel, gzip and zlib raise many kinds on damaged files
        raise DataError(f"{path}: cannot be read ({error}). {GET_DATA}") from None
