"""Scenes as the frozen VAE and CLIP encode them: what the UNet learns from.

Shape words: n scenes, m twins, C latent channels, h w latent grid, Ti image tokens, Tt text tokens,
D token width.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm import tqdm

from havir_lib.devices import mixed_precision
from havir_lib.io import save_arrays
from havir_lib.mini.data import SceneSet
from havir_lib.mini.vae import to_tensor
from havir_lib.provenance import digest
from havir_lib.targets.clip import ClipEncoder


@dataclass(frozen=True)
class Encoded:
    """What the UNet learns from, encoded once.

    Attributes
    ----------
    latents : ndarray, float16 (n, C, h, w)
        Scaled to unit standard deviation.
    image_tokens : ndarray, float16 (n, Ti, D)
    ids : Tensor, int64 (n, captions, Tt)
        Caption token ids; text tokens are computed when drawn, which costs less than reading them.
    twin_latents : ndarray, float16 (m, C, h, w)
    twin_ids : Tensor, int64 (m, captions, Tt)
        The same of the first m scenes' twins, with another main object.
    """

    latents: np.ndarray
    image_tokens: np.ndarray
    ids: Tensor
    twin_latents: np.ndarray
    twin_ids: Tensor


@torch.inference_mode()
def encode(
    folder: Path, scenes: SceneSet, twins: SceneSet, vae: AutoencoderKL, clip: ClipEncoder
) -> Encoded:
    """Latents and tokens of all scenes, written to `folder` so that a resumed run reuses them."""
    path = folder / f"encoded-{_identity(vae, clip, len(scenes), len(twins))}.npz"
    if not path.is_file():
        arrays = {
            "latents": encode_latents(scenes, vae),
            "image_tokens": encode_images(clip, scenes.images),
            "ids": tokenize(clip, scenes),
            "twin_latents": encode_latents(twins, vae),
            "twin_ids": tokenize(clip, twins),
        }
        save_arrays(path, **arrays)
    with np.load(path, allow_pickle=False) as arrays:
        ids = {name: torch.from_numpy(arrays[name]).long() for name in ("ids", "twin_ids")}
        rest = {name: arrays[name] for name in ("latents", "image_tokens", "twin_latents")}
        return Encoded(**rest, **ids)


def _identity(vae: AutoencoderKL, clip: ClipEncoder, *sizes: int) -> str:
    # The decoder is left out: refining it changes no latent.
    parts = (vae.encoder, vae.quant_conv, clip.model)
    tensors = [x.float().cpu().numpy() for part in parts for x in part.state_dict().values()]
    return digest([vae.config.scaling_factor, *sizes, *tensors])


def encode_latents(scenes: SceneSet, vae: AutoencoderKL, batch_size: int = 64) -> np.ndarray:
    """Latents (n, C, h, w) of scenes, float16, scaled to unit standard deviation."""
    parts = []
    for start in tqdm(range(0, len(scenes), batch_size), desc="latents", unit=f"x{batch_size}"):
        x = to_tensor(scenes.images[start : start + batch_size], vae.device)
        with mixed_precision(vae.device):
            mean = vae.encode(x).latent_dist.mean.float()
        parts.append((mean * vae.config.scaling_factor).cpu().numpy().astype(np.float16))
    return np.concatenate(parts)


def tokenize(clip: ClipEncoder, scenes: SceneSet) -> np.ndarray:
    """Caption token ids (n, captions, Tt), int16."""
    ids = clip.tokenize([caption for five in scenes.captions for caption in five])
    return ids.unflatten(0, (len(scenes), -1)).cpu().numpy().astype(np.int16)


@torch.inference_mode()
def encode_images(encoder: ClipEncoder, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Image tokens (n, Ti, D), float16."""
    parts = [
        encoder.image_tokens(np.array(images[start : start + batch_size]))
        for start in tqdm(range(0, len(images), batch_size), desc="image tokens")
    ]
    return torch.cat(parts).cpu().numpy().astype(np.float16)
