"""What predicted text tokens say: the nearest caption of a training image.

No caption is written: the nearest of all *training* captions stands for the prediction. Texts are
compared by the cosine of their CLIP text tokens after the mean training caption is taken off, so
that what all captions share (padding, "a photo of") does not count.

Shape words: n test images, N training images, K captions per image, Tt text tokens, D token width,
F = Tt x D.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

BLOCK = 256  # images whose captions are in memory at once


def nearest_captions(
    predicted: np.ndarray,
    test_tokens: np.ndarray,
    train_tokens: np.ndarray,
    train_rows: np.ndarray,
) -> pd.DataFrame:
    """The training caption nearest to each predicted text, and how good it is.

    Parameters
    ----------
    predicted : ndarray, (n, Tt, D)
        Text tokens predicted for the test images.
    test_tokens : ndarray, (n, K, Tt, D)
        The test images' own captions.
    train_tokens : ndarray, (N, K, Tt, D)
        Captions to choose from; may be memory-mapped, is read in blocks.
    train_rows : ndarray of int
        Which rows of `train_tokens` are training images.

    Returns
    -------
    DataFrame
        One row per test image. Columns row (of `train_rows`) and caption (0 to K - 1) of the
        nearest training caption, similarity (its mean cosine with the image's own captions), chance
        (that of a training caption drawn at random), best (that of the best training caption there
        is), rank (of the image's own captions among those of all test images, by mean cosine with
        the predicted tokens; 1 is first), n (test images).
    """
    mean = mean_caption(train_tokens, train_rows)
    queries = unit_vectors(predicted, mean)  # (n, F)
    own = own_captions(test_tokens, mean)  # (n, F), not of length 1
    by_query, by_own = _against_pool(train_tokens, train_rows, mean, queries, own)  # (n, N K)
    chosen = by_query.argmax(axis=1)
    row, caption = np.divmod(chosen, train_tokens.shape[1])
    n, to_test = len(queries), queries @ own.T  # (n, n)
    return pd.DataFrame(
        {
            "row": row,
            "caption": caption,
            "similarity": by_own[np.arange(n), chosen],
            "chance": by_own.mean(axis=1),
            "best": by_own.max(axis=1),
            "rank": (to_test > np.diag(to_test)[:, None]).sum(axis=1) + 1,
            "n": n,
        }
    )


def mean_caption(tokens: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mean text tokens (Tt, D) over all captions of some images."""
    total = 0.0
    for block in _blocks(tokens, rows):
        total = total + block.reshape(-1, *block.shape[2:]).astype("f8").sum(axis=0)
    return (total / (len(rows) * tokens.shape[1])).astype("f4")


def own_captions(tokens: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Mean unit vector (n, F) of each image's captions; its dot product is a mean cosine."""
    blocks = [
        unit_vectors(block.reshape(-1, *block.shape[2:]), mean)
        .reshape(*block.shape[:2], -1)
        .mean(axis=1)
        for block in _blocks(tokens, np.arange(len(tokens)))
    ]
    return np.concatenate(blocks)


def _against_pool(
    tokens: np.ndarray, pool_rows: np.ndarray, mean: np.ndarray, *rows: np.ndarray
) -> list[np.ndarray]:
    """Dot products of each of `rows`, (n, F), with every training caption's unit vector."""
    found: list[list[np.ndarray]] = [[] for _ in rows]
    for block in _blocks(tokens, pool_rows):
        pool = unit_vectors(block.reshape(-1, *block.shape[2:]), mean)
        for parts, queries in zip(found, rows, strict=True):
            parts.append(queries @ pool.T)
    return [np.concatenate(parts, axis=1) for parts in found]


def _blocks(tokens: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Text tokens (b, K, Tt, D) of a few images at a time."""
    for start in range(0, len(rows), BLOCK):
        yield tokens[rows[start : start + BLOCK]]


def unit_vectors(tokens: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Tokens (n, Tt, D) minus the mean caption, as vectors (n, F) of length 1."""
    rows = (tokens.astype("f4") - mean).reshape(len(tokens), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
