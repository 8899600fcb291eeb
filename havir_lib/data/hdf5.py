"""Opening HDF5 files with errors that name the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from havir_lib.errors import DataError

ANEW = "Copy or download it again (havir download, if it is NSD's), or make it anew."


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; no lock is asked for.

    Raises
    ------
    DataError
        If the file cannot be opened, or is damaged or truncated (also when that shows only on
        reading).
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except OSError as error:
        if error.errno is not None:
            raise DataError(f"{path}: cannot be read ({os.strerror(error.errno)}).") from error
        raise DataError(
            f"{path}: cannot be read as HDF5, it may be truncated ({error}). {ANEW}"
        ) from error


@contextmanager
def open_dataset(path: Path, name: str) -> Iterator[h5py.Dataset]:
    """Open one dataset of an HDF5 file for reading; errors as :func:`open_file`.

    Raises
    ------
    DataError
        Also if there is no dataset of this name.
    """
    with open_file(path) as file:
        if not isinstance(file.get(name), h5py.Dataset):
            raise DataError(f"{path}: expected the dataset {name!r}, found {sorted(file)}.")
        yield file[name]
