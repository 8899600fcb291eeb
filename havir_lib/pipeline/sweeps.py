"""How strength, mixing ratio and guidance scale of the sampler act on the scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.errors import ConfigError
from havir_lib.pipeline import decoding, images
from havir_lib.pipeline.embeddings import subset
from havir_lib.pipeline.run import Run
from havir_lib.pipeline.statistics import summarised

VALUES = {"strength": "strengths", "mixing": "mixings", "guidance_scale": "guidance_scales"}
"""Setting of the sampler → the list of values in ``comparison``."""


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
        images.score_images(run, swept(run, parameter, value, name)).assign(setting=value)
        for value in values_of(run, parameter)
    ]
    found = summarised(run, pd.concat(frames, ignore_index=True), ["setting"])
    found.insert(0, "parameter", parameter)
    return found.assign(subject=name or run.base_subject)


def sweeps(run: Run, name: str | None = None) -> pd.DataFrame:
    """:func:`sweep` of all three settings."""
    return pd.concat([sweep(run, parameter, name) for parameter in VALUES], ignore_index=True)


def swept(
    run: Run, parameter: str, value: float, name: str | None = None
) -> images.Reconstructions:
    """Reconstructions of the sweep's images with one setting changed; cached."""
    predicted = decoding.predictions(run, name or run.base_subject)
    rows = sweep_rows(run, len(predicted.image_ids))
    sampling = type(run.config.diffusion).model_validate(
        run.config.diffusion.model_dump() | {parameter: value}
    )
    return images.generate(run, subset(predicted, rows), sampling)


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
