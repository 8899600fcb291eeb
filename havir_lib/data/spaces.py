"""Brain maps that know which space they are in, so that none is drawn on another brain.

A subject's functional grid is its own (*native*); NSD's is not aligned with any template. Standard
spaces are the MNI152 template and FreeSurfer's average surfaces. :mod:`havir_lib.data.transforms`
brings maps from the first kind to the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from havir_lib.errors import ShapeError, SpaceError

MNI = "MNI152"
FSAVERAGE = {163_842: "fsaverage", 40_962: "fsaverage6", 10_242: "fsaverage5"}
"""Vertices of one hemisphere → FreeSurfer's average surface."""
VERTICES = {name: n for n, name in FSAVERAGE.items()}
COARSEST = "fsaverage5"
"""Whose mesh nilearn ships."""


def native_space(subject: str, grid: str) -> str:
    """Name of a subject's own space, e.g. ``"subj01 func1pt8mm"``."""
    return f"{subject} {grid}"


@dataclass(frozen=True, eq=False)
class VolumeMap:
    """A map on a voxel grid.

    Attributes
    ----------
    volume : ndarray, (X, Y, Z)
        NaN where there is no value.
    affine : ndarray, (4, 4)
        Voxel index → mm in `space`.
    space : str
        :data:`MNI` or a :func:`native_space`.
    """

    volume: np.ndarray
    affine: np.ndarray
    space: str

    def __post_init__(self) -> None:
        if np.ndim(self.volume) != 3 or np.shape(self.affine) != (4, 4):
            raise ShapeError(
                f"a volume map needs a volume (X, Y, Z) and an affine (4, 4), found "
                f"{np.shape(self.volume)} and {np.shape(self.affine)}"
            )


@dataclass(frozen=True, eq=False)
class SurfaceMap:
    """A map on both hemispheres of a surface.

    Attributes
    ----------
    left, right : ndarray, (n_vertices,)
        NaN where there is no value.
    space : str
        Which surface the vertices are of: a value of :data:`FSAVERAGE`, or the subject's own.
    """

    left: np.ndarray
    right: np.ndarray
    space: str

    def __post_init__(self) -> None:
        shapes = np.shape(self.left), np.shape(self.right)
        expected = VERTICES.get(self.space)
        if any(len(shape) != 1 or expected not in (None, *shape) for shape in shapes):
            raise ShapeError(
                f"a surface map in {self.space} needs {expected or 'n'} values per hemisphere, "
                f"found shapes {shapes}"
            )


def to_fsaverage5(full: SurfaceMap) -> SurfaceMap:
    """A map on an average surface, reduced to the 10,242 vertices of fsaverage5.

    FreeSurfer's average surfaces share their first vertices (each is the other's refinement, see
    nilearn's note on the order of vertices of its fsaverage templates), so nothing is resampled.
    """
    n = VERTICES[COARSEST]
    return SurfaceMap(full.left[:n], full.right[:n], COARSEST)


def require_space(found: VolumeMap | SurfaceMap, expected: str, use: str) -> None:
    """Raise :class:`SpaceError` unless a map is in the space that `use` needs.

    Parameters
    ----------
    found : VolumeMap or SurfaceMap
    expected : str
        Name of a space.
    use : str
        What the map was meant for, e.g. ``"a glass brain"``.
    """
    if found.space != expected:
        raise SpaceError(
            f"Expected a map in {expected} for {use}, but this one is in {found.space!r}, which "
            f"is not aligned with it. Bring it there first with "
            "havir_lib.data.transforms.volume_to_mni or volume_to_fsaverage5."
        )
