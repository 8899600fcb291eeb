"""The small VAE: diffusers' ``AutoencoderKL``, 128 px to latents of 12 x 16 x 16.

Shape words: B batch, C = 12 latent channels, h = w = 16.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from havir_lib.devices import mixed_precision
from havir_lib.io import atomic_write, write_json
from havir_lib.mini.data import SIZE
from havir_lib.mini.fit import Draw, Loss
from havir_lib.mini.perceptual import PerceptualLoss

CONFIG = {
    "_class_name": "AutoencoderKL",
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 12,
    "sample_size": SIZE,
    "block_out_channels": [16, 32, 64, 128],
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "mid_block_add_attention": False,
    "scaling_factor": 1.0,
}
LATENT_SHAPE = (CONFIG["latent_channels"], SIZE // 8, SIZE // 8)
KL_WEIGHT = 1e-6
EDGE_WEIGHT = 0.5
PERCEPTUAL_WEIGHT = 0.1
N_SCALING = 512
"""Scenes from which the latents' standard deviation is measured."""
LATENT_NOISE = 0.3
"""Most noise on a latent, in standard deviations, from which the decoder learns to decode."""


def build_vae(seed: int = 0) -> AutoencoderKL:
    """A VAE with fresh weights whose residual blocks start as identities.

    Zero initial output of each residual block makes the network start as a nearly linear map from
    pixels to latents and back, which a few hundred steps already make a usable autoencoder.
    """
    torch.manual_seed(seed)
    vae = AutoencoderKL.from_config(CONFIG)
    for name, module in vae.named_modules():
        if name.endswith(".conv2"):
            nn.init.zeros_(module.weight)
    return vae.to(memory_format=torch.channels_last)


def to_tensor(images: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 (B, H, W, 3) to float (B, 3, H, W) in -1 to 1, channels last in memory."""
    x = torch.from_numpy(np.array(images)).to(device)
    return x.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def vae_loss(
    vae: AutoencoderKL, images: np.ndarray, batch_size: int, compiled: bool = False
) -> Loss:
    """L1 + MSE of pixels, L1 of their differences (edges), how alike it looks, a slight KL term."""
    device = vae.device
    network: Callable = _reconstruct(vae)
    network = torch.compile(network) if compiled else network
    perceptual = PerceptualLoss(device)

    def loss(draw: Draw) -> dict[str, Tensor]:
        x = to_tensor(images[_draw_index(len(images), batch_size, draw)], device)
        noise = torch.randn(batch_size, *LATENT_SHAPE, generator=draw.torch).to(device)
        with mixed_precision(device):
            y, mean, logvar = network(x, noise)
            y = y.float()
            looks = perceptual(y, x)
        mean, logvar = mean.float(), logvar.float()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(dim=(1, 2, 3)).mean()
        total = _pixel_loss(y, x) + PERCEPTUAL_WEIGHT * looks + KL_WEIGHT * kl
        return {"loss": total, "psnr": _psnr(y, x), "perceptual": looks, "kl": kl}

    return loss


def decoder_loss(
    vae: AutoencoderKL,
    images: np.ndarray,
    denoised: np.ndarray,
    batch_size: int,
    compiled: bool = False,
) -> Loss:
    """Pixels, edges and looks as in :func:`vae_loss`; the encoder stays.

    Parameters
    ----------
    vae : AutoencoderKL
    images : ndarray, uint8 (n, H, W, 3)
    denoised : ndarray (n, C, h, w)
        The images' latents as the UNet denoises them (:mod:`havir_lib.mini.denoised`); half of the
        samples are decoded from these. All others are the encoder's with some noise, up to
        `LATENT_NOISE`.
    batch_size : int
    compiled : bool
    """
    device = vae.device
    network: Callable = _decode(vae)
    network = torch.compile(network) if compiled else network
    perceptual = PerceptualLoss(device)
    spread = 1 / measure_scaling(vae, images[:N_SCALING])

    def loss(draw: Draw) -> dict[str, Tensor]:
        index = _draw_index(len(images), batch_size, draw)
        x = to_tensor(images[index], device)
        amount = LATENT_NOISE * torch.rand(batch_size, 1, 1, 1, generator=draw.torch)
        noise = torch.randn(batch_size, *LATENT_SHAPE, generator=draw.torch)
        with mixed_precision(device):
            with torch.no_grad():
                z = vae.quant_conv(vae.encoder(x)).chunk(2, dim=1)[0].float()
            z = z + spread * (amount * noise).to(device)
            own = torch.rand(batch_size, 1, 1, 1, generator=draw.torch).to(device) < 0.5
            z = torch.where(own, z, spread * torch.from_numpy(denoised[index]).float().to(z))
            y = network(z).float()
            looks = perceptual(y, x)
        total = _pixel_loss(y, x) + PERCEPTUAL_WEIGHT * looks
        return {"loss": total, "psnr": _psnr(y, x), "perceptual": looks}

    return loss


def _draw_index(n: int, batch_size: int, draw: Draw) -> np.ndarray:
    return np.sort(draw.numpy.choice(n, batch_size, replace=False))


def _pixel_loss(y: Tensor, x: Tensor) -> Tensor:
    edges = sum(F.l1_loss(y.diff(dim=d), x.diff(dim=d)) for d in (2, 3))
    return F.l1_loss(y, x) + F.mse_loss(y, x) + EDGE_WEIGHT * edges


def _psnr(y: Tensor, x: Tensor) -> Tensor:
    return -10 * torch.log10(F.mse_loss(y.detach(), x) / 4)


def _reconstruct(vae: AutoencoderKL) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    def run(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = vae.quant_conv(vae.encoder(x)).chunk(2, dim=1)
        logvar = logvar.clamp(-30, 20)
        z = mean + (0.5 * logvar).exp() * noise
        return vae.decoder(vae.post_quant_conv(z)), mean, logvar

    return run


def _decode(vae: AutoencoderKL) -> Callable[[Tensor], Tensor]:
    return lambda z: vae.decoder(vae.post_quant_conv(z))


@torch.no_grad()
def measure_scaling(vae: AutoencoderKL, images: np.ndarray, batch_size: int = 32) -> float:
    """Factor that gives the latents of `images` a standard deviation of one."""
    total, squares, n = 0.0, 0.0, 0
    for start in range(0, len(images), batch_size):
        z = vae.encode(to_tensor(images[start : start + batch_size], vae.device)).latent_dist.mean
        total += float(z.sum())
        squares += float(z.square().sum())
        n += z.numel()
    return round((squares / n - (total / n) ** 2) ** -0.5, 6)


def save_vae(vae: AutoencoderKL, folder: Path, scaling_factor: float) -> None:
    """Write ``config.json`` and float16 weights, for ``havir_lib.targets.vae``."""
    config = {k: v for k, v in vae.config.items() if not k.startswith("_")}
    write_json(Path(folder) / "config.json", {**config, "_class_name": "AutoencoderKL",
                                              "scaling_factor": scaling_factor})  # fmt: skip
    tensors = {k: v.detach().to("cpu", torch.float16).contiguous()
               for k, v in vae.state_dict().items()}  # fmt: skip
    with atomic_write(Path(folder) / "diffusion_pytorch_model.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
