"""Does HAVIR gain most in complex scenes, as the paper says?

Complexity has one definition for every data set: the share of a picture's pixels that lie on edges.
The simulation also knows how many objects it drew, and how they hide each other; its own score
stands beside it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from skimage.color import rgb2gray
from skimage.feature import canny
from skimage.transform import resize

from havir_lib.evaluation.association import rank_association
from havir_lib.evaluation.statistics import holm, paired_differences
from havir_lib.pipeline import brains, images
from havir_lib.pipeline.run import Run
from havir_lib.pipeline.statistics import compared, summarised

SIDE = 128
SIGMA = 1.5
STRATA = ("simple", "medium", "complex")
SCENE_TABLE = "nsddata/experiments/nsd/scene_info.csv"


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


@lru_cache(maxsize=2)  # several tables ask, and each asking reads and filters every picture
def scene_complexity(run: Run) -> pd.DataFrame:
    """Complexity of the test images of all subjects.

    Returns
    -------
    DataFrame
        Columns image, ``edge density``, where the data set comes with scene descriptions (the
        simulation) ``simulated complexity``, and stratum (thirds by edge density).
    """
    ids = np.unique(np.concatenate([brains.subject(run, n).test_images for n in run.subjects]))
    density = edge_density(brains.stimuli(run).images(ids))
    table = pd.DataFrame({"image": ids, "edge density": density})
    path = brains.data_root(run) / SCENE_TABLE
    if path.is_file():
        known = pd.read_csv(path).set_index("nsdId")["complexity"]
        table["simulated complexity"] = known.loc[ids].to_numpy()
    order = table["edge density"].rank(method="first") - 1
    thirds = (order * len(STRATA) // len(table)).astype(int)
    return table.assign(stratum=[STRATA[third] for third in thirds])


def complexity_strata(run: Run, methods: tuple[str, ...] = ("HAVIR", "ridge")) -> pd.DataFrame:
    """Scores in simple, medium and complex scenes, over all subjects.

    Returns
    -------
    DataFrame
        Columns method, stratum, metric, value, low, high, n, n_subjects.
    """
    scores = _with_stratum(run, images.all_scores(run, methods))
    return summarised(run, scores, ["method", "stratum"])


def gain_by_stratum(run: Run, method: str = "HAVIR", baseline: str = "ridge") -> pd.DataFrame:
    """Paired gain of a method over another within each stratum, see ``evaluation.compare``."""
    scores = _with_stratum(run, images.all_scores(run, (method, baseline)))
    return compared(run, scores, method, [baseline], by=["stratum"])


def complexity_test(run: Run, method: str = "HAVIR", baseline: str = "ridge") -> pd.DataFrame:
    """Rank correlation of complexity with the gain of a method over another, image by image.

    The claim predicts a positive correlation. Two-sided permutation test, corrected by Holm's
    method over all rows.

    Returns
    -------
    DataFrame
        Columns method, baseline, complexity (which measure), metric, rho, low, high, p, p_holm, n,
        n_subjects.
    """
    settings = run.config.evaluation
    measures = scene_complexity(run).set_index("image").drop(columns="stratum")
    scores = images.all_scores(run, (method, baseline)).sort_values("image", kind="stable")
    rows = []
    for measure in measures:
        for metric, group in scores.groupby("metric", sort=False):
            gain = paired_differences(group, method, baseline)
            ids = np.unique(group["image"])
            found = rank_association(
                gain,
                measures.loc[ids, measure].to_numpy(),
                settings.n_bootstrap,
                settings.confidence,
                seed=run.config.seed,
            )
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


def _with_stratum(run: Run, scores: pd.DataFrame) -> pd.DataFrame:
    strata = scene_complexity(run).set_index("image")["stratum"]
    scores = scores.assign(stratum=scores["image"].map(strata))
    order = scores["stratum"].map({name: i for i, name in enumerate(STRATA)})
    return scores.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)
