"""Scores of predicted latents and tokens themselves, without making images of them.

Cheap enough for curves over hours of data and for settings of a simulation, where the diffusion
model would add its own knowledge to every point alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from havir_lib.errors import DataError
from havir_lib.evaluation.correlation import paired_correlation
from havir_lib.evaluation.retrieval import POOL, retrieval
from havir_lib.training import Predictions

CORRELATIONS = {
    "latent correlation": "latents",
    "image token correlation": "image_tokens",
    "text token correlation": "text_tokens",
}
TOP_K = (1, 10)


def embedding_scores(
    predicted: Predictions, true: Predictions, pool: int = POOL, top_k: Sequence[int] = TOP_K
) -> pd.DataFrame:
    """Score predictions image by image.

    Parameters
    ----------
    predicted, true : Predictions
        Of the same images in the same order; `true` holds the true targets. What one of them
        lacks is left out.
    pool, top_k
        Of retrieval by image tokens, see :func:`havir_lib.evaluation.retrieval.retrieval`.

    Returns
    -------
    pandas.DataFrame
        Columns image, metric, value, with metrics of
        :data:`havir_lib.evaluation.metrics.EMBEDDING_SCORES`: Pearson's r over all entries of a
        latent or of all tokens of an image, and the probability that the right item is among the k
        nearest of `pool` candidates.

    Raises
    ------
    DataError
        If the images differ.
    """
    if not np.array_equal(predicted.image_ids, true.image_ids):
        raise DataError(
            f"Predictions of images {predicted.image_ids[:3].tolist()}... cannot be scored against "
            f"targets of images {true.image_ids[:3].tolist()}...: not the same images and order."
        )
    ids = true.image_ids
    values = {
        metric: _r(predicted, true, part)
        for metric, part in CORRELATIONS.items()
        if part in predicted.present and part in true.present
    }
    tables = [pd.DataFrame({"image": ids, "metric": m, "value": v}) for m, v in values.items()]
    found = retrieval(predicted.image_tokens, true.image_tokens, ids, pool, top_k)
    return pd.concat([*tables, found.drop(columns="pool")], ignore_index=True)


def _r(predicted: Predictions, true: Predictions, part: str) -> np.ndarray:
    first, second = (getattr(item, part) for item in (predicted, true))
    return paired_correlation(first.reshape(len(first), -1), second.reshape(len(second), -1))
