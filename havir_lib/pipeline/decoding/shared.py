"""What every decoder needs: targets, their lengths, identities of weights, similarities."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from havir_lib.data.subject import Subject
from havir_lib.evaluation.correlation import all_correlations
from havir_lib.pipeline import brains
from havir_lib.pipeline.run import Run
from havir_lib.provenance import digest, file_digest
from havir_lib.targets import Targets, compute_targets
from havir_lib.targets.vae import diffusion_folder
from havir_lib.training import Predictions, rescale, token_lengths

POOL_BLOCK = 512  # images whose tokens are in memory at once


@lru_cache(maxsize=4)
def weights_digest(run: Run) -> str:
    """Hash of the diffusion model's and CLIP's weight files."""
    folder = diffusion_folder(run.config.weights)
    kinds = ("*.safetensors", "*.bin", "*.json")
    files = sorted(file for kind in kinds for file in folder.rglob(kind))
    return digest([run.config.weights, [file_digest(file) for file in files]])


@lru_cache(maxsize=8)
def targets(run: Run, name: str) -> Targets:
    """Latents and tokens of a subject's training images."""
    return targets_of(run, brains.subject(run, name).train_images)


@lru_cache(maxsize=8)
def test_targets(run: Run, name: str) -> Targets:
    """Latents and tokens of a subject's test images, in their order."""
    return targets_of(run, brains.subject(run, name).test_images)


def targets_of(run: Run, images: np.ndarray) -> Targets:
    """Latents and tokens of images, each once."""
    return compute_targets(
        run.config,
        brains.stimuli(run),
        np.unique(images),
        cache=run.workspace.cache,
        device=run.device,
    )


def full_length(brain: Subject, target: Targets, predicted: Predictions) -> Predictions:
    """Predicted tokens with the mean lengths of this subject's training targets."""
    return rescale(predicted, token_lengths(target, np.unique(brain.train_images)))


def true_predictions(run: Run, name: str) -> Predictions:
    """The true targets of a subject's test images, as a perfect method would predict them."""
    target = test_targets(run, name)
    return as_predictions(target, target.image_ids)


def as_predictions(target: Targets, ids: np.ndarray) -> Predictions:
    """Targets as predictions for the images `ids`; the text is the first caption's."""
    arrays = (target.latents, target.image_tokens, target.text_tokens[:, 0])
    return Predictions(*(array.astype("f4") for array in arrays), ids)


def flat(array: np.ndarray) -> np.ndarray:
    """One float32 row per image."""
    return array.reshape(len(array), -1).astype("f4")


def similarity_to(queries: np.ndarray, pool: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Correlation of each query with each of some items of a pool that may not fit into memory.

    Parameters
    ----------
    queries : ndarray, shape (n, ...)
    pool : ndarray, shape (N, ...)
        May be memory-mapped; read in blocks.
    rows : ndarray of int, shape (m,)
        Which items.

    Returns
    -------
    ndarray, shape (n, m)
    """
    flat_queries = flat(queries)
    blocks = np.array_split(rows, range(POOL_BLOCK, len(rows), POOL_BLOCK))
    return np.concatenate([all_correlations(flat_queries, flat(pool[b])) for b in blocks], axis=1)
