"""Structural Generator (section III-A, appendix A): structural voxels → VAE latent z'.

The appendix gives the order of the layers, not their widths; widths, missing biases and the
upsampler (diffusers' VAE ``Decoder``) are those of MindEye's low-level branch, which has the same
layers.

Shape words: B batch, V voxels, C latent channels, h w latent grid.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from havir_lib import config
from havir_lib.errors import ConfigError
from havir_lib.models.blocks import ResidualMLP, check_voxels, voxel_embedding


class StructuralGenerator(nn.Module):
    """Betas (B, V) → latent (B, C, h, w).

    Parameters
    ----------
    n_voxels : int
    latent_shape : tuple of int
        ``(C, h, w)``, e.g. (4, 64, 64) for Versatile Diffusion at 512 pixels.
    settings : havir_lib.config.StructuralGenerator

    Raises
    ------
    ConfigError
        If the upsampler does not lead from the feature map to the latent grid: every entry of
        ``decoder_channels`` but one doubles the side.
    """

    branch = "structural"

    def __init__(
        self,
        n_voxels: int,
        latent_shape: tuple[int, int, int],
        settings: config.StructuralSettings | None = None,
    ) -> None:
        super().__init__()
        settings = settings or config.StructuralSettings()
        _check_sizes(latent_shape, settings)
        self.n_voxels, self.latent_shape, self.settings = n_voxels, tuple(latent_shape), settings
        hidden, channels, side = settings.hidden, settings.map_channels, settings.map_size
        self.embed = self.embedding(n_voxels, settings)  # first, see `build_embedding`
        self.mlp = ResidualMLP(hidden, settings.n_blocks, nn.SiLU, settings.dropout, bias=False)
        self.to_map = nn.Linear(hidden, channels * side * side, bias=False)
        self.norm = nn.GroupNorm(1, channels)
        self.upsampler = _upsampler(channels, latent_shape[0], settings.decoder_channels)

    @staticmethod
    def embedding(n_voxels: int, settings: config.StructuralSettings) -> nn.Sequential:
        """The layer that belongs to a subject, (B, V) → (B, hidden), with fresh weights."""
        return voxel_embedding(n_voxels, settings.hidden, nn.SiLU, settings.dropout_in, bias=False)

    def forward(self, betas: Tensor) -> Tensor:
        """Predict latents (B, C, h, w), in the scaled units that the diffusion model works in."""
        check_voxels(betas, self.n_voxels)
        side = self.settings.map_size
        x = self.to_map(self.mlp(self.embed(betas)))  # (B, channels x side x side)
        return self.upsampler(self.norm(x.unflatten(1, (-1, side, side))))  # (B, C, h, w)

    @property
    def architecture(self) -> dict[str, Any]:
        """Everything needed to build this model again, as JSON; see ``havir_lib.models.build``."""
        return {
            "branch": self.branch,
            "n_voxels": self.n_voxels,
            "latent_shape": list(self.latent_shape),
            "settings": self.settings.model_dump(mode="json"),
        }


def _upsampler(in_channels: int, out_channels: int, channels: tuple[int, ...]) -> nn.Module:
    from diffusers.models.autoencoders.vae import Decoder  # takes seconds to import

    return Decoder(
        in_channels=in_channels,
        out_channels=out_channels,
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=tuple(channels),
        layers_per_block=1,
        norm_num_groups=math.gcd(32, *channels),  # MindEye's 32 wherever the widths allow it
    )


def _check_sizes(latent_shape: tuple[int, int, int], settings: config.StructuralSettings) -> None:
    channels = settings.decoder_channels
    side = settings.map_size * 2 ** (len(channels) - 1)
    if tuple(latent_shape[1:]) != (side, side):
        raise ConfigError(
            f"structural_generator: map_size {settings.map_size} doubled {len(channels) - 1} times "
            f"(decoder_channels {list(channels)}) gives {side} x {side}, but the latents are "
            f"{latent_shape[1]} x {latent_shape[2]}. Change map_size or the number of channels."
        )
