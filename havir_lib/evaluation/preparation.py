"""From images of any size to what a metric compares."""

import numpy as np
import torch
import torch.nn.functional as F

from havir_lib.devices import as_tensor
from havir_lib.errors import ShapeError
from havir_lib.evaluation.metrics import Preparation


def prepare(images: np.ndarray, how: Preparation, device: str | torch.device = "cpu"):
    """Resize and normalise images.

    Parameters
    ----------
    images : uint8 array (n, H, W, 3)
    how : Preparation
    device : str or torch.device

    Returns
    -------
    torch.Tensor (n, 3, size, size), float32
        Without normalisation, values stay within 0..1.
    """
    check_images(images)
    tensor = as_tensor(np.ascontiguousarray(images)).to(device)
    tensor = tensor.permute(0, 3, 1, 2).float() / 255
    for size in (how.first_size, how.size):
        if size is not None:
            tensor = _resize(tensor, size, how)
    mean, std = (torch.tensor(x, device=device).view(1, 3, 1, 1) for x in (how.mean, how.std))
    return (tensor - mean) / std


def _resize(tensor: torch.Tensor, size: int, how: Preparation) -> torch.Tensor:
    if tensor.shape[-2:] == (size, size):
        return tensor
    resized = F.interpolate(
        tensor, (size, size), mode=how.interpolation, align_corners=False, antialias=how.antialias
    )
    return resized.clamp(0, 1)  # bicubic overshoots


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Images at `size` x `size` pixels (bilinear, antialiased), as they are if they have that size.

    Parameters
    ----------
    images : uint8 array (n, H, W, 3)

    Returns
    -------
    uint8 array (n, size, size, 3)
    """
    check_images(images)
    if images.shape[1:3] == (size, size):
        return images
    pixels = prepare(images, Preparation(size, first_size=None, antialias=True)) * 255
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def check_images(images: np.ndarray) -> None:
    """Raise :class:`ShapeError` unless `images` is uint8 of shape (n, H, W, 3)."""
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ShapeError(
            "Images must be a uint8 array (n, height, width, 3) with values 0..255, "
            f"found {images.dtype} of shape {images.shape}."
        )
