"""How many hours does a new person need? Transfer from the base subject, from scratch, and ridge.

Scored on latents and tokens, since the diffusion model would lift all points alike.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from havir_lib.data.subject import Subject
from havir_lib.errors import ConfigError
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.summaries import MEAN, how_to_read, overall_and_per_subject
from havir_lib.plots.controls import figure_curves
from havir_lib.plots.style import METHODS as METHOD_COLOURS
from havir_lib.plots.style import ROLES
from havir_lib.run import Run
from havir_lib.run.methods import decoder_predictions, ridge_of
from havir_lib.run.networks import fitted, network_predictions
from havir_lib.run.targets import targets_of
from havir_lib.targets import Targets
from havir_lib.training import BRANCHES, Predictions, load_model
from havir_lib.training.state import BEST

METHODS = ("transfer", "from scratch", "ridge")
N_POINTS = 5
NONE = "There are no other subjects, to whom the base subject's networks could be transferred."
METRICS = ("latent correlation", "image token correlation", "image retrieval top-1")
CURVES = {
    "transfer": METHOD_COLOURS["HAVIR"],
    "from scratch": ROLES["structural"],
    "ridge": METHOD_COLOURS["ridge"],
}


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
    frames = []
    with tqdm(desc="transfer curve", unit="fit", total=_n_fits(run)) as bar:
        for name in _subjects(run):
            for hours in curve_hours(run, name):
                subject, target = data_after(run, name, hours)
                for method in METHODS:
                    made = predictions_after(run, subject, target, method)
                    found = embedding_scores(made, run.true_predictions(name))
                    kept = found[found["metric"].isin(METRICS)]
                    frames.append(kept.assign(subject=name, method=method, hours=hours))
                    bar.update()
    scores = pd.concat(frames, ignore_index=True)
    return overall_and_per_subject(run, scores, ["method", "hours"])


def _n_fits(run: Run) -> int:
    return sum(len(curve_hours(run, name)) for name in _subjects(run)) * len(METHODS)


def curve_hours(run: Run, name: str) -> list[int]:
    """Points of the curve: ``comparison.curve_hours``, or five from 1 to all sessions."""
    given = run.config.comparison.curve_hours
    if given is not None:
        return list(given)
    return spread_hours(run.full_subject(name).trials["session"].nunique())


def spread_hours(n_sessions: int) -> list[int]:
    """Five different hours (fewer if there are fewer), evenly in log scale, the last one all."""
    steps = np.arange(min(N_POINTS, n_sessions))
    points = np.geomspace(1, n_sessions, len(steps)).round().astype(int)
    return (np.maximum.accumulate(points - steps) + steps).tolist()  # at least an hour apart


def data_after(run: Run, name: str, hours: int) -> tuple[Subject, Targets]:
    """A subject with its first hours to train on, and the targets of its images."""
    if hours == run.config.training.transfer_sessions:  # HAVIR's own point, trained already
        return run.subject(name), run.targets(name)
    whole = run.full_subject(name)
    return whole.hours(hours), targets_of(run, whole.train_images)


def predictions_after(run: Run, subject: Subject, target: Targets, method: str) -> Predictions:
    """What one method predicts for the test images from these hours of data."""
    if method == "ridge":
        return decoder_predictions(run, subject, target, ridge_of(run))
    models = {}
    for branch in BRANCHES:
        base = run.model(run.base_subject, branch) if method == "transfer" else None
        folder = fitted(run, subject, target, branch, run.config, base)
        models[branch] = load_model(folder.path / BEST)
    return network_predictions(run, subject, target, models)


def _subjects(run: Run) -> list[str]:
    if not (others := run.others):
        raise ConfigError(
            f"The transfer curve needs subjects besides the base subject {run.base_subject!r}; "
            "data.subjects has none."
        )
    return run.config.chosen("curve_subjects", others)


@table
def curve_table(run: Run) -> Table | str:
    """Quality against hours of data (trains two networks per subject, point and start)."""
    if not run.others:
        return NONE
    caption = "Held-out quality after some hours of a new subject's data."
    note = "Embedding scores: no images are made. Transfer and scratch keep their own schedules."
    return Table(transfer_curve(run), caption, note)


@figure
def curve(run: Run) -> Drawn | str:
    """Quality of a new subject's decoders against hours of data."""
    if not run.others:
        return NONE
    frame = transfer_curve(run)
    drawn = figure_curves(
        frame[frame["subject"] == MEAN], panel="metric", x="hours", colour="method",
        colours=CURVES, xlabel="Hours of data", ylabel="Held-out score", log=True,
    )  # fmt: skip
    caption = "Held-out scores after some hours of a new subject's data. "
    caption += how_to_read(run, frame)
    return Drawn(drawn, caption, {"curve": frame})
