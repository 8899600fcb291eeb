"""How strength, mixing ratio and guidance scale of the sampler act on the scores."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pandas as pd

from havir_lib.errors import ConfigError
from havir_lib.evaluation.identification import two_way_identification
from havir_lib.evaluation.metrics import METRICS
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.summaries import how_to_read, summarised
from havir_lib.plots.controls import figure_curves
from havir_lib.plots.style import ROLES, SPARE
from havir_lib.run import Run
from havir_lib.run.images import Reconstructions, generate, score_images

VALUES = {"strength": "strengths", "mixing": "mixings", "guidance_scale": "guidance_scales"}
"""Setting of the sampler → the list of values in ``comparison``."""
TITLES = {"strength": "Strength", "mixing": "Mixing ratio", "guidance_scale": "Guidance scale"}
PIXELS, IDENTIFICATION, FEATURES, DISTANCES = (
    "Pixel scores",
    "Two-way identification",
    "Other feature scores",
    "Feature distance (lower is better)",
)


def sweep(run: Run, parameter: str, name: str | None = None) -> pd.DataFrame:
    """Scores over the values of one setting, all else as configured.

    Parameters
    ----------
    parameter : {"strength", "mixing", "guidance_scale"}
    name : str, optional
        Subject; default the base subject.

    Returns
    -------
    DataFrame
        Columns parameter, setting, metric, value, low, high, n, n_subjects, subject. Each setting
        is scored on the same ``comparison.sweep_images`` test images, drawn at random; two-way
        identification among so few is not comparable with that of the whole test set.

    Notes
    -----
    The values are tried on test images to show what a setting does. A setting chosen by this table
    would be chosen on test data.
    """
    frames = [
        score_images(run, swept(run, parameter, value, name)).assign(setting=value)
        for value in values_of(run, parameter)
    ]
    found = summarised(run, pd.concat(frames, ignore_index=True), ["setting"])
    found.insert(0, "parameter", parameter)
    return found.assign(subject=name or run.base_subject)


def sweeps(run: Run, name: str | None = None) -> pd.DataFrame:
    """:func:`sweep` of all three settings."""
    return pd.concat([sweep(run, parameter, name) for parameter in VALUES], ignore_index=True)


def swept(run: Run, parameter: str, value: float, name: str | None = None) -> Reconstructions:
    """Reconstructions of the sweep's images with one setting changed; cached."""
    predicted = run.predictions(name or run.base_subject)
    rows = sweep_rows(run, len(predicted.image_ids))
    sampling = type(run.config.diffusion).model_validate(
        run.config.diffusion.model_dump() | {parameter: value}
    )
    return generate(run, predicted.select(rows), sampling)


def values_of(run: Run, parameter: str) -> list[float]:
    """The values of a setting that are tried."""
    if parameter not in VALUES:
        raise ConfigError(f"A sweep is of one of {list(VALUES)}, but {parameter!r} was given.")
    return getattr(run.config.comparison, VALUES[parameter])


def sweep_rows(run: Run, n_images: int) -> np.ndarray:
    """Rows of the test images in the sweeps, drawn by the run's seed, rising."""
    rng = np.random.default_rng([run.config.seed, 15])
    n = min(run.config.comparison.sweep_images, n_images)
    return np.sort(rng.choice(n_images, n, replace=False))


@table
def table_of_sweeps(run: Run) -> Table:
    """Strength, mixing ratio and guidance scale, one at a time."""
    frame = sweeps(run)
    note = (
        f"{frame['n'].max()} test images drawn at random, which are each other's distractors. "
        "Shows what a setting does; choosing one by it would be choosing on test images."
    )
    return Table(frame, "Scores over settings of the sampler, base subject.", note)


@figure
def curves(run: Run) -> Drawn:
    """What strength, mixing ratio and guidance scale do to the scores."""
    frame = sweeps(run)
    frame = frame.assign(kind=[kind_of(name) for name in frame["metric"]])
    order = {name: rank for rank, name in enumerate((PIXELS, IDENTIFICATION, FEATURES, DISTANCES))}
    frame = frame.sort_values("kind", key=lambda kind: kind.map(order), kind="stable")
    names = list(dict.fromkeys(frame["metric"]))
    used = {name: getattr(run.config.diffusion, name) for name in TITLES}
    drawn = figure_curves(
        frame, panel="parameter", x="setting", colour="metric", row="kind", titles=TITLES,
        colours=dict(zip(names, cycle((*SPARE, *ROLES.values())))), marks=used,
    )  # fmt: skip
    caption = "One setting of the sampler at a time; dashed: the setting of this run. "
    caption += how_to_read(run, frame, "images")
    return Drawn(drawn, caption, {"sweeps": frame})


def kind_of(metric: str) -> str:
    """The row of the figure that a metric belongs to."""
    record = METRICS[metric]
    if not record.higher_is_better:
        return DISTANCES
    if record.of_pixels:
        return PIXELS
    return IDENTIFICATION if record.compare is two_way_identification else FEATURES
