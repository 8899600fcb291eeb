"""VAE latents: what the Structural Generator is trained to predict (section III-A).

Shape words: B batch, C latent channels, h w latent grid.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from havir_lib import hub
from havir_lib.config import Weights
from havir_lib.devices import as_tensor
from havir_lib.errors import WeightsError
from havir_lib.io import read_json
from havir_lib.paths import MINI_WEIGHTS
from havir_lib.targets.pixels import vae_pixels

if TYPE_CHECKING:  # takes seconds to import; imported where a network is made
    from diffusers import AutoencoderKL


COMPONENTS = ("vae", "image_unet", "text_unet", "scheduler")
"""Folders of a diffusion model, in Versatile Diffusion's hub layout."""


def diffusion_folder(weights: Weights) -> Path:
    """Folder of the diffusion model, in Versatile Diffusion's hub layout.

    Raises
    ------
    WeightsError
        If it is not there.
    """
    folder = MINI_WEIGHTS if weights.diffusion == "mini" else Path(weights.diffusion)
    if hub.is_repository(weights.diffusion):
        folder = hub.snapshot_folder(
            weights.diffusion, weights.diffusion_revision, weights.hub_cache
        )
    if not (folder / "vae" / "config.json").is_file():
        raise WeightsError(
            f"weights.diffusion: expected a folder that holds vae/ and image_unet/, but "
            f"{folder / 'vae' / 'config.json'} does not exist. `havir download --what "
            "weights` fetches shi-labs/versatile-diffusion; or set it to a copy, or to 'mini'."
        )
    return folder


def full_size(weights: Weights) -> bool:
    """Whether the diffusion model is of a size that needs a GPU: a hub's, or 1 GB and more."""
    files = Path(weights.diffusion).glob("image_unet/*")
    size = sum(file.stat().st_size for file in files)
    return hub.is_repository(weights.diffusion) or size > 1e9


def load_vae(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> AutoencoderKL:
    """The VAE in ``vae/`` under `folder`, not to be trained.

    Raises
    ------
    WeightsError
        If its files are missing or corrupt, or do not belong together.
    """
    from diffusers import AutoencoderKL

    try:
        vae, report = AutoencoderKL.from_pretrained(
            folder,
            subfolder="vae",
            local_files_only=True,
            use_safetensors=any((folder / "vae").glob("*.safetensors*")),
            output_loading_info=True,
            torch_dtype=dtype,
        )
    except Exception as error:  # diffusers raises whatever the file reader raised
        raise WeightsError(f"The VAE in {folder / 'vae'} could not be loaded: {error}") from error
    wrong = [name for kind in ("missing_keys", "unexpected_keys") for name in report[kind]]
    if wrong:
        raise WeightsError(
            f"The weights in {folder / 'vae'} do not fit its config.json: {len(wrong)} tensors are "
            f"missing or left over, e.g. {wrong[0]}. Download the folder again."
        )
    return vae.to(device).eval().requires_grad_(False)


def vae_content(folder: Path) -> dict[str, str]:
    """Hashes of the files the latents depend on."""
    files = [file for file in (folder / "vae").iterdir() if file.is_file()]
    unet = folder / "image_unet" / "config.json"  # says at which size the model works
    return {file.name: hub.checked_digest(file) for file in sorted(files)} | {
        "unet": hub.checked_digest(unet)
    }


def image_size(folder: Path, vae: AutoencoderKL) -> int:
    """Side in pixels of the images that the diffusion model works on: 512 for Versatile Diffusion.

    The UNet's latent side times the VAE's downsampling; the VAE alone accepts any size.
    """
    latent_side = read_json(folder / "image_unet" / "config.json")["sample_size"]
    return latent_side * 2 ** (len(vae.config.block_out_channels) - 1)


def latents(vae: AutoencoderKL, images: np.ndarray, size: int) -> Tensor:
    """Latents (B, C, h, w) of uint8 images (B, H, W, 3).

    ``encode(x).mode() * scaling_factor``, where :func:`~havir_lib.targets.pixels.vae_pixels` makes
    ``x``: the mode, not a sample, so that an image always has one target.
    """
    x = vae_pixels(as_tensor(images).to(vae.device), size)
    return vae.encode(x).latent_dist.mode() * vae.config.scaling_factor
