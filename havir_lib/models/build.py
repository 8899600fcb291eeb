"""Models from their description, and first layers for new subjects."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch

from havir_lib import config
from havir_lib.models.semantic_extractor import SemanticExtractor
from havir_lib.models.structural_generator import StructuralGenerator

Model = StructuralGenerator | SemanticExtractor


def build(architecture: dict[str, Any], seed: int = 0) -> Model:
    """Build a model with fresh random weights from what its ``architecture`` property gave.

    Parameters
    ----------
    architecture : dict
        ``branch`` ("structural" or "semantic"), ``n_voxels``, shapes of the targets, ``settings``.
    seed : int
        The same seed gives the same weights; torch's global generator is left as it was.
    """
    n_voxels, settings = architecture["n_voxels"], architecture["settings"]
    with seeded(seed):
        if architecture["branch"] == "structural":
            settings = config.StructuralSettings.model_validate(settings)
            return StructuralGenerator(n_voxels, tuple(architecture["latent_shape"]), settings)
        settings = config.SemanticSettings.model_validate(settings)
        image_shape, text_shape = architecture["image_shape"], architecture["text_shape"]
        return SemanticExtractor(n_voxels, tuple(image_shape), tuple(text_shape), settings)


def build_embedding(architecture: dict[str, Any], seed: int = 0) -> torch.nn.Sequential:
    """The voxel embedding of ``build(architecture, seed)``, without the rest.

    The rest of a Semantic Extractor for ViT-L/14 is 2 GB of random numbers.
    """
    kinds = {
        "structural": (StructuralGenerator, config.StructuralSettings),
        "semantic": (SemanticExtractor, config.SemanticSettings),
    }
    model, settings = kinds[architecture["branch"]]
    with seeded(seed):
        return model.embedding(
            architecture["n_voxels"], settings.model_validate(architecture["settings"])
        )


def for_new_subject(base: Model, n_voxels: int, seed: int = 0) -> Model:
    """Copy `base` with a fresh voxel embedding for `n_voxels` voxels.

    Every other weight is that of `base` (appendix C, transfer: a new subject has other voxels, but
    the way from the hidden space to latents or tokens is shared).
    """
    model = copy.deepcopy(base)
    model.n_voxels = n_voxels
    model.embed = build_embedding(model.architecture, seed)
    return model


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers from `seed` inside the block; restore its generators after it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
