"""Which test images the figures show: chosen by a rule, or drawn at random from the others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.evaluation.metrics import higher_is_better
from havir_lib.run import Run

CHOSEN = "chosen: the best mean rank over all metrics in each of {n} groups of alike stimuli"


def random_rows(seed: int, n_images: int, n: int, without: np.ndarray | None = None) -> np.ndarray:
    """Rows drawn at random by the run's seed, in rising order; none of `without`."""
    rng = np.random.default_rng([seed, 12])
    pool = np.setdiff1d(np.arange(n_images), [] if without is None else without)
    return np.sort(rng.choice(pool, min(n, len(pool)), replace=False))


def mean_rank(scores: pd.DataFrame) -> pd.Series:
    """Mean over metrics of each image's rank, 1 for the best; by image id.

    Parameters
    ----------
    scores : DataFrame
        Columns image, metric, value.
    """
    wide = scores.pivot(index="image", columns="metric", values="value")
    ranks = {name: wide[name].rank(ascending=not higher_is_better(name)) for name in wide}
    return pd.DataFrame(ranks).mean(axis=1)


def best_of_groups(features: np.ndarray, rank: np.ndarray, n: int) -> np.ndarray:
    """The best row of each of `n` groups of alike rows, best first.

    Parameters
    ----------
    features : ndarray, (m, D)
        What is alike: Ward's clusters of these.
    rank : ndarray, (m,)
        Lower is better.
    n : int
    """
    from scipy.cluster.hierarchy import fcluster, ward  # slow to import

    group = fcluster(ward(features), n, "maxclust") if 1 < n < len(rank) else np.arange(len(rank))
    best = [np.flatnonzero(group == g)[rank[group == g].argmin()] for g in np.unique(group)]
    return np.array(sorted(best, key=lambda row: rank[row]))[:n]


def chosen_rows(run: Run, n: int) -> np.ndarray:
    """Rows of the base subject's test images that show HAVIR at its best, unlike one another.

    Groups are of the stimuli's CLIP class tokens.
    """
    name = run.base_subject
    rank = mean_rank(run.scores(name)).loc[run.images(name).image_ids].to_numpy()
    tokens = run.test_targets(name).image_tokens[:, 0].astype(np.float32)  # (m, D)
    return best_of_groups(tokens, rank, n)


def chosen_of(run: Run) -> np.ndarray:
    """The chosen rows among the base subject's test images."""
    return chosen_rows(run, run.config.figures.n_examples)


def how_chosen(rows: np.ndarray) -> str:
    """The rule of :func:`chosen_rows`, for captions."""
    return CHOSEN.format(n=len(rows))


def random_of(run: Run) -> np.ndarray:
    """Rows drawn at random among the base subject's test images that are not chosen."""
    n_images = len(run.subject(run.base_subject).test_images)
    n = run.config.figures.n_examples
    return random_rows(run.config.seed, n_images, n, chosen_of(run))
