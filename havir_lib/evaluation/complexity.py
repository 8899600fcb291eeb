"""Does HAVIR gain most in complex scenes, as the paper says?

Complexity has one definition for every data set: the share of a picture's pixels that lie on edges.
The simulation also knows how many objects it drew, and how they hide each other; its own score
stands beside it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from skimage.color import rgb2gray
from skimage.feature import canny
from skimage.transform import resize

from havir_lib.evaluation.association import rank_association
from havir_lib.evaluation.statistics import holm, paired_differences

SIDE = 128
SIGMA = 1.5
STRATA = ("simple", "medium", "complex")


def edge_density(pictures: np.ndarray) -> np.ndarray:
    """Share of pixels on an edge (Canny, Gaussian of 1.5 px) of grey pictures at 128 px.

    Parameters
    ----------
    pictures : uint8 array (n, H, W, 3)

    Returns
    -------
    ndarray, (n,)
        0 to 1.
    """
    return np.array([canny(_grey(picture), sigma=SIGMA).mean() for picture in pictures])


def _grey(picture: np.ndarray) -> np.ndarray:
    return resize(rgb2gray(picture), (SIDE, SIDE), anti_aliasing=True)


def strata(density: np.ndarray) -> list[str]:
    """Thirds of the images by complexity: a name of :data:`STRATA` for each."""
    order = pd.Series(density).rank(method="first").to_numpy() - 1
    thirds = (order * len(STRATA) // len(density)).astype(int)
    return [STRATA[third] for third in thirds]


def complexity_association(
    scores: pd.DataFrame,
    measures: pd.DataFrame,
    method: str,
    baseline: str,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank correlation of complexity with the gain of a method over another, image by image.

    The claim predicts a positive correlation. Two-sided permutation test, corrected by Holm's
    method over all rows.

    Parameters
    ----------
    scores : DataFrame
        Columns subject, method, image, metric, value.
    measures : DataFrame
        One row per image (index), one column per measure of complexity.

    Returns
    -------
    DataFrame
        Columns method, baseline, complexity (which measure), metric, rho, low, high, p, p_holm, n,
        n_subjects.
    """
    scores = scores.sort_values("image", kind="stable")
    rows = []
    for measure in measures:
        for metric, group in scores.groupby("metric", sort=False):
            gain = paired_differences(group, method, baseline)
            covariate = measures.loc[np.unique(group["image"]), measure].to_numpy()
            found = rank_association(gain, covariate, n_bootstrap, confidence, seed=seed)
            rows.append((method, baseline, measure, metric, *found, *gain.shape))
    columns = ["method", "baseline", "complexity", "metric", "rho", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=[*columns, "n", "n_subjects"])
    table.insert(table.columns.get_loc("p") + 1, "p_holm", _holm_known(table["p"].to_numpy()))
    return table


def _holm_known(p: np.ndarray) -> np.ndarray:
    """Holm's correction of the p values that exist; nan where there is none to correct."""
    result = np.full(len(p), np.nan)
    known = np.isfinite(p)
    result[known] = holm(p[known])
    return result


def with_stratum(scores: pd.DataFrame, stratum: pd.Series) -> pd.DataFrame:
    """Scores with the stratum of their image (index: image), from simple to complex."""
    scores = scores.assign(stratum=scores["image"].map(stratum))
    order = scores["stratum"].map({name: i for i, name in enumerate(STRATA)})
    return scores.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)
