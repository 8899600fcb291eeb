"""Are test images just like training images? Overlap, and clusters held out of training.

The "spurious reconstruction" critique (Shirakawa et al. 2024): where each test image has near
twins among the training images, a decoder can score well by classifying. Both controls work on the
CLIP class tokens of the images themselves.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from havir_lib.data.subject import Subject, average_repeats, with_training
from havir_lib.errors import ConfigError
from havir_lib.evaluation.association import rank_association
from havir_lib.evaluation.correlation import all_correlations
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.evaluation.statistics import bootstrap_mean
from havir_lib.io import load_arrays, save_arrays
from havir_lib.pipeline import brains, decoding, embeddings
from havir_lib.pipeline.decoding.networks import fitted
from havir_lib.pipeline.decoding.ridge import decode_ridge
from havir_lib.pipeline.decoding.shared import full_length, true_predictions
from havir_lib.pipeline.run import Run
from havir_lib.pipeline.statistics import compared, summarised
from havir_lib.provenance import source_digest
from havir_lib.training import Predictions, load_model, predict
from havir_lib.training.state import BEST

SPLITS = ("standard", "as many removed at random", "own cluster removed")


def class_tokens(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """CLIP class tokens (n, D) of training (rising ids) and test images minus the former's mean."""
    kinds = decoding.targets(run, name), decoding.test_targets(run, name)
    train, test = (target.image_tokens[:, 0].astype("f4") for target in kinds)
    return train - train.mean(axis=0), test - train.mean(axis=0)


def overlap(run: Run, name: str | None = None) -> pd.DataFrame:
    """How near each test image is to its nearest training image.

    Returns
    -------
    DataFrame
        Columns image, nearest (id), similarity (correlation of class tokens), score (HAVIR's image
        token correlation).
    """
    name = name or run.base_subject
    brain = brains.subject(run, name)
    train = np.unique(brain.train_images)
    train_tokens, test_tokens = class_tokens(run, name)
    similarity = all_correlations(test_tokens, train_tokens)
    scores = embeddings.scores(run, ("HAVIR",), [name])
    score = scores[scores["metric"] == "image token correlation"].set_index("image")["value"]
    return pd.DataFrame(
        {
            "image": brain.test_images,
            "nearest": train[similarity.argmax(axis=1)],
            "similarity": similarity.max(axis=1),
            "score": score.loc[brain.test_images].to_numpy(),
        }
    )


def overlap_summary(run: Run, name: str | None = None) -> pd.DataFrame:
    """Nearness of test to training images, of training images to each other, and what it explains.

    Returns
    -------
    DataFrame
        Columns quantity, value, low, high, p, n. The last row is the rank correlation of score and
        nearness over test images: what a decoder that leans on near twins would show.
    """
    name = name or run.base_subject
    settings, seed = run.config.evaluation, run.config.seed
    found = overlap(run, name)
    train, _ = class_tokens(run, name)
    among = all_correlations(train, train)
    np.fill_diagonal(among, -np.inf)
    options = (settings.n_bootstrap, settings.confidence, seed)
    rows = []
    for label, values in {
        "test image to nearest training image": found["similarity"].to_numpy(),
        "training image to nearest other one": among.max(axis=1),
    }.items():
        rows.append((label, *bootstrap_mean(values, *options), np.nan, len(values)))
    linked = rank_association(
        found["score"].to_numpy(),
        found["similarity"].to_numpy(),
        settings.n_bootstrap,
        settings.confidence,
        seed=seed,
    )
    rows.append(("rank correlation of score and nearness", *linked, len(found)))
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "p", "n"])


@lru_cache(maxsize=2)
def clusters(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Semantic cluster of each training image (rising ids) and of each test image.

    K-means on the class tokens of the base subject's training images; test images join the nearest
    centre.
    """
    from sklearn.cluster import KMeans  # slow to import

    train, test = class_tokens(run, run.base_subject)
    n_clusters = run.config.comparison.n_clusters
    if n_clusters >= len(train):
        raise ConfigError(
            f"comparison.n_clusters is {n_clusters}, but there are only {len(train)} training "
            "images. Choose fewer."
        )
    model = KMeans(n_clusters, n_init=10, random_state=run.config.seed)
    return model.fit_predict(train), model.predict(test)


@lru_cache(maxsize=4)
def held_out_scores(run: Run, method: str = "ridge") -> pd.DataFrame:
    """Scores of image tokens when a test image's whole cluster was never trained on.

    Each cluster that holds test images is left out of training in turn and the decoder fitted
    again; its test images are decoded by that decoder. Beside it: the standard split, and as many
    images removed at random, which costs as much data but no meaning.

    Parameters
    ----------
    method : {"ridge", "HAVIR"}
        ``"HAVIR"`` trains the base subject's semantic branch twice per cluster.

    Returns
    -------
    DataFrame
        Columns image, metric, value, split, method.
    """
    brain, true = brains.subject(run, run.base_subject), true_predictions(run, run.base_subject)
    standard = decoding.predictions(run, run.base_subject, method).image_tokens
    made = {SPLITS[0]: standard, SPLITS[1]: standard.copy(), SPLITS[2]: standard.copy()}
    labels, test_labels = clusters(run)
    train = np.unique(brain.train_images)
    for cluster in tqdm(np.unique(test_labels), desc="held-out clusters", unit="cluster"):
        rows = test_labels == cluster
        rng = np.random.default_rng([run.config.seed, int(cluster)])
        own = train[labels == cluster]
        for split, removed in ((SPLITS[1], rng.choice(train, len(own), replace=False)),
                               (SPLITS[2], own)):  # fmt: skip
            made[split][rows] = _tokens_without(run, removed, method)[rows]
    frames = []
    for split, tokens in made.items():
        predicted = Predictions(None, tokens, None, brain.test_images)
        frames.append(embedding_scores(predicted, true).assign(split=split, method=method))
    return pd.concat(frames, ignore_index=True)


def held_out_clusters(run: Run, methods: tuple[str, ...] = ("ridge",)) -> pd.DataFrame:
    """Scores of the three splits, of the base subject.

    Returns
    -------
    DataFrame
        Columns method, split, metric, value, low, high, n, n_subjects.
    """
    scores = pd.concat([held_out_scores(run, method) for method in methods], ignore_index=True)
    return summarised(run, scores, ["method", "split"])


def held_out_differences(run: Run, methods: tuple[str, ...] = ("ridge",)) -> pd.DataFrame:
    """Paired differences of the standard and the random split to the held-out one.

    Positive: better when the cluster was trained on. The row against ``"as many removed at
    random"`` is the cost of meaning alone.
    """
    tables = [
        compared(run, held_out_scores(run, method), split, [SPLITS[2]], "split", ["method"])
        for method in methods
        for split in SPLITS[:2]
    ]
    return pd.concat(tables, ignore_index=True)


def _tokens_without(run: Run, removed: np.ndarray, method: str) -> np.ndarray:
    """Image tokens of all test images, decoded without these training images; cached."""
    name = run.base_subject
    whole, target = brains.subject(run, name), decoding.targets(run, name)
    kept = whole.trials["is_train"].to_numpy() & ~whole.trials["image"].isin(removed).to_numpy()
    brain = with_training(whole, kept)
    if method == "HAVIR":
        folder = fitted(run, brain, target, "semantic", run.config)
        model = load_model(folder / BEST)
        tokens = predict(model, brain.test_betas[:, brain.semantic], run.device)[0]
    else:
        tokens = _ridge_tokens(run, brain)
    made = Predictions(None, tokens, None, brain.test_images)
    return full_length(brain, target, made).image_tokens


def _ridge_tokens(run: Run, brain: Subject) -> np.ndarray:
    target = decoding.targets(run, run.base_subject)
    role = brain.semantic
    recipe = {
        "betas": [brain.train_betas[:, role], brain.test_betas[:, role]],
        "images": brain.train_images,
        "targets": target.key,
        "ridge": run.config.ridge,
        "seed": run.config.seed,
        "source": source_digest("models"),
    }

    def build(folder: Path) -> None:
        betas, ids, _ = average_repeats(brain.train_betas[:, role], brain.train_images)
        wanted = target.image_tokens[target.rows(ids)]
        tokens = decode_ridge(run, betas, wanted, brain.test_betas[:, role])
        save_arrays(folder / "tokens.npz", tokens=tokens)

    return load_arrays(run.cached("ridge_tokens", recipe, build) / "tokens.npz")["tokens"]
