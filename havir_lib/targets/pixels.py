"""From 8-bit pictures to what the frozen encoders read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from transformers import CLIPImageProcessor  # takes seconds to import


def as_float(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3), 0 to 255, to float (B, 3, H, W), 0 to 1."""
    return images.permute(0, 3, 1, 2).float() / 255


def vae_pixels(images: Tensor, size: int) -> Tensor:
    """What the VAE reads, (B, 3, size, size) from -1 to 1, of uint8 images (B, H, W, 3).

    Resized as in MindEye: bilinear, antialiased, to a square.
    """
    x = as_float(images)
    if x.shape[-2:] != (size, size):
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)
    return 2 * x - 1


def clip_pixels(images: Tensor, settings: Mapping[str, Any]) -> Tensor:
    """What CLIP reads, (B, 3, size, size), of uint8 images (B, H, W, 3).

    transformers' ``CLIPImageProcessor``, the class that Versatile Diffusion's published layout
    names: bicubic resize of the shorter side, with antialiasing and on 8 bits, whose rounding the
    networks were trained on; centre crop; mean and standard deviation. It runs on the CPU, where
    images are, so that a target does not depend on the device.

    Parameters
    ----------
    images : uint8 Tensor, (B, H, W, 3)
    settings : mapping
        As open_clip writes them: ``size``, ``mean`` and ``std``.
    """
    size = settings["size"] if isinstance(settings["size"], int) else settings["size"][0]
    processor = _processor(size, tuple(settings["mean"]), tuple(settings["std"]))
    return processor(images=images.permute(0, 3, 1, 2), return_tensors="pt")["pixel_values"]


@lru_cache(maxsize=2)
def _processor(size: int, mean: tuple, std: tuple) -> CLIPImageProcessor:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=mean,
        image_std=std,
    )
