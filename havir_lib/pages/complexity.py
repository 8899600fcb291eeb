"""Does HAVIR gain most in complex scenes, as the paper says?

Complexity has one definition for every data set: the share of a picture's pixels that lie on edges.
The simulation also knows how many objects it drew, and how they hide each other; its own score
stands beside it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.evaluation.complexity import (
    complexity_association,
    edge_density,
    strata,
    with_stratum,
)
from havir_lib.pages.publish import Table, table
from havir_lib.pages.summaries import bootstrap_of, compared, summarised
from havir_lib.run import Run

SCENE_TABLE = "nsddata/experiments/nsd/scene_info.csv"
METHODS = ("HAVIR", "ridge")


def scene_complexity(run: Run) -> pd.DataFrame:
    """Complexity of the test images of all subjects.

    Returns
    -------
    DataFrame
        Columns image, ``edge density``, where the data set comes with scene descriptions (the
        simulation) ``simulated complexity``, and stratum (thirds by edge density).
    """
    ids = np.unique(np.concatenate([run.subject(name).test_images for name in run.subjects]))
    density = run.remember("edge_density", edge_density, run.stimuli.images(ids))
    frame = pd.DataFrame({"image": ids, "edge density": density})
    path = run.data_root / SCENE_TABLE
    if path.is_file():
        known = pd.read_csv(path).set_index("nsdId")["complexity"]
        frame["simulated complexity"] = known.loc[ids].to_numpy()
    return frame.assign(stratum=strata(density))


def complexity_strata(run: Run) -> pd.DataFrame:
    """Scores in simple, medium and complex scenes, over all subjects.

    Returns
    -------
    DataFrame
        Columns method, stratum, metric, value, low, high, n, n_subjects.
    """
    scores = with_stratum(run.all_scores(METHODS), _stratum(run))
    return summarised(run, scores, ["method", "stratum"])


def gain_by_stratum(run: Run) -> pd.DataFrame:
    """Paired gain of HAVIR over ridge within each stratum, see ``evaluation.compare``."""
    scores = with_stratum(run.all_scores(METHODS), _stratum(run))
    return compared(run, scores, METHODS[0], METHODS[1:], by=["stratum"])


def _stratum(run: Run) -> pd.Series:
    return scene_complexity(run).set_index("image")["stratum"]


def complexity_test(run: Run) -> pd.DataFrame:
    """:func:`havir_lib.evaluation.complexity.complexity_association` of HAVIR over ridge."""
    measures = scene_complexity(run).set_index("image").drop(columns="stratum")
    return complexity_association(run.all_scores(METHODS), measures, *METHODS, **bootstrap_of(run))


@table
def strata_table(run: Run) -> Table:
    """Scores in simple, medium and complex scenes."""
    caption = "Scores by scene complexity (thirds of the test images by edge density)."
    return Table(complexity_strata(run), caption)


@table
def test(run: Run) -> Table:
    """The paper's claim that HAVIR gains most in complex scenes, tested."""
    caption = "Rank correlation of scene complexity with HAVIR's gain over ridge, image by image."
    note = "The claim predicts rho > 0. Permutation test over images, Holm over all rows."
    return Table(complexity_test(run), caption, note)
