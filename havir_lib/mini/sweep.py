"""What guidance scale and mixing ratio do: generate over a range of each, and see what is followed.

Image tokens come from one scene, text tokens from a caption of another. How far a generated picture
follows either scene is the cosine similarity of its CLIP class token with that scene's own, so both
are told in the same measure.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from havir_lib.config import Diffusion, Weights
from havir_lib.diffusion.model import load_diffusion
from havir_lib.mini.data import EVALUATION_SEED, load_scenes
from havir_lib.mini.evaluation import SAMPLING, encode_images, first_captions, reconstruct
from havir_lib.paths import MINI_WEIGHTS
from havir_lib.targets.clip import load_clip

SCALES = (1.0, 1.5, 2.0, 3.0, 4.0)
MIXINGS = (0.0, 0.25, 0.5, 0.75, 1.0)


def guidance_sweep(
    folder: Path,
    weights: Path = MINI_WEIGHTS,
    device: torch.device | str = "cpu",
    *,
    n: int = 64,
    sampling: Diffusion | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """Generate held-out scenes from tokens alone, over guidance scales and over mixing ratios.

    Parameters
    ----------
    folder, weights, device, sampling, workers
        As in :func:`havir_lib.mini.evaluation.evaluate_models`.
    n : int
        Held-out scenes per value.

    Returns
    -------
    DataFrame
        Columns setting (guidance_scale, mixing), at (its value), follows (image tokens, text
        tokens, both), scene (row), similarity (cosine, -1 to 1). Over guidance scales, both kinds
        of tokens come from the same scene (follows: both).
    """
    scenes = load_scenes(folder, n, EVALUATION_SEED, workers)
    model = load_diffusion(weights, device)
    encoder = load_clip(Weights(clip=str(Path(weights) / "clip")), device)
    tokens = encode_images(encoder, scenes.images)
    image, text = tokens.astype(np.float32), first_captions(encoder, scenes, n)
    latents = np.zeros((n, *model.unet.latent_shape), np.float32)
    other = np.roll(np.arange(n), 1)
    settings = sampling or SAMPLING

    def generated(text: np.ndarray, **changed: float) -> np.ndarray:
        sampler = settings.model_copy(update=changed)
        made = reconstruct(model, latents, image, text, sampler, use_latent=False)
        return encode_images(encoder, made)[:, 0]

    rows = []
    for scale in SCALES:
        made = generated(text, guidance_scale=scale)
        rows.append(_rows("guidance_scale", scale, "both", made, tokens[:, 0]))
    for mixing in MIXINGS:
        made = generated(text[other], mixing=mixing)
        rows.append(_rows("mixing", mixing, "image tokens", made, tokens[:, 0]))
        rows.append(_rows("mixing", mixing, "text tokens", made, tokens[other, 0]))
    return pd.concat(rows, ignore_index=True)


def _rows(setting: str, at: float, follows: str, made: np.ndarray, of: np.ndarray) -> pd.DataFrame:
    made, of = (x.astype(np.float32) for x in (made, of))
    norms = np.linalg.norm(made, axis=1) * np.linalg.norm(of, axis=1)
    return pd.DataFrame(
        {
            "setting": setting,
            "at": at,
            "follows": follows,
            "scene": np.arange(len(made)),
            "similarity": (made * of).sum(1) / norms,
        }
    )
