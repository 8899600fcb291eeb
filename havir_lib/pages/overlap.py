"""Is it reconstruction, or recall? Nearness of test to training images, and clusters held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from havir_lib.data.subject import Subject, with_training
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.evaluation.overlap import nearest_training, nearness_summary, semantic_clusters
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.summaries import (
    PAIRED_NOTE,
    bootstrap_of,
    compared,
    how_to_read,
    predicted_scores,
    summarised,
)
from havir_lib.plots.controls import figure_intervals
from havir_lib.run import Run
from havir_lib.run.methods import ridge_of
from havir_lib.run.networks import fitted
from havir_lib.run.targets import lengths_of
from havir_lib.training import Predictions, load_model, predict, rescale
from havir_lib.training.linear import decoded_tokens
from havir_lib.training.state import BEST

SPLITS = ("standard", "as many removed at random", "own cluster removed")


def class_tokens(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    """CLIP class tokens (n, D) of training (rising ids) and test images minus the former's mean."""
    kinds = run.targets(name), run.test_targets(name)
    train, test = (target.image_tokens[:, 0].astype("f4") for target in kinds)
    return train - train.mean(axis=0), test - train.mean(axis=0)


def overlap(run: Run, name: str) -> pd.DataFrame:
    """How near each test image is to its nearest training image.

    Returns
    -------
    DataFrame
        Columns image, nearest (id), similarity (correlation of class tokens), score (HAVIR's image
        token correlation).
    """
    subject = run.subject(name)
    train, test = class_tokens(run, name)
    row, similarity = nearest_training(test, train)
    scores = predicted_scores(run, ("HAVIR",), [name])
    score = scores[scores["metric"] == "image token correlation"].set_index("image")["value"]
    return pd.DataFrame(
        {
            "image": subject.test_images,
            "nearest": np.unique(subject.train_images)[row],
            "similarity": similarity,
            "score": score.loc[subject.test_images].to_numpy(),
        }
    )


def overlap_summary(run: Run) -> pd.DataFrame:
    """:func:`havir_lib.evaluation.overlap.nearness_summary` of the base subject."""
    found = overlap(run, run.base_subject)
    train, _ = class_tokens(run, run.base_subject)
    columns = found["similarity"].to_numpy(), found["score"].to_numpy()
    return nearness_summary(train, *columns, **bootstrap_of(run))


@table
def nearness(run: Run) -> Table:
    """How near test images are to training images, and whether scores depend on it."""
    caption = "Semantic overlap of test and training images (CLIP class tokens), base subject."
    return Table(overlap_summary(run), caption)


def clusters_of(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Semantic cluster of the base subject's training images (rising ids) and test images."""
    tokens = class_tokens(run, run.base_subject)
    return semantic_clusters(*tokens, run.config.comparison.n_clusters, run.config.seed)


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
    name = run.base_subject
    subject, true = run.subject(name), run.true_predictions(name)
    standard = run.predictions(name, method).image_tokens
    made = {SPLITS[0]: standard, SPLITS[1]: standard.copy(), SPLITS[2]: standard.copy()}
    labels, test_labels = clusters_of(run)
    train = np.unique(subject.train_images)
    for cluster in tqdm(np.unique(test_labels), desc="held-out clusters", unit="cluster"):
        rows = test_labels == cluster
        rng = np.random.default_rng([run.config.seed, int(cluster)])
        own = train[labels == cluster]
        for split, removed in ((SPLITS[1], rng.choice(train, len(own), replace=False)),
                               (SPLITS[2], own)):  # fmt: skip
            made[split][rows] = tokens_without(run, removed, method)[rows]
    frames = []
    for split, tokens in made.items():
        predicted = Predictions(None, tokens, None, subject.test_images)
        frames.append(embedding_scores(predicted, true).assign(split=split, method=method))
    return pd.concat(frames, ignore_index=True)


def tokens_without(run: Run, removed: np.ndarray, method: str) -> np.ndarray:
    """Image tokens of all test images, decoded without these training images; cached."""
    name = run.base_subject
    whole, target = run.subject(name), run.targets(name)
    kept = whole.trials["is_train"].to_numpy() & ~whole.trials["image"].isin(removed).to_numpy()
    subject = with_training(whole, kept)
    if method == "HAVIR":
        folder = fitted(run, subject, target, "semantic", run.config)
        model = load_model(folder.path / BEST)
        tokens = predict(model, subject.test_betas[:, subject.semantic], run.device)[0]
    else:
        tokens = _ridge_tokens(run, subject)
    made = Predictions(None, tokens, None, subject.test_images)
    return rescale(made, lengths_of(run, target, subject.train_images)).image_tokens


def _ridge_tokens(run: Run, subject: Subject) -> np.ndarray:
    target, voxels = run.targets(run.base_subject), subject.semantic
    return run.remember(
        "decoded_tokens",
        decoded_tokens,
        ridge_of(run),
        subject.train_betas[:, voxels],
        subject.train_images,
        subject.test_betas[:, voxels],
        target.image_tokens,
        target.image_ids,
    )


def methods_of(run: Run) -> tuple[str, ...]:
    """Methods whose clusters are held out; networks only in full."""
    return ("ridge", "HAVIR") if run.config.comparison.full else ("ridge",)


def held_out_clusters(run: Run) -> pd.DataFrame:
    """Scores of the three splits, of the base subject.

    Returns
    -------
    DataFrame
        Columns method, split, metric, value, low, high, n, n_subjects.
    """
    frames = [held_out_scores(run, method) for method in methods_of(run)]
    return summarised(run, pd.concat(frames, ignore_index=True), ["method", "split"])


def held_out_differences(run: Run) -> pd.DataFrame:
    """Paired differences of the standard and the random split to the held-out one.

    Positive: better when the cluster was trained on. The row against ``"as many removed at
    random"`` is the cost of meaning alone.
    """
    frames = [
        compared(run, held_out_scores(run, method), split, [SPLITS[2]], "split", ["method"])
        for method in methods_of(run)
        for split in SPLITS[:2]
    ]
    return pd.concat(frames, ignore_index=True)


@table
def clusters_table(run: Run) -> Table:
    """Decoding of images whose semantic cluster was never trained on; networks only in full."""
    caption = "Image tokens decoded with and without the test image's own semantic cluster."
    note = (
        f"{run.config.comparison.n_clusters} k-means clusters of training images, each left out in "
        "turn; beside it as many images removed at random. Base subject."
    )
    return Table(held_out_clusters(run), caption, note)


@figure
def clusters(run: Run) -> Drawn:
    """Decoding with and without the test image's own semantic cluster in the training data."""
    frame = held_out_clusters(run)
    drawn = figure_intervals(frame, panel="metric", row="split", colour="method")
    caption = "Image tokens decoded with all training images, without as many at random, and "
    caption += f"without the test image's own semantic cluster. {how_to_read(run, frame)}"
    return Drawn(drawn, caption, {"scores": frame})


@table
def differences(run: Run) -> Table:
    """The paired cost of holding a cluster out."""
    caption = "Loss by holding out the test image's cluster (positive: worse when held out)."
    return Table(held_out_differences(run), caption, PAIRED_NOTE)
