"""Pearson correlations of many long feature vectors, in double precision and little memory.

A network's early features have hundreds of thousands of values per image; the field's
``np.corrcoef(reals, preds)`` makes double-precision copies of all of them at once. Here features
stay in single precision and are converted block by block, on the GPU where there is one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from havir_lib.devices import as_tensor
from havir_lib.errors import ShapeError

log = logging.getLogger(__name__)

BLOCK = 2048  # features converted to double precision at a time
PIECE = 1 << 15  # numbers of two images that are compared at once, which the cache still holds
Device = str | torch.device


def paired_correlation(
    first: np.ndarray | Tensor, second: np.ndarray | Tensor, device: Device = "cpu"
) -> np.ndarray:
    """Correlation of each row of `first` with the same row of `second`.

    Parameters
    ----------
    first, second : array (n, F)
        One row per image.
    device : str or torch.device
        Where to compute. Double precision everywhere; Apple's GPUs have none, so the CPU does it.

    Returns
    -------
    array (n,)
        Pearson's r. A constant row correlates 0 with anything: it says nothing about the other
        (NumPy would give nan, and one such image would turn the mean of a method into nan).
    """
    _check(first, second, same_rows=True)
    first, second = _tensor(first, device), _tensor(second, device)
    step = max(1, PIECE // max(1, first.shape[1]))
    parts = [_products(a, b) for a, b in zip(first.split(step), second.split(step), strict=True)]
    products, norms = (torch.cat(part) for part in zip(*parts, strict=True))
    return _divide(products, norms)


def _products(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Scalar products of centred rows, and products of their lengths, (n,) each: one pass.

    Rows are read once, as distances from their own first value, and centred afterwards by the sums.
    A constant row has only zeros then, and a length of exactly 0.
    """
    starts = torch.stack([first[:, :1], second[:, :1]], 1).to(torch.float64)  # (n, 2, 1)
    gram, sums = torch.zeros(()), torch.zeros(())
    for a, b in zip(first.split(PIECE, 1), second.split(PIECE, 1), strict=True):
        pairs = torch.stack([a, b], 1).to(torch.float64).sub_(starts)  # (n, 2, PIECE)
        gram, sums = gram + pairs @ pairs.mT, sums + pairs.sum(2)
    gram = gram - sums[:, :, None] * sums[:, None] / first.shape[1]
    return gram[:, 0, 1], (gram[:, 0, 0] * gram[:, 1, 1]).clamp(min=0).sqrt()


class Rows(NamedTuple):
    """Rows to correlate, measured once for any number of comparisons.

    Attributes
    ----------
    values : Tensor (n, F)
    means : Tensor, float64 (n, 1)
    lengths : Tensor, float64 (n,)
        Of the centred rows; exactly 0 for a constant row.
    """

    values: Tensor
    means: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, rows: np.ndarray | Tensor, device: Device = "cpu") -> Rows:
        """Measure rows (n, F)."""
        values = _tensor(rows, device)
        starts, sums, squares = values[:, :1].to(torch.float64), torch.zeros(()), torch.zeros(())
        for block in _shifted_blocks(values, starts):
            sums, squares = sums + block.sum(1), squares + _squares(block)
        means = starts + sums[:, None] / values.shape[1]
        return cls(values, means, _lengths(sums, squares, values.shape[1]))


def all_correlations(
    reals: np.ndarray | Tensor | Rows, preds: np.ndarray | Tensor, device: Device = "cpu"
) -> np.ndarray:
    """Correlation of every row of `reals` with every row of `preds`.

    Parameters
    ----------
    reals : array (n, F), or Rows
    preds : array (m, F)
    device : str or torch.device
        See :func:`paired_correlation`.

    Returns
    -------
    array (n, m)
        Pearson's r; 0 where a row is constant, see :func:`paired_correlation`.
    """
    known = isinstance(reals, Rows)
    _check(reals.values if known else reals, preds, same_rows=False)
    a, b = reals if known else Rows.of(reals, device), _tensor(preds, device)
    blocks = _shifted_blocks(a.values, a.means), _shifted_blocks(b, b[:, :1].to(torch.float64))
    products, sums, squares = torch.zeros(()), torch.zeros(()), torch.zeros(())
    for x, y in zip(*blocks, strict=True):  # x is centred, so what y is shifted by adds nothing
        products, sums, squares = products + x @ y.T, sums + y.sum(1), squares + _squares(y)
    return _divide(products, torch.outer(a.lengths, _lengths(sums, squares, b.shape[1])))


def _tensor(rows: np.ndarray | Tensor, device: Device) -> Tensor:
    """The same numbers on a device that has double precision."""
    device = torch.device(device)
    if isinstance(rows, np.ndarray):
        rows = np.ascontiguousarray(rows)
        rows = as_tensor(rows)
    return rows.to("cpu" if device.type == "mps" else device)


def _check(first: np.ndarray | Tensor, second: np.ndarray | Tensor, same_rows: bool) -> None:
    wrong_rows = same_rows and len(first) != len(second)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or wrong_rows:
        raise ShapeError(
            f"Features to correlate must be two matrices of the same width"
            f"{' and length' if same_rows else ''}, "
            f"found {tuple(first.shape)} and {tuple(second.shape)}."
        )


def _shifted_blocks(values: Tensor, by: Tensor) -> Iterator[Tensor]:
    """Yield blocks of columns minus one number per row, in double precision."""
    for block in values.split(BLOCK, 1):
        yield block.to(torch.float64, copy=True).sub_(by)


def _squares(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1).square()


def _lengths(sums: Tensor, squares: Tensor, n: int) -> Tensor:
    """Lengths of centred rows, from sums over rows that had their first value taken away.

    Of a constant row only zeros were left, so its length is exactly 0.
    """
    return (squares - sums.square() / n).clamp(min=0).sqrt()


def _divide(products: Tensor, norms: Tensor) -> np.ndarray:
    if not norms.all():
        log.warning("%d of %d correlations involve a constant image or feature vector; set to 0",
                    int((norms == 0).sum()), norms.numel())  # fmt: skip
    return torch.where(norms > 0, products / norms, 0.0).cpu().numpy()
