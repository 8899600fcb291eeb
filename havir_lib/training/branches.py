"""From a subject and its targets to a trained branch (appendix C).

The base subject is trained from scratch on all its sessions. Any other subject starts from the base
model with a new voxel embedding and sees ``training.transfer_sessions`` hours of data.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from havir_lib.config import Config, Fit
from havir_lib.data.subject import Subject
from havir_lib.models import SemanticExtractor, StructuralGenerator, for_new_subject
from havir_lib.models.build import Model, seeded
from havir_lib.models.losses import semantic_loss, structural_loss
from havir_lib.targets import Targets
from havir_lib.training.checkpoint import load_model
from havir_lib.training.data import make_training_set
from havir_lib.training.loop import Loss, train
from havir_lib.training.state import BEST

Branch = Literal["structural", "semantic"]


def train_branch(
    folder: Path,
    branch: Branch,
    config: Config,
    subject: Subject,
    targets: Targets,
    base: Path | None = None,
    device: torch.device | str = "cpu",
) -> None:
    """Train one branch on one subject, or continue an interrupted training.

    Parameters
    ----------
    folder : Path
        Receives the weights and ``history.csv``; see :func:`havir_lib.training.loop.train`.
    branch : {"structural", "semantic"}
    subject : Subject
        With the training sessions it shall see, see ``Subject.hours``.
    targets : Targets
        At least of the training images.
    base : Path, optional
        Folder of the base subject's training, to start from; none: from scratch.
    """
    voxels = getattr(subject, branch)
    data = make_training_set(
        subject.train_betas[:, voxels],
        subject.train_images,
        target_arrays(config, branch, targets),
        targets.image_ids,
    )
    n_voxels, seed = int(voxels.sum()), config.seed
    if base is None:
        model = new_model(config, branch, n_voxels, targets, seed)
    else:
        model = start_from(base, n_voxels, config.training.transfer_layers, seed)
    training = config.training
    train(
        Path(folder),
        model,
        data,
        loss_of(config, branch),
        fit_of(config, branch, transfer=base is not None),
        seed=seed,
        mix_repeats=training.mixup_repeats,
        device=device,
        precision=training.precision,
        checkpoint_seconds=training.checkpoint_seconds,
    )


def new_model(config: Config, branch: Branch, n_voxels: int, targets: Targets, seed: int) -> Model:
    """A branch with fresh weights for these voxels and targets."""
    with seeded(seed):
        if branch == "structural":
            shape = targets.latents.shape[1:]
            return StructuralGenerator(n_voxels, shape, config.structural_generator)
        shapes = targets.image_tokens.shape[-2:], targets.text_tokens.shape[-2:]
        return SemanticExtractor(n_voxels, *shapes, config.semantic_extractor)


def start_from(base: Path, n_voxels: int, layers: Literal["all", "embed"], seed: int) -> Model:
    """The base model with a new voxel embedding; with ``"embed"``, only that will be trained."""
    model = for_new_subject(load_model(base / BEST), n_voxels, seed)
    if layers == "embed":
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith("embed.")
    return model


def target_arrays(config: Config, branch: Branch, targets: Targets) -> Sequence[np.ndarray]:
    """What a branch is trained to predict, each (n, K, ...) with K versions of one target."""
    if branch == "structural":
        return [targets.latents[:, None]]
    text = targets.text_tokens
    if config.training.captions == "mean":
        text = text.mean(1, keepdims=True, dtype=np.float32)
    return [targets.image_tokens[:, None], text]


def loss_of(config: Config, branch: Branch) -> Loss:
    """Eq. (3) or Eqs. (5) and (6), with the weights of the configuration."""
    if branch == "structural":
        return lambda latent, targets: structural_loss(latent, *targets, config.training.losses)
    return partial(semantic_loss, weights=config.training.losses)


def fit_of(config: Config, branch: Branch, transfer: bool) -> Fit:
    """How a branch is trained, from scratch or in transfer."""
    return getattr(config.training, f"transfer_{branch}" if transfer else branch)
