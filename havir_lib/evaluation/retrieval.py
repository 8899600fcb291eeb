"""Retrieval: find the image by the brain, or the brain by the image, among a few hundred.

Peers draw pools of 300 test images at random, 30 times, and average. The expected hit rate over
*all* pools has a closed form: a query with m better candidates among the n - 1 others succeeds in a
pool when fewer than k of them are drawn, a hypergeometric probability. It needs no seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from havir_lib.errors import ShapeError
from havir_lib.evaluation.identification import TIE

POOL = 300


def retrieval(
    predicted: np.ndarray,
    true: np.ndarray,
    image_ids: Sequence[int] | None = None,
    pool: int = POOL,
    top_k: Sequence[int] = (1, 5),
) -> pd.DataFrame:
    """Probability that the right item is among the k nearest of a random pool.

    Parameters
    ----------
    predicted : array (n, ...)
        Embeddings predicted from brain activity; further axes are flattened.
    true : array of the same shape
        Embeddings of the images.
    image_ids : sequence of int, optional
        Default 0..n-1.
    pool : int
        Candidates including the right one; all n if there are fewer. Chance is k / pool.
    top_k : sequence of int

    Returns
    -------
    pandas.DataFrame
        Columns image, metric, value, pool. Metrics are ``image retrieval top-k`` (given the brain's
        embedding, find the image) and ``brain retrieval top-k`` (given the image, find the
        brain's). Similarity is the cosine; a candidate as similar as the right one beats it.

    Notes
    -----
    In MindEye's code the two directions carry each other's names, because its similarity matrix is
    transposed relative to what the calling lines assume.

    Raises
    ------
    ShapeError
        If shapes differ or there are fewer than 2 images.
    """
    if predicted.shape != true.shape or len(true) < 2:
        raise ShapeError(
            "Retrieval needs as many predicted as true embeddings of one shape, and at least 2; "
            f"found {predicted.shape} and {true.shape}."
        )
    similarity = _unit_rows(predicted) @ _unit_rows(true).T  # (brain, image)
    ids = list(range(len(true))) if image_ids is None else list(image_ids)
    tables = []
    for direction, matrix in {"image": similarity, "brain": similarity.T}.items():
        better = candidates_ahead(matrix)
        for k in top_k:
            value = hit_probability(better, min(pool, len(true)), k)
            name = f"{direction} retrieval top-{k}"
            tables.append(pd.DataFrame({"image": ids, "metric": name, "value": value}))
    return pd.concat(tables, ignore_index=True).assign(pool=min(pool, len(true)))


def candidates_ahead(similarity: np.ndarray) -> np.ndarray:
    """How many wrong candidates (columns) are at least as near to each query (row) as its own."""
    own = np.diag(similarity)[:, None]
    return (similarity >= own - TIE).sum(axis=1) - 1  # its own is always counted


def hit_probability(better: np.ndarray, pool: int, k: int) -> np.ndarray:
    """Chance that a random pool holds fewer than k of a query's better candidates.

    Parameters
    ----------
    better : int array (n,)
        Better candidates among the n - 1 others.
    pool : int
        Size of the pool, the right one included.
    k : int
    """
    from scipy.stats import hypergeom  # slow to import, and only needed here

    return hypergeom.cdf(k - 1, len(better) - 1, better, pool - 1)


def _unit_rows(embeddings: np.ndarray) -> np.ndarray:
    rows = embeddings.reshape(len(embeddings), -1).astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
