"""Predictions for test images: what the diffusion model is given.

Shape words: n images, C latent channels, h w latent grid, Ti image tokens, Tt text tokens, D token
width, V voxels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from havir_lib.devices import as_tensor
from havir_lib.errors import ShapeError
from havir_lib.training.data import check_finite

BATCH = 256


@dataclass(frozen=True)
class Predictions:
    """Predicted latents and tokens of some images.

    Attributes
    ----------
    latents : ndarray, shape (n, C, h, w), or None
        None: this method predicts none.
    image_tokens : ndarray, shape (n, Ti, D)
    text_tokens : ndarray, shape (n, Tt, D), or None
    image_ids : ndarray of int, shape (n,)
    """

    latents: np.ndarray | None
    image_tokens: np.ndarray
    text_tokens: np.ndarray | None
    image_ids: np.ndarray

    @property
    def present(self) -> dict[str, np.ndarray]:
        """The arrays that there are, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in self.present.items()}
        if len(set(lengths.values())) != 1:
            raise ShapeError(f"Expected as many of each as there are images, found {lengths}.")

    def select(self, rows: np.ndarray) -> Predictions:
        """Some of the images."""
        chosen = {name: array[rows] for name, array in self.present.items()}
        return Predictions(**{"latents": None, "text_tokens": None} | chosen)


@torch.no_grad()
def predict(
    model: nn.Module, betas: np.ndarray, device: torch.device | str = "cpu"
) -> tuple[np.ndarray, ...]:
    """Apply a branch to betas (n, V).

    Returns
    -------
    tuple of ndarray, float32
        ``(latents,)`` or ``(image_tokens, text_tokens)``.
    """
    check_finite("betas", betas)
    model = model.to(device).eval()
    results: list[np.ndarray] = []
    for n, rows in enumerate(as_tensor(np.asarray(betas, dtype=np.float32)).split(BATCH)):
        output = model(rows.to(device))
        parts = [output] if isinstance(output, torch.Tensor) else output
        if not results:  # filled batch by batch: tokens of all of NSD's images are 9 GB
            results = [np.empty((len(betas), *part.shape[1:]), np.float32) for part in parts]
        for whole, part in zip(results, parts, strict=True):
            whole[n * BATCH : n * BATCH + len(part)] = part.float().cpu().numpy()
    return tuple(results)


def predict_images(
    semantic: nn.Module,
    semantic_betas: np.ndarray,
    image_ids: np.ndarray,
    lengths: tuple[np.ndarray, np.ndarray],
    structural: nn.Module | None = None,
    structural_betas: np.ndarray | None = None,
    text: bool = True,
    device: torch.device | str = "cpu",
) -> Predictions:
    """What two trained branches predict for some images, tokens brought to full length.

    Parameters
    ----------
    semantic, structural : nn.Module
        Trained branches; without the structural one no latents are predicted.
    semantic_betas, structural_betas : ndarray, (n, V)
        Z-scored betas of each branch's voxels, one row per image.
    image_ids : ndarray of int, (n,)
    lengths : tuple of ndarray, (Ti,) and (Tt,)
        From :func:`token_lengths`.
    text : bool
        Without, text tokens are left out, because the networks were not trained on any.
    """
    latents = None
    if structural is not None:
        (latents,) = predict(structural, structural_betas, device)
    image, words = predict(semantic, semantic_betas, device)
    made = rescale(Predictions(latents, image, words, image_ids), lengths)
    return made if text else replace(made, text_tokens=None)


def token_lengths(
    image_tokens: np.ndarray, text_tokens: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean length of each token over training images `rows`: image (Ti,) and text (Tt,).

    Parameters
    ----------
    image_tokens : ndarray, (n, Ti, D)
    text_tokens : ndarray, (n, K, Tt, D)
    rows : ndarray of int
    """
    return _lengths(image_tokens, rows).mean(0), _lengths(text_tokens, rows).mean((0, 1))


def _lengths(tokens: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Length of every token of some images, a few images in memory at a time."""
    parts = (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
    return np.concatenate(
        [np.linalg.norm(tokens[part].astype(np.float32), axis=-1) for part in parts]
    )


def rescale(predictions: Predictions, lengths: tuple[np.ndarray, np.ndarray]) -> Predictions:
    """Give predicted tokens the lengths that true tokens have.

    Predictions from noisy data shrink towards the mean over images, while the diffusion model was
    trained on tokens of full length (class token 1). This keeps the direction of every token and
    sets its length to the mean over *training* targets at that position
    (:func:`token_lengths`); no statistics of test images are used, unlike in Brain-Diffuser.

    Parameters
    ----------
    predictions : Predictions
    lengths : tuple of ndarray, shapes (Ti,) and (Tt,)
    """
    pairs = zip((predictions.image_tokens, predictions.text_tokens), lengths, strict=True)
    image, text = (_of_length(tokens, wanted) for tokens, wanted in pairs)
    return replace(predictions, image_tokens=image, text_tokens=text)


def _of_length(tokens: np.ndarray | None, wanted: np.ndarray) -> np.ndarray | None:
    if tokens is None:
        return None
    return tokens * (wanted[:, None] / np.linalg.norm(tokens, axis=-1, keepdims=True).clip(1e-12))
