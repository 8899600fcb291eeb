"""Finding the image, and saying what it shows (notebooks 05 and 07)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from havir_lib.evaluation.captions import nearest_captions
from havir_lib.evaluation.retrieval import retrieval
from havir_lib.pages.publish import Table, table
from havir_lib.pages.summaries import overall_and_per_subject
from havir_lib.run import Run

TOP_K = (1, 5, 10)


def retrieval_scores(run: Run, methods: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Retrieval by image tokens in a gallery of up to 300 test images, both directions.

    Returns
    -------
    DataFrame
        Columns method, metric, value, low, high, n, n_subjects, subject, pool, chance.
    """
    frames = []
    for name in run.subjects:
        true = run.true_predictions(name).image_tokens
        for method in methods or run.method_names(predicting=True):
            made = run.predictions(name, method)
            found = retrieval(made.image_tokens, true, made.image_ids, top_k=TOP_K)
            frames.append(found.assign(subject=name, method=method))
    scores = pd.concat(frames, ignore_index=True)
    frame = overall_and_per_subject(run, scores, ["method"])
    pool = int(scores["pool"].min())
    k = frame["metric"].str.rpartition("-")[2].astype(int)
    return frame.assign(pool=pool, chance=np.minimum(k / pool, 1))


def predicted_captions(run: Run, name: str, method: str = "HAVIR") -> pd.DataFrame:
    """The training caption nearest to each predicted text, and how good it is.

    Returns
    -------
    DataFrame
        Columns image, shown (its first caption), predicted (training caption), then similarity,
        chance, best, rank and n of :func:`havir_lib.evaluation.captions.nearest_captions`.
    """
    subject, target = run.subject(name), run.targets(name)
    train = np.unique(subject.train_images)
    found = run.remember(
        "captions",
        nearest_captions,
        run.predictions(name, method).text_tokens,
        run.test_targets(name).text_tokens,
        target.text_tokens,
        target.rows(train),
    )
    texts = run.stimuli.captions(train[found["row"]], target.text_tokens.shape[1])
    shown = [captions[0] for captions in run.stimuli.captions(subject.test_images, 1)]
    first = {
        "image": subject.test_images,
        "shown": shown,
        "predicted": [texts[i][k] for i, k in enumerate(found["caption"])],
    }
    return pd.DataFrame(first).join(found.drop(columns=["row", "caption"]))


def prediction_scores(run: Run, methods: tuple[str, ...] = ("HAVIR", "ridge")) -> pd.DataFrame:
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
    return overall_and_per_subject(run, scores, ["method"])


@table
def image_retrieval(run: Run) -> Table:
    """Retrieval in a gallery of up to 300 test images."""
    frame = retrieval_scores(run)
    caption = f"Retrieval by image tokens among {frame['pool'].max()} test images."
    options = {"rows": ["method", "subject"], "columns": "metric"}
    note = f"Chance: k / {frame['pool'].max()}. Image: find the image by the brain; brain: reverse."
    return Table(frame, caption, note, options=options)


@table
def caption_scores(run: Run) -> Table | str:
    """Captions predicted from the text head by the nearest training caption."""
    if not run.config.has_text:
        return "No captions are known of these pictures, so none are predicted."
    caption = "Nearest training caption to the predicted text, against the image's own captions."
    note = "Mean cosine of CLIP text tokens, mean training caption removed."
    return Table(prediction_scores(run), caption, note)
