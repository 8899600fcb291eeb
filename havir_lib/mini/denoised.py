"""Latents as the UNet denoises them, for the decoder's last lessons.

Denoised from its own true targets, a latent is not quite the one that the encoder gave. A decoder
that has seen such latents beside the picture they stand for loses less of what they still tell.

Shape words: n scenes, C = 12 latent channels, h = w = 16.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from havir_lib.diffusion.inputs import Inputs, conditions
from havir_lib.diffusion.model import DualGuidedDiffusion
from havir_lib.diffusion.sampler import Sampling, sample
from havir_lib.io import load_arrays, save_arrays
from havir_lib.provenance import digest
from havir_lib.targets.clip import ClipEncoder

SAMPLING = Sampling(
    steps=5,
    strength=0.7,
    strength_convention="noise",
    guidance_scale=1.5,
    mixing=0.5,
    scheduler="unipc",
)
"""Like the demo's, from a little more noise: what the decoder must repair is then plain."""
BATCH_SIZE = 32


def denoised_latents(
    folder: Path, images: np.ndarray, captions: list[list[str]],
    model: DualGuidedDiffusion, clip: ClipEncoder,
) -> np.ndarray:  # fmt: skip
    """Latents of pictures, noised and denoised with the pictures' own tokens.

    Parameters
    ----------
    folder : Path
        Where the result is kept, so that a resumed run reuses it.
    images : ndarray, uint8 (n, H, W, 3)
    captions : list of n lists of str
        One of each is used.
    model : DualGuidedDiffusion
    clip : ClipEncoder

    Returns
    -------
    ndarray, float16 (n, C, h, w)
        Scaled to unit standard deviation, as ``model.encode`` gives them.
    """
    path = Path(folder) / f"denoised-{_identity(model, clip, len(images))}.npz"
    if not path.is_file():
        starts = tqdm(range(0, len(images), BATCH_SIZE), desc="denoising", unit=f"x{BATCH_SIZE}")
        parts = [_denoise(images, captions, slice(s, s + BATCH_SIZE), model, clip) for s in starts]
        save_arrays(path, latents=np.concatenate(parts))
    return load_arrays(path)["latents"]


@torch.inference_mode()
def _denoise(
    images: np.ndarray, captions: list[list[str]], part: slice,
    model: DualGuidedDiffusion, clip: ClipEncoder,
) -> np.ndarray:  # fmt: skip
    pictures = np.array(images[part])
    seeds = range(part.start, part.start + len(pictures))
    told = [five[i % len(five)] for i, five in zip(seeds, captions[part], strict=True)]
    tokens = (clip.image_tokens(pictures).float(), clip.text_tokens(told).float())
    image, text = conditions(model.unet, tokens, (None, None), (True, True), len(pictures))
    latents = torch.from_numpy(model.encode(pictures))
    inputs = Inputs(latents, image, text, seeds, model.unet.latent_shape)
    (batch,) = inputs.batches(len(pictures), model.device)
    made = sample(model.unet, model.scheduler_config, SAMPLING, batch)
    return made.float().cpu().numpy().astype(np.float16)


def _identity(model: DualGuidedDiffusion, clip: ClipEncoder, n: int) -> str:
    # The decoder is left out: it changes no latent.
    parts = (model.unet, model.vae.encoder, model.vae.quant_conv, clip.model)
    tensors = [x.float().cpu().numpy() for part in parts for x in part.state_dict().values()]
    return digest([n, model.vae.config.scaling_factor, asdict(SAMPLING), *tensors])
