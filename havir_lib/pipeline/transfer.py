"""Quality against hours of data: transfer from the base subject, from scratch, and ridge.

Scored on latents and tokens, since the diffusion model would lift all points alike.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from havir_lib.data.subject import Subject
from havir_lib.errors import ConfigError
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.pipeline import brains, decoding, embeddings
from havir_lib.pipeline.decoding.networks import BRANCHES, fitted, network_predictions
from havir_lib.pipeline.decoding.ridge import ridge_predictions
from havir_lib.pipeline.decoding.shared import targets_of, true_predictions
from havir_lib.pipeline.run import Run
from havir_lib.targets import Targets
from havir_lib.training import Predictions

METHODS = ("transfer", "from scratch", "ridge")
N_POINTS = 5
METRICS = ("latent correlation", "image token correlation", "image retrieval top-1")


def transfer_curve(run: Run) -> pd.DataFrame:
    """Scores of held-out images after 1 hour to all hours of a new subject's data.

    ``"transfer"`` starts from the base subject's networks with the schedule of transfer, ``"from
    scratch"`` from random weights with the schedule of the base subject, ``"ridge"`` is refitted.
    Every fit is cached, so an interrupted call continues.

    Returns
    -------
    DataFrame
        Columns method, hours, metric, value, low, high, n (images), n_subjects, subject; rows of
        subject ``"mean"`` first.

    Raises
    ------
    ConfigError
        If there is no subject to transfer to.
    """
    steps = [
        (name, hours, method)
        for name in _subjects(run)
        for hours in curve_hours(run, name)
        for method in METHODS
    ]
    frames = []
    for name, hours, method in tqdm(steps, desc="transfer curve", unit="fit"):
        made = predictions_after(run, name, hours, method)
        found = embedding_scores(made, true_predictions(run, name))
        kept = found[found["metric"].isin(METRICS)]
        frames.append(kept.assign(subject=name, method=method, hours=hours))
    return embeddings.overall_and_per_subject(
        run, pd.concat(frames, ignore_index=True), ["method", "hours"]
    )


def curve_hours(run: Run, name: str) -> list[int]:
    """Points of the curve: ``comparison.curve_hours``, or five from 1 to all sessions."""
    given = run.config.comparison.curve_hours
    if given is not None:
        return list(given)
    n_sessions = brains.full_subject(run, name).trials["session"].nunique()
    return spread_hours(n_sessions)


def spread_hours(n_sessions: int) -> list[int]:
    """Five different hours (fewer if there are fewer), evenly in log scale, the last one all."""
    steps = np.arange(min(N_POINTS, n_sessions))
    points = np.geomspace(1, n_sessions, len(steps)).round().astype(int)
    return (np.maximum.accumulate(points - steps) + steps).tolist()  # at least an hour apart


def predictions_after(run: Run, name: str, hours: int, method: str) -> Predictions:
    """What one method predicts for the test images after some hours of data."""
    brain, target = _data(run, name, hours)
    if method == "ridge":
        return ridge_predictions(run, brain, target)
    folders = {}
    for branch in BRANCHES:
        base = decoding.trained(run, run.base_subject, branch) if method == "transfer" else None
        folders[branch] = fitted(run, brain, target, branch, run.config, base)
    return network_predictions(run, brain, target, folders)


def _data(run: Run, name: str, hours: int) -> tuple[Subject, Targets]:
    if hours == run.config.training.transfer_sessions:  # HAVIR's own point, trained already
        return brains.subject(run, name), decoding.targets(run, name)
    return _brain_after(run, name, hours), _all_targets(run, name)


@lru_cache(maxsize=2)
def _brain_after(run: Run, name: str, hours: int) -> Subject:
    return brains.full_subject(run, name).hours(hours)


@lru_cache(maxsize=2)
def _all_targets(run: Run, name: str) -> Targets:
    return targets_of(run, brains.full_subject(run, name).train_images)


def _subjects(run: Run) -> list[str]:
    others = [name for name in run.subjects if not run.is_base(name)]
    wanted = run.config.comparison.curve_subjects
    chosen = others if wanted is None else wanted
    if not chosen or not set(chosen) <= set(others):
        raise ConfigError(
            f"The transfer curve needs subjects besides the base subject {run.base_subject!r}; "
            f"comparison.curve_subjects names {wanted}, data.subjects has {others}."
        )
    return chosen
