"""Where the areas of one simulated subject lie.

A subject's brain is the template seen through a smooth random displacement: the voxel at world
position p shows what the template has at p + d(p). With no displacement the subject is the
template. Grids cover the occipital and temporal lobes only, so that coarse voxels can be few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from havir_lib.config import SimulatedSubject
from havir_lib.simulation.atlas import N_CORTICAL, Atlas, load_atlas
from havir_lib.simulation.regions import ROI_SETS, Part

VIEW_CENTRE = np.array([0.0, -54.0, 4.0])
"""MNI position (mm) of the middle of every grid: between the occipital and the temporal poles."""
MARGIN = 1
"""Outermost voxels of every grid that hold no brain."""
WARP_SMOOTHNESS = 18.0
"""SD (mm) of the Gaussian that smooths the displacement; well above `warp_mm`, or areas fold."""
LATTICE, LATTICE_MM = (40, 44, 40), 6.0
"""Points and spacing (mm) of the lattice on which displacements are drawn; it covers the head."""
GREY_THRESHOLD = 0.2
"""Grey-matter probability from which a voxel counts as cortex (nilearn's own default)."""


@dataclass(frozen=True)
class Anatomy:
    """Areas on a subject's voxel grid (X, Y, Z).

    Attributes
    ----------
    affine : ndarray (4, 4)
        Voxel index (i, j, k) to MNI mm; exact for the unwarped template, and for a subject only
        up to its displacement, as after an affine registration.
    template_mm : ndarray (X, Y, Z, 3)
        Where in the template each voxel's tissue belongs.
    area : ndarray (X, Y, Z) of int16
        HCP-MMP1 label 1..180 whatever the hemisphere, 0 outside cortex.
    side : ndarray (X, Y, Z) of int8
        -1 left, 1 right, 0 outside cortex.
    brain : ndarray (X, Y, Z) of bool
    t1 : ndarray (X, Y, Z) of float32
        T1-weighted picture, 0 to 1.
    """

    affine: np.ndarray
    template_mm: np.ndarray
    area: np.ndarray
    side: np.ndarray
    brain: np.ndarray
    t1: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.area.shape

    @property
    def cortex(self) -> np.ndarray:
        """bool (X, Y, Z)."""
        return self.area > 0


def make_anatomy(subject: SimulatedSubject, warp_mm: float) -> Anatomy:
    """Place the template's areas on a subject's grid.

    Parameters
    ----------
    subject : SimulatedSubject
        Grid, voxel size and seed.
    warp_mm : float
        SD of the displacement along each axis; 0 gives the template on that grid.
    """
    affine = grid_affine(subject)
    index = np.stack(np.meshgrid(*map(np.arange, subject.shape), indexing="ij"), axis=-1)
    world = index * subject.voxel_mm + affine[:3, 3]
    position = world + displacement(subject, world, warp_mm)
    atlas = load_atlas()
    seen = _off_the_edge(subject.shape)
    area, side = (values * seen for values in _areas(atlas, position))
    brain = (atlas.brain.sample(position, order=0) > 0) & seen
    t1 = atlas.t1.sample(position, order=1).astype(np.float32)
    return Anatomy(affine, position, area, side, brain | (area > 0), t1)


def _off_the_edge(shape: tuple[int, int, int]) -> np.ndarray:
    """False in the outermost voxels of a grid: `MARGIN` of them hold no brain."""
    inner = np.zeros(shape, dtype=bool)
    inner[(slice(MARGIN, -MARGIN),) * 3] = True
    return inner


def grid_affine(subject: SimulatedSubject) -> np.ndarray:
    """Voxel index to MNI mm, (4, 4), RAS+; the grid's middle is at `VIEW_CENTRE`."""
    affine = np.diag([subject.voxel_mm] * 3 + [1.0])
    half = (np.array(subject.shape) - 1) / 2
    affine[:3, 3] = VIEW_CENTRE - half * subject.voxel_mm
    return affine


def displacement(subject: SimulatedSubject, world: np.ndarray, warp_mm: float) -> np.ndarray:
    """Smooth random displacement at `world` (mm), same shape, with SD `warp_mm` along each axis."""
    rng = np.random.default_rng([subject.seed, 1])
    noise = rng.standard_normal((3, *LATTICE))
    smooth = [gaussian_filter(n, WARP_SMOOTHNESS / LATTICE_MM, mode="wrap") for n in noise]
    where = np.moveaxis(world / LATTICE_MM, -1, 0) + np.reshape(LATTICE, (3, 1, 1, 1)) / 2
    shifts = [map_coordinates(f / f.std(), where, order=1, mode="grid-wrap") for f in smooth]
    return warp_mm * np.stack(shifts, axis=-1)


def _areas(atlas: Atlas, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    label = atlas.labels.sample(position, order=0)
    grey = atlas.grey.sample(position, order=1) >= GREY_THRESHOLD
    cortex = grey & (label > 0) & (label <= N_CORTICAL)
    half = N_CORTICAL // 2
    area = np.where(cortex, (label - 1) % half + 1, 0).astype(np.int16)
    side = np.where(cortex, np.where(label > half, 1, -1), 0).astype(np.int8)
    return area, side


def roi_volume(anatomy: Anatomy, roi_set: str) -> np.ndarray:
    """A region set as NSD writes it.

    Returns
    -------
    ndarray (X, Y, Z) of int16
        -1 outside cortex, 0 cortex without a label, 1.. the labels of `ROI_SETS` in order.
    """
    volume = np.where(anatomy.cortex, 0, -1).astype(np.int16)
    for number, parts in enumerate(ROI_SETS[roi_set].values(), start=1):
        for part in parts:
            volume[in_part(anatomy, part) & (volume <= 0)] = number
    return volume


def in_part(anatomy: Anatomy, part: Part) -> np.ndarray:
    """bool (X, Y, Z): the voxels of a part."""
    numbers = load_atlas().numbers
    inside = np.isin(anatomy.area, [numbers[name] for name in part.areas])
    inside &= np.isin(anatomy.side, part.sides)
    x, y, z = np.moveaxis(anatomy.template_mm, -1, 0)
    for value, (low, high) in ((np.abs(x), part.x), (y, part.y), (z, part.z)):
        inside &= (value >= low) & (value < high)
    if part.half:
        above = height_above_calcarine(anatomy) >= 0
        inside &= above if part.half == "dorsal" else ~above
    return inside


def height_above_calcarine(anatomy: Anatomy) -> np.ndarray:
    """How far (mm) above the middle line of V1 each voxel's tissue belongs, (X, Y, Z)."""
    _, y, z = np.moveaxis(anatomy.template_mm, -1, 0)
    lines = load_atlas().calcarine
    slope = np.where(anatomy.side < 0, lines[-1][0], lines[1][0])
    intercept = np.where(anatomy.side < 0, lines[-1][1], lines[1][1])
    return z - (slope * y + intercept)
