"""Ridge regression to the same targets (Brain-Diffuser's way)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from havir_lib.data.subject import Subject, average_repeats
from havir_lib.models import RidgeDecoder, fit_ridge, predict_ridge
from havir_lib.pipeline.decoding.shared import full_length
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest
from havir_lib.targets import Targets
from havir_lib.training import Predictions


def ridge_predictions(run: Run, brain: Subject, target: Targets) -> Predictions:
    """Predictions of ridge regressions fitted on the training trials of `brain`."""
    recipe = {
        "betas": [brain.train_betas, brain.test_betas, brain.structural, brain.semantic],
        "images": brain.train_images,
        "targets": target.key,
        "ridge": run.config.ridge,
        "seed": run.config.seed,
        "source": source_digest("models"),
    }

    def build(folder: Path) -> None:
        made = _fit_and_predict(run, brain, target)
        full_length(brain, target, made).save(folder / "predictions.npz")

    return Predictions.load(run.cached("ridge", recipe, build) / "predictions.npz")


def _fit_and_predict(run: Run, brain: Subject, target: Targets) -> Predictions:
    betas, ids, _ = average_repeats(brain.train_betas, brain.train_images)
    rows = target.rows(ids)

    def decode(role: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        return decode_ridge(run, betas[:, role], wanted, brain.test_betas[:, role])

    return Predictions(
        decode(brain.structural, target.latents[rows]),
        decode(brain.semantic, target.image_tokens[rows]),
        decode(brain.semantic, target.text_tokens[rows].mean(axis=1, dtype="f4")),
        brain.test_images,
    )


def fit_decoder(run: Run, betas: np.ndarray, wanted: np.ndarray) -> RidgeDecoder:
    """Ridge regression with this run's penalties, folds, seed and device."""
    return fit_ridge(betas, wanted, **_options(run))


def decode_ridge(
    run: Run, betas: np.ndarray, wanted: np.ndarray, new_betas: np.ndarray
) -> np.ndarray:
    """What :func:`fit_decoder` predicts from other betas, for targets of any size."""
    return predict_ridge(betas, wanted, new_betas, **_options(run))


def _options(run: Run) -> dict:
    device = run.device if run.device.type == "cuda" else "cpu"
    return {**run.config.ridge.model_dump(), "seed": run.config.seed, "device": device}
