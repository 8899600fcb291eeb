"""What the text head has understood: captions and images found by predicted text tokens.

No caption is written: the nearest of all *training* captions stands for the prediction. Texts are
compared by the cosine of their CLIP text tokens after the mean training caption is taken off, so
that what all captions share (padding, "a photo of") does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from havir_lib.evaluation.retrieval import retrieval
from havir_lib.pipeline import brains, decoding, embeddings
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest
from havir_lib.targets import Targets

BLOCK = 256  # images whose captions are in memory at once
TOP_K = (1, 5, 10)


def image_retrieval(run: Run, methods: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Retrieval by image tokens in a gallery of up to 300 test images, both directions.

    Returns
    -------
    DataFrame
        Columns method, metric, value, low, high, n, n_subjects, subject, pool, chance.
    """
    frames = []
    for name in run.subjects:
        true = decoding.predictions(run, name, "true targets").image_tokens
        for method in methods or decoding.method_names(run):
            made = decoding.predictions(run, name, method)
            found = retrieval(made.image_tokens, true, made.image_ids, top_k=TOP_K)
            frames.append(found.assign(subject=name, method=method))
    scores = pd.concat(frames, ignore_index=True)
    table = embeddings.overall_and_per_subject(run, scores, ["method"])
    pool = int(scores["pool"].min())
    k = table["metric"].str.rpartition("-")[2].astype(int)
    return table.assign(pool=pool, chance=np.minimum(k / pool, 1))


def predicted_captions(run: Run, name: str, method: str = "HAVIR") -> pd.DataFrame:
    """The training caption nearest to each predicted text, and how good it is.

    Returns
    -------
    DataFrame
        Columns image, shown (its first caption), predicted (training caption), similarity (mean
        cosine of the predicted caption and the image's own captions), chance (that of a training
        caption drawn at random), best (that of the best training caption there is), rank (of the
        image's own captions among those of all test images, by mean cosine with the predicted
        tokens; 1 is first), n (test images).
    """
    brain, target = brains.subject(run, name), decoding.targets(run, name)
    predicted = decoding.predictions(run, name, method).text_tokens
    recipe = {
        "predicted": predicted,
        "test": brain.test_images,
        "train": np.unique(brain.train_images),
        "targets": target.key,
        "source": source_digest("pipeline/captions"),
    }

    def build(folder: Path) -> None:
        _find(run, name, predicted).to_csv(folder / "captions.csv", index=False)

    return pd.read_csv(run.cached("captions", recipe, build) / "captions.csv")


def _find(run: Run, name: str, predicted: np.ndarray) -> pd.DataFrame:
    brain, target = brains.subject(run, name), decoding.targets(run, name)
    train, n_captions = np.unique(brain.train_images), target.text_tokens.shape[1]
    mean = _mean_caption(target, train)
    queries = _unit(predicted, mean)  # (n, F)
    tests = decoding.test_targets(run, name)
    own = _own_captions(tests, brain.test_images, mean)  # (n, F), not of length 1
    by_query, by_own = _against_pool(target, train, mean, queries, own)
    chosen = by_query.argmax(axis=1)
    image, caption = np.divmod(chosen, n_captions)
    n, to_test, store = len(queries), queries @ own.T, brains.stimuli(run)
    texts = store.captions(train[image], n_captions)
    return pd.DataFrame(
        {
            "image": brain.test_images,
            "shown": [captions[0] for captions in store.captions(brain.test_images, 1)],
            "predicted": [texts[i][k] for i, k in enumerate(caption)],
            "similarity": by_own[np.arange(n), chosen],
            "chance": by_own.mean(axis=1),
            "best": by_own.max(axis=1),
            "rank": (to_test > np.diag(to_test)[:, None]).sum(axis=1) + 1,
            "n": n,
        }
    )


def caption_scores(run: Run, methods: tuple[str, ...] = ("HAVIR", "ridge")) -> pd.DataFrame:
    """Caption prediction over all subjects and per subject.

    Returns
    -------
    DataFrame
        Columns method, metric, value, low, high, n, n_subjects, subject. Metrics: ``similarity`` of
        the predicted caption, between those of the ``best training caption`` and a ``random
        training caption``; ``above chance``, the difference to the latter; ``top-1`` and
        ``top-10``, how often an image's own captions come first, or among the first ten, of those
        of all test images.
    """
    frames = []
    for name in run.subjects:
        for method in methods:
            found = predicted_captions(run, name, method)
            values = {
                "similarity": found["similarity"],
                "best training caption": found["best"],
                "random training caption": found["chance"],
                "above chance": found["similarity"] - found["chance"],
                "top-1": found["rank"] <= 1,
                "top-10": found["rank"] <= 10,
            }
            long = pd.DataFrame(values).astype(float).assign(image=found["image"])
            long = long.melt("image", var_name="metric")
            frames.append(long.assign(subject=name, method=method))
    scores = pd.concat(frames, ignore_index=True)
    return embeddings.overall_and_per_subject(run, scores, ["method"])


def _mean_caption(target: Targets, ids: np.ndarray) -> np.ndarray:
    total = 0.0
    for block in _blocks(target, ids):
        total = total + block.reshape(-1, *block.shape[2:]).astype("f8").sum(axis=0)
    return (total / (len(ids) * target.text_tokens.shape[1])).astype("f4")


def _own_captions(target: Targets, ids: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Mean unit vector of each image's captions; its dot product is a mean cosine."""
    blocks = [
        _unit(block.reshape(-1, *block.shape[2:]), mean).reshape(*block.shape[:2], -1).mean(axis=1)
        for block in _blocks(target, ids)
    ]
    return np.concatenate(blocks)


def _against_pool(
    target: Targets, ids: np.ndarray, mean: np.ndarray, *rows: np.ndarray
) -> list[np.ndarray]:
    """Dot products of each of `rows`, (n, F), with every training caption's unit vector."""
    found: list[list[np.ndarray]] = [[] for _ in rows]
    for block in _blocks(target, ids):
        pool = _unit(block.reshape(-1, *block.shape[2:]), mean)
        for parts, queries in zip(found, rows, strict=True):
            parts.append(queries @ pool.T)
    return [np.concatenate(parts, axis=1) for parts in found]


def _blocks(target: Targets, ids: np.ndarray) -> Iterator[np.ndarray]:
    """Text tokens (b, n_captions, Tt, D) of a few images at a time."""
    rows = target.rows(ids)
    for start in range(0, len(rows), BLOCK):
        yield target.text_tokens[rows[start : start + BLOCK]]


def _unit(tokens: np.ndarray, mean: np.ndarray) -> np.ndarray:
    rows = (tokens.astype("f4") - mean).reshape(len(tokens), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
