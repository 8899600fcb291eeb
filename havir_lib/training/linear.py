"""Any decoder from betas to targets, applied as HAVIR's branches are: each to its own voxels.

Shape words: n trials, m test images, V voxels, F entries of a flattened target.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from havir_lib.data.subject import average_repeats
from havir_lib.targets.compute import target_rows
from havir_lib.training.predict import Predictions, rescale, token_lengths

Decode = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""``decode(betas (n, V), targets (n, F), new_betas (m, V))`` gives targets (m, F)."""


def decoded_predictions(
    decode: Decode,
    structural: tuple[np.ndarray, np.ndarray],
    semantic: tuple[np.ndarray, np.ndarray],
    images: np.ndarray,
    targets: tuple[np.ndarray, np.ndarray, np.ndarray],
    target_ids: np.ndarray,
    test_ids: np.ndarray,
) -> Predictions:
    """Fit a decoder to each kind of target, and predict those of the test images.

    Latents come from structural voxels, image and text tokens from semantic ones. Trials of one
    image are averaged first; the text target is the mean over captions. Tokens get full length
    (:func:`havir_lib.training.rescale`).

    Parameters
    ----------
    decode : callable
        See :data:`Decode`.
    structural, semantic : tuple of ndarray, (n, V) and (m, V)
        Training and test betas of the voxels of each role, z-scored.
    images : ndarray of int, (n,)
        Image of each training trial.
    targets : tuple of ndarray
        Latents (N, C, h, w), image tokens (N, Ti, D), text tokens (N, K, Tt, D).
    target_ids : ndarray of int, (N,)
        Images of the targets.
    test_ids : ndarray of int, (m,)
    """
    latents, image_tokens, text_tokens = targets
    rows = target_rows(target_ids, np.unique(images))
    made = Predictions(
        _decoded(decode, structural, images, latents[rows]),
        _decoded(decode, semantic, images, image_tokens[rows]),
        _decoded(decode, semantic, images, text_tokens[rows].mean(axis=1, dtype="f4")),
        test_ids,
    )
    return rescale(made, token_lengths(image_tokens, text_tokens, rows))


def decoded_tokens(
    decode: Decode,
    betas: np.ndarray,
    images: np.ndarray,
    new_betas: np.ndarray,
    image_tokens: np.ndarray,
    target_ids: np.ndarray,
) -> np.ndarray:
    """Image tokens (m, Ti, D) of `new_betas` (m, V), as in :func:`decoded_predictions`."""
    wanted = image_tokens[target_rows(target_ids, np.unique(images))]
    return _decoded(decode, (betas, new_betas), images, wanted)


def _decoded(
    decode: Decode, betas: tuple[np.ndarray, np.ndarray], images: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Targets of the second betas (m, V), in the shape of `wanted` (one row per image, rising)."""
    mean, _, _ = average_repeats(betas[0], images)
    made = decode(mean, wanted.reshape(len(wanted), -1), betas[1])  # (m, F)
    return np.asarray(made, dtype=np.float32).reshape(-1, *wanted.shape[1:])
