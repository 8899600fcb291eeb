"""What the branches are to predict, and what identifies the frozen models that define it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from havir_lib import hub
from havir_lib.config import Weights
from havir_lib.provenance import digest
from havir_lib.targets import Targets, compute_targets
from havir_lib.targets.clip import clip_content
from havir_lib.targets.vae import COMPONENTS, diffusion_folder
from havir_lib.training import Predictions, token_lengths

if TYPE_CHECKING:
    from havir_lib.run.run import Run


def targets_of(run: Run, images: np.ndarray) -> Targets:
    """Latents and tokens of images, each once, in rising order of id."""
    return compute_targets(
        run.config,
        run.stimuli,
        np.unique(images),
        cache=run.workspace.cache,
        device=run.device,
    )


def lengths_of(run: Run, target: Targets, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean lengths of image (Ti,) and text tokens (Tt,) over training images; cached."""
    made = run.remember(
        "token_lengths",
        lengths,
        target.image_tokens,
        target.text_tokens,
        target.rows(np.unique(images)),
    )
    return made["image"], made["text"]


def lengths(
    image_tokens: np.ndarray, text_tokens: np.ndarray, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """:func:`havir_lib.training.token_lengths` by name."""
    return dict(zip(("image", "text"), token_lengths(image_tokens, text_tokens, rows), strict=True))


def as_predictions(target: Targets, ids: np.ndarray, text: bool = True) -> Predictions:
    """Targets as predictions for the images `ids`; the text is the first caption's, or none."""
    words = target.text_tokens[:, 0].astype("f4") if text else None
    return Predictions(target.latents.astype("f4"), target.image_tokens.astype("f4"), words, ids)


def weights_content(run: Run) -> str:
    """:func:`content_of_weights` of a run's own."""
    return content_of_weights(run.config.weights)


def content_of_weights(weights: Weights) -> str:
    """Hash of what makes pictures of tokens: files of the diffusion model and of CLIP."""
    folder = diffusion_folder(weights)
    kinds = (".safetensors", ".bin", ".json")
    parts = (file for part in COMPONENTS for file in (folder / part).rglob("*"))
    files = sorted(file for file in parts if file.suffix in kinds)
    names = [file.relative_to(folder).as_posix() for file in files]
    digests = [hub.checked_digest(file) for file in files]
    return digest([names, digests, clip_content(weights)])
