"""The diffusion model as the rest of the companion uses it: images to latents and back.

Shape words: n images, C latent channels, h w latent grid, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from havir_lib.diffusion.guidance import DualGuidedUNet
from havir_lib.diffusion.tensors import read_config
from havir_lib.diffusion.weights import load_dual_unet, load_vae


@dataclass(frozen=True)
class DualGuidedDiffusion:
    """A dual-guided UNet with its VAE and noise schedule.

    Attributes
    ----------
    unet : DualGuidedUNet
    vae : AutoencoderKL
    scheduler_config : dict
        Noise schedule, as read from ``scheduler/scheduler_config.json``.
    device : torch.device
    dtype : torch.dtype
        Of weights and network arithmetic; samplers always compute in float32.
    """

    unet: DualGuidedUNet
    vae: AutoencoderKL
    scheduler_config: dict
    device: torch.device
    dtype: torch.dtype

    @torch.inference_mode()
    def encode(self, images: np.ndarray | Tensor, batch_size: int = 16) -> np.ndarray:
        """Latents of images: the mode of the VAE's posterior times its ``scaling_factor``.

        Parameters
        ----------
        images : array, uint8, shape (n, H, W, 3)

        Returns
        -------
        ndarray, float32, shape (n, C, h, w)
        """
        scale = self.vae.config.scaling_factor
        latents = [
            self.vae.encode(self._pixels(part)).latent_dist.mode().float().cpu() * scale
            for part in _batches(torch.as_tensor(images), batch_size)
        ]
        return torch.cat(latents).numpy()

    def _pixels(self, images: Tensor) -> Tensor:
        pixels = images.to(self.device).permute(0, 3, 1, 2).to(self.dtype)
        return pixels / 127.5 - 1  # 0..255 -> -1..1

    @torch.inference_mode()
    def decode(self, latents: np.ndarray | Tensor, batch_size: int = 16) -> np.ndarray:
        """Images of latents (Eq. 10).

        Parameters
        ----------
        latents : array, shape (n, C, h, w)

        Returns
        -------
        ndarray, uint8, shape (n, H, W, 3)
        """
        images = [
            self._decode_batch(part.to(self.device, self.dtype))
            for part in _batches(torch.as_tensor(latents), batch_size)
        ]
        return torch.cat(images).numpy()

    def _decode_batch(self, latents: Tensor) -> Tensor:
        pixels = self.vae.decode(latents / self.vae.config.scaling_factor).sample.float()
        pixels = ((pixels + 1) * 127.5).round().clamp(0, 255)  # -1..1 -> 0..255
        return pixels.permute(0, 2, 3, 1).to(torch.uint8).cpu()


def _batches(x: Tensor, batch_size: int) -> Iterator[Tensor]:
    yield from x.split(batch_size)


def load_diffusion(
    path: Path | str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> DualGuidedDiffusion:
    """Read a folder in Versatile Diffusion's hub layout, see :mod:`havir_lib.diffusion.weights`.

    Parameters
    ----------
    path : path
        Holds ``image_unet/``, ``text_unet/``, ``vae/`` and ``scheduler/``.
    dtype : torch.dtype
        float32 or bfloat16; float16 on GPUs only.

    Raises
    ------
    WeightsError
        If a file is missing or corrupt, or tensors do not fit their configuration.
    """
    path = Path(path)
    return DualGuidedDiffusion(
        unet=load_dual_unet(path, device, dtype),
        vae=load_vae(path, device, dtype),
        scheduler_config=read_config(path / "scheduler", "scheduler_config.json"),
        device=torch.device(device),
        dtype=dtype,
    )
