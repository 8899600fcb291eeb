"""NIfTI volumes, held against the grid they belong to: geometry is compared in millimetres.

What lies at the same place in another order of axes is put in order; what lies elsewhere is
refused, and the error says which. A file that does not say where its voxels lie (neither sform nor
qform) is compared by its shape alone.
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import nibabel as nib
import numpy as np
from isal import igzip_threaded, isal_zlib
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

from havir_lib.data.hdf5 import ANEW
from havir_lib.errors import DataError, ShapeError, require_file

log = logging.getLogger(__name__)

DAMAGE = (
    OSError, EOFError, ValueError, zlib.error, isal_zlib.error, nib.filebasedimages.ImageFileError,
)  # fmt: skip
"""What reading a damaged image raises."""
NEAR = 0.6
"""Voxels that two grids may be apart and still be the same: origins are kept in several ways."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Where a subject's voxels lie.

    Attributes
    ----------
    shape : tuple of int
        (X, Y, Z).
    affine : ndarray (4, 4), or None
        Voxel indices to mm; None if no file says it.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray | None = None

    def describe(self) -> str:
        """Shape, orientation, size of a voxel and place of the first one, for messages."""
        if self.affine is None:
            return f"{self.shape}, place unknown"
        axes = "".join(nib.aff2axcodes(self.affine))
        sizes = " x ".join(f"{size:.2f}" for size in nib.affines.voxel_sizes(self.affine))
        first = ", ".join(f"{x:.1f}" for x in self.affine[:3, 3])
        return f"{self.shape} {axes}, voxels of {sizes} mm, the first at ({first}) mm"


@dataclass(frozen=True)
class Volume:
    """A NIfTI volume: values (X, Y, Z) and affine (4, 4), voxel to mm."""

    values: np.ndarray
    affine: np.ndarray


def inflated(path: Path) -> BinaryIO:
    """A file opened for reading from its start to its end; compressed ones inflate on the way.

    ISA-L inflates two to three times as fast as zlib, and in a thread of its own. The check sum is
    compared when the end is read.
    """
    if path.suffix in (".gz", ".mgz"):
        return igzip_threaded.open(path, "rb", threads=1)
    return path.open("rb")


def open_image(path: Path) -> nib.spatialimages.SpatialImage:
    """A NIfTI or MGH image whose header was read.

    Raises
    ------
    DataError
        If it cannot be.
    """
    try:
        return nib.load(path)
    except DAMAGE as error:
        raise DataError(f"{path}: cannot be read as NIfTI ({error}). {ANEW}") from None


def read_image(path: Path) -> tuple[np.ndarray, nib.spatialimages.SpatialImage]:
    """Values and image of a whole file; of a compressed one the check sum is compared, too.

    Raises
    ------
    DataError
        If it is damaged.
    """
    image = open_image(path)
    try:
        with inflated(path) as stream:
            whole = type(image).from_bytes(stream.read())
        return np.asanyarray(whole.dataobj), whole
    except DAMAGE as error:
        raise DataError(f"{path}: damaged or cut short ({error}). {ANEW}") from None


def affine_of(image: nib.spatialimages.SpatialImage) -> np.ndarray | None:
    """Voxel indices to mm, (4, 4); None if the file does not say it."""
    header = image.header
    if isinstance(header, nib.Nifti1Header) and not (header["sform_code"] or header["qform_code"]):
        return None
    return image.affine


def grid_of(path: Path) -> Grid:
    """The grid of an image file, from its header."""
    image = open_image(path)
    return Grid(tuple(int(n) for n in image.shape[:3]), affine_of(image))


def read_volume(path: Path, what: str, grid: Grid | None = None) -> Volume:
    """Read a 3D NIfTI, in the order of a grid's axes.

    Parameters
    ----------
    path : Path
    what : str
        For messages, e.g. ``"ROI set floc-faces of subj01"``.
    grid : Grid, optional
        What it must lie on.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    ShapeError
        If it lies elsewhere than `grid`.
    """
    require_file(path, what, ANEW)
    values, image = read_image(path)
    affine = affine_of(image)
    if grid is None:
        return Volume(values, image.affine)
    if values.ndim != 3:
        raise ShapeError(f"{path}: expected {what} as (X, Y, Z), found shape {values.shape}.")
    if affine is None or grid.affine is None:
        if values.shape != grid.shape:
            raise _elsewhere(path, what, Grid(values.shape, affine), grid)
        return Volume(values, image.affine if grid.affine is None else grid.affine)
    return Volume(_on_grid(path, what, values, affine, grid), grid.affine)


def _on_grid(
    path: Path, what: str, values: np.ndarray, affine: np.ndarray, grid: Grid
) -> np.ndarray:
    into = np.linalg.inv(grid.affine) @ affine  # indices of the file to indices of the grid
    order = io_orientation(into)
    turned = apply_orientation(values, order) if not np.isnan(order).any() else values
    rest = into @ inv_ornt_aff(order, values.shape) if not np.isnan(order).any() else into
    if turned.shape != grid.shape or _apart(rest, grid.shape) > NEAR:
        raise _elsewhere(path, what, Grid(values.shape, affine), grid)
    if turned.shape != values.shape or not np.array_equal(order, io_orientation(np.eye(4))):
        log.info("%s: stored in another order of axes than the betas; put in theirs", path.name)
    return turned


def indices_in(path: Path, found: Grid, ijk: np.ndarray, grid: Grid) -> np.ndarray:
    """Indices of a grid's voxels in a file that may have its axes in another order, (V, 3).

    Raises
    ------
    ShapeError
        If the file lies elsewhere than the grid.
    """
    if found.affine is None or grid.affine is None:
        if found.shape != grid.shape:
            raise _elsewhere(path, "a session of betas", found, grid)
        return ijk
    into = np.linalg.inv(found.affine) @ grid.affine
    corners = _corners(grid.shape)
    inside = nib.affines.apply_affine(into, corners)
    step = np.abs(np.rint(into[:3, :3]))
    whole = np.array_equal(step.sum(0), [1, 1, 1]) and np.array_equal(step.sum(1), [1, 1, 1])
    stretched = np.abs(into[:3, :3] - np.rint(into[:3, :3])) @ np.array(grid.shape)
    sizes = tuple(int(n) for n in step @ np.array(grid.shape))
    far = np.abs(inside - np.clip(inside, 0, np.array(found.shape) - 1)).max()
    if not whole or stretched.max() > NEAR or sizes != found.shape or far > NEAR:
        raise _elsewhere(path, "a session of betas", found, grid)
    limits = np.array(found.shape) - 1
    return np.clip(np.rint(nib.affines.apply_affine(into, ijk)), 0, limits).astype(np.int64)


def _apart(into: np.ndarray, shape: tuple[int, ...]) -> float:
    """How far, in voxels, a map from a grid to itself moves a corner at most."""
    corners = _corners(shape)
    return float(np.abs(nib.affines.apply_affine(into, corners) - corners).max())


def _corners(shape: tuple[int, ...]) -> np.ndarray:
    return np.array(np.meshgrid(*([0, n - 1] for n in shape))).reshape(3, -1).T.astype(float)


def _elsewhere(path: Path, what: str, found: Grid, grid: Grid) -> ShapeError:
    return ShapeError(
        f"{path}: {what} lies elsewhere than the betas: expected {grid.describe()}, found "
        f"{found.describe()}. Masks and betas must be on one grid (data.space); resample with "
        "nearest neighbours, or give the file that belongs to them."
    )
