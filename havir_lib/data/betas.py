"""Single-trial betas of chosen voxels, from HDF5 or NIfTI, in one explicit order.

NSD stores a session twice with opposite axis orders: NIfTI is (X, Y, Z, trials), while the HDF5
dataset ``betas`` is (trials, Z, Y, X) as h5py sees it. Flattening a mask would give each its own
voxel order, so voxels are always named by their indices ``ijk`` into (X, Y, Z).

NSD's values are int16, 300 times the percent signal change; floating point files (NSD's surface
data, other data sets) are in their final unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from havir_lib.data.hdf5 import ANEW, open_file
from havir_lib.data.nifti import DAMAGE, Grid, affine_of, indices_in, inflated, open_image
from havir_lib.errors import DataError, ShapeError

PERCENT_PER_COUNT = 1 / 300  # NSD manual, "Betas": stored = 300 * percent signal change
ALLOWED_TYPES = ("int16", "float32", "float64")
HDF5 = (".hdf5", ".h5")
TRIALS_FIRST = {"betas": True, "modelmd": True, "betasmd": False}
"""Dataset → whether h5py sees (trials, Z, Y, X): NSD's, GLMsingle's of MATLAB and of Python."""
BLOCK_BYTES = 4 * 2**20  # of a NIfTI stream held in memory at once: what a cache holds


@dataclass(frozen=True, eq=False)
class BetasHeader:
    """What a file of betas holds.

    Attributes
    ----------
    shape : tuple of int
        Grid (X, Y, Z).
    n_trials : int
    dtype : numpy dtype
    affine : ndarray (4, 4), or None
        Voxel indices to mm; None if the file does not say it, as HDF5.
    """

    shape: tuple[int, int, int]
    n_trials: int
    dtype: np.dtype
    affine: np.ndarray | None = None

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return Grid(self.shape, self.affine)

    @property
    def unit(self) -> float:
        """Factor from stored values to the file's unit (% signal change for NSD)."""
        return PERCENT_PER_COUNT if self.dtype.kind == "i" else 1.0


def read_header(path: Path) -> BetasHeader:
    """Grid, number of trials and type of a session's betas; the values are not read.

    Raises
    ------
    DataError
        If the file is damaged or truncated, has no ``betas``, or has another type or rank.
    """
    if path.suffix in HDF5:
        with _betas_of(path) as (dataset, trials_first):
            shape = dataset.shape[::-1] if trials_first else dataset.shape
            return _header(path, shape, dataset.dtype)
    image = open_image(path)
    return _header(path, image.shape, image.get_data_dtype(), affine_of(image))


def read_betas(path: Path, ijk: np.ndarray, grid: Grid | None = None) -> np.ndarray:
    """Stored values of some voxels, all trials of a session.

    Parameters
    ----------
    path : Path
        ``.hdf5`` or ``.nii.gz`` / ``.nii``.
    ijk : ndarray of int, (V, 3)
        Voxel indices into (X, Y, Z), in any order.
    grid : Grid, optional
        Of which `ijk` are indices; the file may have its axes in another order.

    Returns
    -------
    ndarray, (n_trials, V)
        In the file's type, columns in the order of `ijk`; times ``read_header(path).unit`` they
        are % signal change.

    Raises
    ------
    DataError
        If the file is damaged or truncated, or not in the expected form.
    ShapeError
        If a voxel lies outside the file's grid, or the file lies elsewhere than `grid`.
    """
    header = read_header(path)
    ijk = np.asarray(ijk)
    if grid is not None:
        ijk = indices_in(path, header.grid, ijk, grid)
    if ijk.ndim != 2 or ijk.shape[1] != 3 or (ijk < 0).any() or (ijk >= header.shape).any():
        raise ShapeError(
            f"{path}: expected voxel indices (V, 3) inside the grid {header.shape}, "
            f"found {ijk.shape} with maximum {ijk.max(axis=0).tolist() if ijk.size else []}."
        )
    if path.suffix in HDF5:
        with _betas_of(path) as (dataset, trials_first):
            return _read_hdf5(dataset, ijk) if trials_first else _read_voxels(dataset, ijk)
    return _read_nifti(path, header, ijk)


def _header(
    path: Path, shape: tuple[int, ...], dtype: np.dtype, affine: np.ndarray | None = None
) -> BetasHeader:
    if len(shape) != 4:
        raise DataError(f"{path}: expected four axes (X, Y, Z, trials), found shape {shape}.")
    if dtype.name not in ALLOWED_TYPES:
        raise DataError(f"{path}: expected values of type {ALLOWED_TYPES}, found {dtype.name}.")
    x, y, z, n_trials = (int(size) for size in shape)
    return BetasHeader((x, y, z), n_trials, dtype, affine)


@contextmanager
def _betas_of(path: Path) -> Iterator[tuple[h5py.Dataset, bool]]:
    """The dataset of betas, and whether its axes are (trials, Z, Y, X) rather than reversed."""
    with open_file(path) as file:
        found = [name for name in TRIALS_FIRST if isinstance(file.get(name), h5py.Dataset)]
        if not found:
            raise DataError(
                f"{path}: expected the dataset 'betas' (NSD), 'betasmd' or 'modelmd' (GLMsingle), "
                f"found {sorted(file)}."
            )
        yield file[found[0]], TRIALS_FIRST[found[0]]


def _read_voxels(dataset: h5py.Dataset, ijk: np.ndarray) -> np.ndarray:
    """Of axes (X, Y, Z, trials), a slab of X at a time."""
    values = np.empty((dataset.shape[-1], len(ijk)), dtype=dataset.dtype.newbyteorder("="))
    for x in np.unique(ijk[:, 0]).tolist():
        voxels = np.flatnonzero(ijk[:, 0] == x)
        slab = dataset[x]  # (Y, Z, trials)
        values[:, voxels] = slab[ijk[voxels, 1], ijk[voxels, 2]].T
    return values


def _read_hdf5(dataset: h5py.Dataset, ijk: np.ndarray) -> np.ndarray:
    # NSD stores one voxel's trials as one chunk. Taking these chunks as they lie costs 11 µs per
    # voxel (warm cache, 12,000 voxels of a 1 GB session); slabs of a row 18 µs and up, a lookup of
    # all byte offsets first 170 µs, and any read by trial touches every chunk of the file.
    one_chunk_per_voxel = dataset.chunks == (len(dataset), 1, 1, 1)
    unfiltered = dataset.id.get_create_plist().get_nfilters() == 0
    if one_chunk_per_voxel and unfiltered and dataset.dtype.isnative:
        return _read_chunks(dataset, ijk)
    return _read_rows(dataset, ijk)


def _read_chunks(dataset: h5py.Dataset, ijk: np.ndarray) -> np.ndarray:
    values = np.empty((len(ijk), len(dataset)), dtype=dataset.dtype)
    raw = values.view(np.uint8)
    in_file_order = np.lexsort(ijk.T)  # by z, then y, then x
    for voxel in in_file_order.tolist():
        x, y, z = ijk[voxel].tolist()
        try:
            dataset.id.read_direct_chunk((0, z, y, x), out=raw[voxel])
        except (OSError, RuntimeError):  # never written, so HDF5 holds its fill value; or damaged
            values[voxel] = dataset[:, z, y, x]
    return np.ascontiguousarray(values.T)


def _read_rows(dataset: h5py.Dataset, ijk: np.ndarray) -> np.ndarray:
    values = np.empty((len(dataset), len(ijk)), dtype=dataset.dtype.newbyteorder("="))
    for y, z in np.unique(ijk[:, 1:], axis=0).tolist():
        voxels = np.flatnonzero((ijk[:, 1] == y) & (ijk[:, 2] == z))
        x = ijk[voxels, 0]
        row = dataset[:, z, y, x.min() : x.max() + 1]
        values[:, voxels] = row[:, x - x.min()]
    return values


def _read_nifti(path: Path, header: BetasHeader, ijk: np.ndarray) -> np.ndarray:
    # The compressed stream must be read from end to end, but a few volumes at a time are enough: a
    # whole float session would take 4 GB. It is inflated in a thread of its own.
    proxy = open_image(path).dataobj
    if (proxy.slope, proxy.inter) != (1, 0):
        raise DataError(
            f"{path}: expected unscaled values, found scale {proxy.slope}, offset {proxy.inter}."
        )
    n_voxels = int(np.prod(header.shape))
    voxels = np.ravel_multi_index(ijk.T, header.shape, order="F")
    values = np.empty((header.n_trials, len(ijk)), dtype=header.dtype)
    block = max(1, BLOCK_BYTES // (n_voxels * header.dtype.itemsize))
    volumes = np.empty((min(block, header.n_trials), n_voxels), dtype=header.dtype)
    try:
        with inflated(path) as stream:
            stream.read(proxy.offset)
            for start in range(0, header.n_trials, block):
                rows = values[start : start + block]
                _fill(volumes[: len(rows)], stream)
                np.take(volumes[: len(rows)], voxels, axis=1, out=rows, mode="clip")
            if stream.read(1 << 16):  # to the end, where a compressed file has its check sum
                raise ValueError("it holds more than its header says")
    except DAMAGE as error:
        raise DataError(f"{path}: truncated or damaged ({error}). {ANEW}") from None
    return values.astype(header.dtype.newbyteorder("="), copy=False)


def _fill(array: np.ndarray, stream: BinaryIO) -> None:
    """Read as many bytes as an array has."""
    rest = memoryview(array).cast("B")
    while rest:
        n = stream.readinto(rest)
        if not n:
            raise EOFError(f"it ends {len(rest):,} bytes too early")
        rest = rest[n:]
