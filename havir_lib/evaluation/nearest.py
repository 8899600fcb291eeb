"""The nearest item of a pool that may not fit into memory."""

from __future__ import annotations

import numpy as np

from havir_lib.evaluation.correlation import Rows, all_correlations

POOL_BLOCK = 512  # images whose tokens are in memory at once


def flat(array: np.ndarray) -> np.ndarray:
    """One float32 row per image."""
    return array.reshape(len(array), -1).astype("f4")


def similarity_to(queries: np.ndarray, pool: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Correlation of each query with each of some items of a pool.

    Parameters
    ----------
    queries : ndarray, shape (n, ...)
    pool : ndarray, shape (N, ...)
        May be memory-mapped; read in blocks.
    rows : ndarray of int, shape (m,)
        Which items.

    Returns
    -------
    ndarray, shape (n, m)
    """
    measured = Rows.of(flat(queries))
    blocks = np.array_split(rows, range(POOL_BLOCK, len(rows), POOL_BLOCK))
    return np.concatenate([all_correlations(measured, flat(pool[b])) for b in blocks], axis=1)


def nearest(queries: np.ndarray, pool: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which of `rows` is most like each query, ndarray of int (n,): positions in `rows`."""
    return similarity_to(queries, pool, rows).argmax(axis=1)
