"""Notebooks 04 and 05: how the branches train, and what they predict for one subject."""

from __future__ import annotations

import pandas as pd

from havir_lib.evaluation.correlation import paired_correlation
from havir_lib.evaluation.nearest import flat
from havir_lib.evaluation.retrieval import retrieval
from havir_lib.pages.pictures import random_rows
from havir_lib.pages.publish import Drawn, figure
from havir_lib.plots import figure_methods
from havir_lib.plots.training import figure_training
from havir_lib.run import Run

METHODS = ("HAVIR", "ridge", "shuffled voxels")
TOP_K = (1, 10)


@figure
def structural_training(run: Run, subject: str) -> Drawn:
    """Training and validation loss of the structural branch over epochs."""
    return _training(run, subject, "structural")


@figure
def semantic_training(run: Run, subject: str) -> Drawn:
    """Training and validation loss of the semantic branch over epochs."""
    return _training(run, subject, "semantic")


def _training(run: Run, subject: str, branch: str) -> Drawn:
    history = run.history(subject, branch)
    caption = f"Loss of {subject}'s {branch} branch; validation is on held-out training images."
    return Drawn(figure_training(history), caption, {"history": history})


def latent_correlation(run: Run, subject: str) -> pd.DataFrame:
    """Correlation of predicted and true latents per test image, averaged, for network and ridge."""
    true = flat(run.true_predictions(subject).latents)
    rows = {
        method: paired_correlation(true, flat(run.predictions(subject, method).latents))
        for method in METHODS
    }
    return pd.DataFrame(rows).agg(["mean", "std", "count"]).T.rename_axis("method")


@figure
def decoded_latents(run: Run, subject: str) -> Drawn:
    """What the structural branch alone sees: its predicted latents, decoded."""
    only = {
        "true z": run.images(subject, "true targets", "only z'").images,
        "HAVIR": run.images(subject, configuration="only z'").images,
        "ridge": run.images(subject, "ridge", "only z'").images,
    }
    n, shown = len(only["HAVIR"]), run.config.figures.n_examples
    rows = random_rows(run.config.seed, n, shown)
    columns = {method: images[rows] for method, images in only.items()}
    drawn = figure_methods(run.test_stimuli(subject)[rows], columns)
    caption = f"Latents predicted from {subject}'s structural voxels, decoded without diffusion."
    return Drawn(drawn, caption, columns)


def token_retrieval(run: Run, subject: str) -> pd.DataFrame:
    """How often the true test image is the nearest, or among the ten nearest, by its tokens."""
    true = run.true_predictions(subject)
    rows = {}
    for method in METHODS:
        predicted = run.predictions(subject, method)
        for kind in ("image_tokens", "text_tokens") if run.config.has_text else ("image_tokens",):
            found = retrieval(getattr(predicted, kind), getattr(true, kind), top_k=TOP_K)
            shares = found.groupby("metric")["value"].mean()
            row = {f"top {k}": shares[f"image retrieval top-{k}"] for k in TOP_K}
            pool = int(found["pool"].iloc[0])
            row |= {"chance (top 1)": 1 / pool, "candidates": pool}
            rows[method, kind.removesuffix("_tokens")] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["method", "tokens"])
