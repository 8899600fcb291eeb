"""What early voxels can see in a picture: signed luminance, colour, contrast energy.

A feature vector holds, one after the other, maps over the picture (rows from the top):
3 maps of 32 x 32 (luminance, red-green, blue-yellow, all signed) and 12 maps of 16 x 16 (contrast
energy: 3 scales x 4 orientations, log-Gabor filters; Field 1987).
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import interpolate

from havir_lib.simulation.retinotopy import Fields

SIDE = 64
"""Pictures are reduced to this many pixels per side."""
COLOUR_SIDE, ENERGY_SIDE = 32, 16
WAVELENGTHS = (4.0, 8.0, 16.0)
"""Of the contrast filters, in pixels of the reduced picture."""
N_ORIENTATIONS = 4
N_COLOUR, N_ENERGY = 3, len(WAVELENGTHS) * N_ORIENTATIONS
N_CHANNELS = N_COLOUR + N_ENERGY
MAP_SIDES = (COLOUR_SIDE,) * N_COLOUR + (ENERGY_SIDE,) * N_ENERGY
N_FEATURES = sum(side * side for side in MAP_SIDES)
NEGLIGIBLE = 1e-25
"""Weights of a field that is 1 in sum. Products of smaller ones are too small for float32's full
precision, which processors compute ten times as slowly, and change no sum."""


def visual_features(images: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """Feature vectors of pictures.

    Parameters
    ----------
    images : ndarray (n, H, W, 3) of uint8
        H and W at least 64.

    Returns
    -------
    ndarray (n, N_FEATURES) of float32
        Luminance in [-0.5, 0.5], colour in [-1, 1], energy from 0.
    """
    filters = torch.from_numpy(log_gabors())
    out = np.empty((len(images), N_FEATURES), np.float32)
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(np.ascontiguousarray(images[start : start + batch_size]))
        out[start : start + batch_size] = _features(batch, filters).numpy()
    return out


def _features(images: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    rgb = images.permute(0, 3, 1, 2).float() / 255  # (B, 3, H, W)
    rgb = interpolate(rgb, (SIDE, SIDE), mode="area")
    luminance = rgb.mean(1, keepdim=True) - 0.5
    red, green, blue = rgb.split(1, dim=1)
    colour = torch.cat([luminance, red - green, blue - (red + green) / 2], dim=1)
    # One-sided filters give the two phases of a quadrature pair as real and imaginary part.
    energy = torch.fft.ifft2(torch.fft.fft2(luminance) * filters).abs()
    maps = (interpolate(colour, (COLOUR_SIDE,) * 2, mode="area"),
            interpolate(energy, (ENERGY_SIDE,) * 2, mode="area"))  # fmt: skip
    return torch.cat([m.flatten(1) for m in maps], dim=1)


def log_gabors() -> np.ndarray:
    """Transfer functions of the contrast filters, (12, 64, 64) float32, zero at frequency zero."""
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    radius, theta = np.hypot(fx, fy), np.arctan2(fy, fx)
    radius[0, 0] = 1.0
    filters = []
    for wavelength in WAVELENGTHS:
        radial = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * np.log(0.6) ** 2))
        radial[0, 0] = 0.0
        for k in range(N_ORIENTATIONS):
            turn = np.angle(np.exp(1j * (theta - k * np.pi / N_ORIENTATIONS)))
            filters.append(2 * radial * np.exp(-(turn**2) / (2 * 0.4**2)))
    return np.stack(filters).astype(np.float32)


def field_weights(fields: Fields, channels: np.ndarray) -> np.ndarray:
    """Weights over features of voxels that look through receptive fields.

    Parameters
    ----------
    fields : Fields
        n receptive fields.
    channels : ndarray (n, N_CHANNELS)
        How strongly each voxel weights each map.

    Returns
    -------
    ndarray (n, N_FEATURES) of float32
        Each map's weights are the Gaussian field, with sum 1 over the map, times its channel.
    """
    windows = {side: _windows(fields, side) for side in set(MAP_SIDES)}
    blocks = [
        windows[side] * channels[:, c : c + 1].astype(np.float32)
        for c, side in enumerate(MAP_SIDES)
    ]
    return np.concatenate(blocks, axis=1)


def _windows(fields: Fields, side: int) -> np.ndarray:
    """Gaussian fields on a side x side map, (n, side * side) float32, each with sum 1."""
    centre = (np.arange(side) + 0.5) / side * 2 - 1
    # A field narrower than a pixel still sees that pixel.
    width = np.maximum(fields.size, 1 / side)[:, None]
    across = np.exp(-(((centre - fields.x[:, None]) / width) ** 2) / 2)
    down = np.exp(-(((-centre - fields.y[:, None]) / width) ** 2) / 2)  # row 0 is the top, y = +1
    windows = down[:, :, None] * across[:, None, :]
    windows /= windows.sum((1, 2), keepdims=True)
    windows[windows < NEGLIGIBLE] = 0
    return windows.reshape(len(windows), -1).astype(np.float32)
