"""Short tables about the predictions of one subject, for notebooks 04 and 05."""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.evaluation.correlation import all_correlations, paired_correlation
from havir_lib.pipeline import brains
from havir_lib.pipeline.decoding.methods import METHODS, method_names, predictions
from havir_lib.pipeline.decoding.shared import flat, similarity_to, targets
from havir_lib.pipeline.run import Run


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
    rows = []
    for method in ("HAVIR", "ridge", "shuffled voxels"):
        predicted = predictions(run, name, method)
        for kind in ("image_tokens", "text_tokens"):
            similarity = all_correlations(flat(getattr(predicted, kind)), flat(getattr(true, kind)))
            rank = (similarity > np.diag(similarity)[:, None]).sum(axis=1)
            rows.append(
                {
                    "method": method,
                    "tokens": kind.removesuffix("_tokens"),
                    "first": (rank == 0).mean(),
                    "among first ten": (rank < 10).mean(),
                    "chance (first)": 1 / len(rank),
                    "n": len(rank),
                }
            )
    return pd.DataFrame(rows).set_index(["method", "tokens"])


def nearest_captions(run: Run, name: str, n: int = 8) -> pd.DataFrame:
    """Captions of *training* images whose text tokens are nearest to the predicted ones."""
    brain, target = brains.subject(run, name), targets(run, name)
    pool = np.unique(brain.train_images)
    predicted = predictions(run, name)
    first = target.text_tokens[:, 0]
    similarity = similarity_to(predicted.text_tokens[:n], first, target.rows(pool))
    store = brains.stimuli(run)
    nearest = store.captions(pool[similarity.argmax(axis=1)])
    true = store.captions(predicted.image_ids[:n])
    return pd.DataFrame(
        {
            "shown": [captions[0] for captions in true],
            "nearest to the prediction": [captions[0] for captions in nearest],
        }
    )
