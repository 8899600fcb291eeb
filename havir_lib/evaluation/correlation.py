"""Pearson correlations of many long feature vectors, in double precision and little memory.

A network's early features have hundreds of thousands of values per image; the field's
``np.corrcoef(reals, preds)`` makes double-precision copies of all of them at once. Here features
stay in single precision and are converted block by block.
"""

import logging

import numpy as np

from havir_lib.errors import ShapeError

log = logging.getLogger(__name__)

BLOCK = 8192  # features converted to double precision at a time


def paired_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlation of each row of `first` with the same row of `second`.

    Parameters
    ----------
    first, second : array (n, F)
        One row per image.

    Returns
    -------
    array (n,)
        Pearson's r. A constant row correlates 0 with anything: it says nothing about the other
        (NumPy would give nan, and one such image would turn the mean of a method into nan).
    """
    _check(first, second, same_rows=True)
    products = sum(np.einsum("nf,nf->n", a, b) for a, b in _centred_blocks(first, second))
    return _divide(products, _norms(first) * _norms(second))


def all_correlations(reals: np.ndarray, preds: np.ndarray) -> np.ndarray:
    """Correlation of every row of `reals` with every row of `preds`.

    Parameters
    ----------
    reals : array (n, F)
    preds : array (m, F)

    Returns
    -------
    array (n, m)
        Pearson's r; 0 where a row is constant, see :func:`paired_correlation`.
    """
    _check(reals, preds, same_rows=False)
    products = sum(a @ b.T for a, b in _centred_blocks(reals, preds))
    return _divide(products, np.outer(_norms(reals), _norms(preds)))


def _check(first: np.ndarray, second: np.ndarray, same_rows: bool) -> None:
    wrong_rows = same_rows and len(first) != len(second)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or wrong_rows:
        raise ShapeError(
            f"Features to correlate must be two matrices of the same width"
            f"{' and length' if same_rows else ''}, found {first.shape} and {second.shape}."
        )


def _centred_blocks(first: np.ndarray, second: np.ndarray):
    """Yield blocks of columns of both, minus their row means, in double precision."""
    means = [rows.mean(axis=1, dtype=np.float64, keepdims=True) for rows in (first, second)]
    for start in range(0, first.shape[1], BLOCK):
        columns = slice(start, start + BLOCK)
        yield first[:, columns] - means[0], second[:, columns] - means[1]


def _norms(rows: np.ndarray) -> np.ndarray:
    """Length (n,) of each centred row; exactly 0 for a constant row."""
    squares = sum(np.einsum("nf,nf->n", block, block) for block, _ in _centred_blocks(rows, rows))
    # The mean of equal numbers can be off in its last digit, so test for constancy directly.
    constant = rows.min(axis=1) == rows.max(axis=1)
    return np.where(constant, 0.0, np.sqrt(squares))


def _divide(products: np.ndarray, norms: np.ndarray) -> np.ndarray:
    if not norms.all():
        log.warning("%d of %d correlations involve a constant image or feature vector; set to 0",
                    np.count_nonzero(norms == 0), norms.size)  # fmt: skip
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
