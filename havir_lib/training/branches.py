"""From betas and targets to a trained branch (appendix C).

The base subject is trained from scratch on all its sessions. Any other subject starts from the base
model with a new voxel embedding and sees ``training.transfer_sessions`` hours of data.

Shape words: n images, V voxels, C latent channels, h w latent grid, Ti image tokens, Tt text
tokens, D token width, K versions of one target (captions; else 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from havir_lib import config as configuration
from havir_lib.config import Config, Fit
from havir_lib.models import SemanticExtractor, StructuralGenerator, for_new_subject
from havir_lib.models.build import Model, seeded
from havir_lib.models.losses import semantic_loss, structural_loss
from havir_lib.targets import Targets
from havir_lib.training.data import make_training_set
from havir_lib.training.loop import Loss, train

Branch = Literal["structural", "semantic"]
BRANCHES: tuple[Branch, ...] = ("structural", "semantic")
ARRAYS = {"structural": ("latents",), "semantic": ("image_tokens", "text_tokens")}
"""What each branch is trained to predict: names of arrays in :class:`havir_lib.targets.Targets`."""
OWN_LOSSES = {
    "structural": ("mse", "sobel"),
    "semantic": ("softclip", "token_mse", "text", "temperature", "softclip_direction"),
}
"""Settings in ``training.losses`` that a branch has; the other branch's don't count for it."""


@dataclass(frozen=True)
class BranchSettings:
    """Everything of a configuration that the training of one branch depends on.

    Attributes
    ----------
    branch : {"structural", "semantic"}
    architecture : StructuralGenerator or SemanticExtractor settings
    fit : Fit
        Epochs, batch size, learning rate: from scratch or in transfer.
    losses : Losses
        Weights of the terms of Eqs. (1) to (6).
    mixup_repeats : bool
    precision : str
    captions : {"all", "mean"}
    transfer_layers : {"all", "embed"}
    """

    branch: Branch
    architecture: configuration.StructuralSettings | configuration.SemanticSettings
    fit: Fit
    losses: configuration.Losses
    mixup_repeats: bool
    precision: str
    captions: str
    transfer_layers: Literal["all", "embed"]


def branch_settings(config: Config, branch: Branch, transfer: bool = False) -> BranchSettings:
    """The settings of one branch, from scratch or in transfer; those of the other left at default.

    A network is thus not trained again because the other branch's loss has changed.
    """
    training = config.training
    own = {name: getattr(training.losses, name) for name in OWN_LOSSES[branch]}
    if branch == "semantic" and not config.has_text:
        own["text"] = 0.0
    return BranchSettings(
        branch,
        config.structural_generator if branch == "structural" else config.semantic_extractor,
        getattr(training, f"transfer_{branch}" if transfer else branch),
        configuration.Losses(**own),
        training.mixup_repeats,
        training.precision,
        training.captions if branch == "semantic" else "",
        training.transfer_layers if transfer else "all",
    )


def arrays_of(branch: Branch, targets: Targets) -> list[np.ndarray]:
    """What a branch is trained to predict: latents, or image and text tokens."""
    return [getattr(targets, name) for name in ARRAYS[branch]]


def train_branch(
    folder: Path,
    betas: np.ndarray,
    images: np.ndarray,
    targets: Sequence[np.ndarray],
    target_ids: np.ndarray,
    settings: BranchSettings,
    base: Model | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint_seconds: float = 600,
) -> None:
    """Train one branch on one subject, or continue an interrupted training.

    Parameters
    ----------
    folder : Path
        Receives the weights and ``history.csv``; see :func:`havir_lib.training.loop.train`.
    betas : ndarray, (n_trials, V)
        Z-scored betas of the branch's voxels, one row per training trial.
    images : ndarray of int, (n_trials,)
        Image of each trial.
    targets : sequence of ndarray
        Latents (n, C, h, w), or image tokens (n, Ti, D) and text tokens (n, K, Tt, D).
    target_ids : ndarray of int, (n,)
        Images of the targets; at least all of `images`.
    settings : BranchSettings
    base : Model, optional
        The base subject's trained branch, to start from; none: from scratch.
    seed : int
    device : torch.device or str
    checkpoint_seconds : float
    """
    arrays = target_arrays(settings, targets)
    data = make_training_set(betas, images, arrays, target_ids)
    if base is None:
        model = new_model(settings, betas.shape[1], targets, seed)
    else:
        model = start_from(base, betas.shape[1], settings.transfer_layers, seed)
    train(
        Path(folder),
        model,
        data,
        loss_of(settings),
        settings.fit,
        seed=seed,
        mix_repeats=settings.mixup_repeats,
        device=device,
        precision=settings.precision,
        checkpoint_seconds=checkpoint_seconds,
    )


def new_model(
    settings: BranchSettings, n_voxels: int, targets: Sequence[np.ndarray], seed: int
) -> Model:
    """A branch with fresh weights for these voxels and targets."""
    with seeded(seed):
        if settings.branch == "structural":
            return StructuralGenerator(n_voxels, targets[0].shape[1:], settings.architecture)
        image, text = (array.shape[-2:] for array in targets)  # (Ti, D), (Tt, D)
        return SemanticExtractor(n_voxels, image, text, settings.architecture)


def start_from(base: Model, n_voxels: int, layers: Literal["all", "embed"], seed: int) -> Model:
    """The base model with a new voxel embedding; with ``"embed"``, only that will be trained."""
    model = for_new_subject(base, n_voxels, seed)
    if layers == "embed":
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith("embed.")
    return model


def target_arrays(settings: BranchSettings, targets: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What a branch is trained to predict, each (n, K, ...) with K versions of one target."""
    if settings.branch == "structural":
        return [targets[0][:, None]]  # (n, 1, C, h, w)
    image, text = targets
    if settings.captions == "mean":
        text = text.mean(1, keepdims=True, dtype=np.float32)
    return [image[:, None], text]  # (n, 1, Ti, D), (n, K, Tt, D)


def loss_of(settings: BranchSettings) -> Loss:
    """Eq. (3) or Eqs. (5) and (6), with the weights of the configuration."""
    if settings.branch == "structural":
        return lambda latent, targets: structural_loss(latent, *targets, settings.losses)
    return partial(semantic_loss, weights=settings.losses)
