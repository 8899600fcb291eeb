"""Designs that each change one thing about HAVIR, to see whether that thing matters.

The last two follow other systems in the respects named here and in nothing else: widths, losses,
optimiser, data and diffusion stay ours, so that what differs is the idea and not the tuning.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from havir_lib.config import Config
from havir_lib.data.subject import Subject
from havir_lib.run.networks import Design
from havir_lib.run.templates import template_subject

if TYPE_CHECKING:
    from havir_lib.run.run import Run


def undivided(run: Run, name: str) -> Subject:
    """The subject whose structural and semantic voxels all feed both branches."""
    subject = run.subject(name)
    everything = np.ones(subject.n_voxels, dtype=bool)
    return replace(subject, structural=everything, semantic=everything)


def swapped(run: Run, name: str) -> Subject:
    """The subject whose semantic voxels feed the structural branch and the reverse."""
    subject = run.subject(name)
    return replace(subject, structural=subject.semantic, semantic=subject.structural)


def pooled(config: Config) -> Config:
    """Voxels max-pooled to a common number before the first layer."""
    settings = config.semantic_extractor.model_copy(
        update={"pooled_voxels": config.comparison.pooled_voxels}
    )
    return config.model_copy(update={"semantic_extractor": settings})


def without_text(config: Config) -> Config:
    """Only the image tokens are learnt."""
    losses = config.training.losses.model_copy(update={"text": 0.0})
    training = config.training.model_copy(update={"losses": losses})
    return config.model_copy(update={"training": training})


ALL_VOXELS = Design(subject=undivided)
SWAPPED_ROLES = Design(subject=swapped)
TEMPLATE_MASKS = Design(subject=template_subject)
MINDBRIDGE_STYLE = Design(subject=undivided, settings=pooled, latent=False)
MINDEYE_STYLE = Design(subject=undivided, settings=without_text, text=False)
