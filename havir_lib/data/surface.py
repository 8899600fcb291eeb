"""Arrays on the vertices of a cortical surface: a file per hemisphere, left before right.

A subject on a surface has a grid (n_left + n_right, 1, 1), whose first n_left places are the
vertices of the left hemisphere. Files are GIFTI (an array per column, or one with columns) or
FreeSurfer's ``.mgh`` and ``.mgz`` (n, 1, 1) or (n, 1, 1, columns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from havir_lib.data.hdf5 import ANEW
from havir_lib.data.nifti import open_image, read_image
from havir_lib.data.spaces import VERTICES, SurfaceMap
from havir_lib.errors import DataError, ShapeError, require_file
from havir_lib.io import atomic_write

SIDES = ("L", "R")
GIFTI = ".gii"
KINDS = (".func.gii", ".shape.gii", ".label.gii", GIFTI, ".mgz", ".mgh")
OWN = "own"
SPACES = (*VERTICES, OWN)
Pair = tuple[Path, Path]


@dataclass(frozen=True)
class Surface:
    """Which surface vertices are of.

    Attributes
    ----------
    space : str
        One of :data:`SPACES`.
    n_left, n_right : int
        Vertices of each hemisphere.
    """

    space: str
    n_left: int
    n_right: int

    @property
    def is_average(self) -> bool:
        """Whether it is one of FreeSurfer's average surfaces."""
        return self.space != OWN

    def check(self, path: Path) -> None:
        """Raise :class:`ShapeError` if an average surface has another number of vertices."""
        expected = VERTICES.get(self.space)
        if expected not in (None, self.n_left) or expected not in (None, self.n_right):
            raise ShapeError(
                f"{path}: expected the {expected:,} vertices of a hemisphere of {self.space}, "
                f"found {self.n_left:,} and {self.n_right:,}. dataset.json names the surface."
            )

    def map(self, values: np.ndarray) -> SurfaceMap:
        """A value per vertex, of any shape that is in their order, as a map."""
        return SurfaceMap(
            *np.split(np.asarray(values, dtype=float).ravel(), [self.n_left]), self.space
        )


def pair_of(folder: Path, name: str) -> Pair | None:
    """Both hemispheres' files of a name that has ``{side}`` in it; None if neither is there.

    Raises
    ------
    DataError
        If one of them is missing.
    """
    for kind in KINDS:
        left, right = (folder / (name.replace("{side}", side) + kind) for side in SIDES)
        if left.is_file() and right.is_file():
            return left, right
        if left.is_file() or right.is_file():
            here, lost = (left, right) if left.is_file() else (right, left)
            raise DataError(f"{lost}: expected the other hemisphere of {here.name}, found none.")
    return None


def pair_beside(left: Path) -> Pair:
    """A left hemisphere's file and its partner: ``hemi-L`` in one name, ``hemi-R`` in the other.

    Raises
    ------
    DataError
        If its name does not say that it is the left one's.
    """
    left = Path(left)
    right = left.with_name(left.name.replace("hemi-L", "hemi-R"))
    if right == left:
        raise DataError(
            f"{left}: expected the left hemisphere's file, with hemi-L in its name and the right "
            "one's beside it."
        )
    return left, right


def read_side(path: Path, what: str) -> np.ndarray:
    """Values (n_vertices, columns) of one hemisphere.

    Raises
    ------
    DataError
        If the file is missing, damaged, or a volume.
    """
    require_file(path, what, ANEW)
    if path.name.endswith(GIFTI):
        return _read_gifti(path)
    values, _ = read_image(path)
    _check_vertices(path, values.shape)
    return values.reshape(len(values), -1)


def _read_gifti(path: Path) -> np.ndarray:
    try:
        columns = [np.asarray(array.data) for array in nib.load(path).darrays]
        return columns[0] if columns[0].ndim == 2 else np.stack(columns, axis=1)
    except Exception as error:  # XML, base64, zlib and nibabel raise many kinds on damaged files
        raise DataError(f"{path}: damaged, or no GIFTI of values ({error!r}). {ANEW}") from None


def _check_vertices(path: Path, shape: Sequence[int]) -> None:
    if len(shape) not in (3, 4) or tuple(shape[1:3]) != (1, 1):
        raise DataError(
            f"{path}: expected values on vertices, (n, 1, 1) or (n, 1, 1, columns), found "
            f"{tuple(shape)}: a volume. Without `surface` in dataset.json, volumes are read."
        )


def shape_of(path: Path) -> tuple[int, int, np.dtype]:
    """Vertices, columns and type of one hemisphere's file."""
    if path.name.endswith(GIFTI):
        values = read_side(path, "Betas")
        return *values.shape, values.dtype
    image = open_image(path)
    _check_vertices(path, image.shape)
    columns = image.shape[3] if len(image.shape) == 4 else 1
    return image.shape[0], columns, image.get_data_dtype()


def read_pair(pair: Pair, what: str, surface: Surface) -> np.ndarray:
    """Values (n_left + n_right, columns) of both hemispheres.

    Raises
    ------
    ShapeError
        If they are of another surface, or of unequal columns.
    """
    sides = [read_side(path, what) for path in pair]
    for path, values, n in zip(pair, sides, (surface.n_left, surface.n_right), strict=True):
        if len(values) != n:
            raise ShapeError(
                f"{path}: expected the {n:,} vertices that the subject has, found {len(values):,}."
            )
    if sides[0].shape[1] != sides[1].shape[1]:
        raise ShapeError(
            f"{pair[1]}: expected {sides[0].shape[1]} columns as {pair[0].name} has, found "
            f"{sides[1].shape[1]}."
        )
    return np.concatenate(sides)


def write_side(path: Path, values: np.ndarray) -> None:
    """Write one value per vertex (n,) as GIFTI."""
    array = nib.gifti.GiftiDataArray(np.asarray(values, np.float32), "NIFTI_INTENT_SHAPE")
    with atomic_write(path) as temporary:
        nib.save(nib.GiftiImage(darrays=[array]), temporary)
