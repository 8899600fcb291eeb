"""Short tables about the predictions of one subject, for notebooks 04 and 05."""

from __future__ import annotations

import pandas as pd

from havir_lib.evaluation.correlation import paired_correlation
from havir_lib.evaluation.retrieval import retrieval
from havir_lib.pipeline.decoding.methods import METHODS, method_names, predictions
from havir_lib.pipeline.decoding.shared import flat
from havir_lib.pipeline.run import Run

TOP_K = (1, 10)


def methods_table(run: Run) -> pd.DataFrame:
    """What each method of this run is, and whether it competes or is a bound."""
    rows = {
        name: {"what it is": METHODS[name].label, "competes": not METHODS[name].bound}
        for name in method_names(run)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def latent_correlation(run: Run, name: str) -> pd.DataFrame:
    """Correlation of predicted and true latents per test image, averaged, for network and ridge."""
    true = predictions(run, name, "true targets").latents
    rows = {
        method: paired_correlation(flat(true), flat(predictions(run, name, method).latents))
        for method in ("HAVIR", "ridge", "shuffled voxels")
    }
    frame = pd.DataFrame(rows)
    return frame.agg(["mean", "std", "count"]).T.rename_axis("method")


def token_retrieval(run: Run, name: str) -> pd.DataFrame:
    """How often the true test image is the nearest, or among the ten nearest, by its tokens."""
    true = predictions(run, name, "true targets")
    rows = {}
    for method in ("HAVIR", "ridge", "shuffled voxels"):
        predicted = predictions(run, name, method)
        for kind in ("image_tokens", "text_tokens"):
            found = retrieval(getattr(predicted, kind), getattr(true, kind), top_k=TOP_K)
            shares = found.groupby("metric")["value"].mean()
            row = {f"top {k}": shares[f"image retrieval top-{k}"] for k in TOP_K}
            pool = int(found["pool"].iloc[0])
            row |= {"chance (top 1)": 1 / pool, "candidates": pool}
            rows[method, kind.removesuffix("_tokens")] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["method", "tokens"])
