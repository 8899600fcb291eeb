"""Are test images just like training images? Nearness, and semantic clusters.

The "spurious reconstruction" critique (Shirakawa et al. 2024): where each test image has near
twins among the training images, a decoder can score well by classifying. Both controls work on the
CLIP class tokens of the images themselves.

Shape words: n training images, m test images, D token width.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.errors import ConfigError
from havir_lib.evaluation.association import rank_association
from havir_lib.evaluation.correlation import all_correlations
from havir_lib.evaluation.statistics import bootstrap_mean


def nearest_training(test: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row of the training image most like each test image, (m,), and their correlation, (m,).

    Parameters
    ----------
    test : ndarray, (m, D)
        Class tokens minus their mean over training images.
    train : ndarray, (n, D)
    """
    similarity = all_correlations(test, train)  # (m, n)
    return similarity.argmax(axis=1), similarity.max(axis=1)


def nearness_summary(
    train: np.ndarray,
    similarity: np.ndarray,
    score: np.ndarray,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Nearness of test to training images, of training images to each other, and what it explains.

    Parameters
    ----------
    train : ndarray, (n, D)
        Class tokens of training images.
    similarity, score : ndarray, (m,)
        Of each test image: to its nearest training image, and how well it was decoded.

    Returns
    -------
    DataFrame
        Columns quantity, value, low, high, p, n. The last row is the rank correlation of score and
        nearness over test images: what a decoder that leans on near twins would show.
    """
    among = all_correlations(train, train)
    np.fill_diagonal(among, -np.inf)
    rows = []
    for label, values in {
        "test image to nearest training image": similarity,
        "training image to nearest other one": among.max(axis=1),
    }.items():
        interval = bootstrap_mean(values, n_bootstrap, confidence, seed)
        rows.append((label, *interval, np.nan, len(values)))
    linked = rank_association(score, similarity, n_bootstrap, confidence, seed=seed)
    rows.append(("rank correlation of score and nearness", *linked, len(score)))
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "p", "n"])


def semantic_clusters(
    train: np.ndarray, test: np.ndarray, n_clusters: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """K-means cluster of each training image, (n,), and of each test image, (m,).

    Clusters are of the training images; test images join the nearest centre.

    Raises
    ------
    ConfigError
        If there are not more training images than clusters.
    """
    from sklearn.cluster import KMeans  # slow to import

    if n_clusters >= len(train):
        raise ConfigError(
            f"comparison.n_clusters is {n_clusters}, but there are only {len(train)} training "
            "images. Choose fewer."
        )
    model = KMeans(n_clusters, n_init=10, random_state=seed)
    return model.fit_predict(train), model.predict(test)
