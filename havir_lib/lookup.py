"""Find images by their ids. What is not there is an error, never another image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from havir_lib.errors import DataError


def rows_of(
    ids: np.ndarray | Sequence[int],
    among: np.ndarray,
    what: str,
    advice: str = "",
    images: str = "images",
) -> np.ndarray:
    """Rows at which images stand in an array that has one row per image.

    Parameters
    ----------
    ids : ndarray of int (m,)
    among : ndarray of int (n,)
        The array's image ids.
    what, advice, images : str
        For the message: what the images should have, how to get it, which images they are.

    Returns
    -------
    ndarray of int (m,)

    Raises
    ------
    DataError
        If an image is not there, or the array has more than one row for an image.
    """
    ids, index = np.asarray(ids), pd.Index(among)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise DataError(f"Expected one row per image, found several {what} of image {twice}.")
    rows = index.get_indexer(ids)
    if (rows < 0).any():
        missing = ids[rows < 0]
        said = f"{len(missing)} of {len(ids)} {images} have no {what}, e.g. image {missing[0]}."
        raise DataError(f"{said} {advice}".rstrip())
    return rows
