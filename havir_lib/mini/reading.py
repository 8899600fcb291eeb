"""Targets as decoders read them from brains: with errors of the size and kind that decoding makes.

A decoder's prediction is near the best linear estimate from values under white noise: what varies
much between scenes survives, what varies little is lost. On the demo's subjects the gain of the
decoders per principal component (image tokens) and per spatial frequency (latents) follows this
rule over its whole range, with a noise variance of about 0.25 (eight hours of data, as
the demo once had) to 1.8 (one hour) for image tokens, and of 2.2 to 8 for latents.

Shape words: B batch, C latent channels, h w latent grid, T tokens, D token width, K components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor
from torch.nn import functional as F

from havir_lib.mini.fit import Draw

READ = 0.6
"""Share of samples whose tokens, and share whose latents, are noisy readings."""
TOKENS_NOISE = (0.05, 3.0)
LATENTS_NOISE = (0.5, 16.0)
"""Variance of a reading's noise, drawn log-uniformly."""
STARTS = (400, 800)
"""Time steps at which a sampler may have started from a read latent."""
COMPONENTS = 256


@dataclass(frozen=True)
class Reading:
    """Reads one kind of target with noise.

    Attributes
    ----------
    mean : Tensor (...)
    basis : Tensor (K, ...)
        Principal components, orthonormal.
    variance : Tensor (K,)
        Of the targets along each.
    """

    mean: Tensor
    basis: Tensor
    variance: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Reading:
        """Describe targets (n, ...) by their leading principal components."""
        mean = x.mean(0)
        _, scale, basis = torch.linalg.svd((x - mean).flatten(1), full_matrices=False)
        k = min(COMPONENTS, len(scale))
        return cls(mean, basis[:k].unflatten(1, mean.shape), scale[:k].square() / len(x))

    def __call__(self, x: Tensor, noise_variance: Tensor, draw: Draw) -> Tensor:
        """Read targets (B, ...), each under its own noise variance (B,)."""
        basis = self.basis.flatten(1)
        values = (x - self.mean).flatten(1) @ basis.T
        noise = torch.randn(values.shape, generator=draw.torch).to(x.device)
        values = values + noise_variance.sqrt()[:, None] * noise
        gain = self.variance / (self.variance + noise_variance[:, None])
        return self.mean + (gain * values @ basis).unflatten(1, self.mean.shape)


def read_tokens(tokens: Tensor, reading: Reading, read: Tensor, draw: Draw) -> Tensor:
    """Tokens (B, T, D), those marked in `read` (B,) as read and brought back to their length."""
    noise = _noise_variance(TOKENS_NOISE, len(tokens), draw).to(tokens.device)
    length = tokens.norm(dim=-1, keepdim=True)
    as_read = F.normalize(reading(tokens, noise, draw), dim=-1) * length
    return torch.where(read[:, None, None], as_read, tokens)


def read_latents(z: Tensor, reading: Reading, draw: Draw) -> Tensor:
    """Latents (B, C, h, w), some as read."""
    read = (torch.rand(len(z), generator=draw.torch) < READ).to(z.device)
    noise = _noise_variance(LATENTS_NOISE, len(z), draw).to(z.device)
    return torch.where(read[:, None, None, None], reading(z, noise, draw), z)


def fading(
    target: Tensor, seen: Tensor, time: Tensor, scheduler: DDPMScheduler, draw: Draw
) -> Tensor:
    """What is left at a time step of other latents than the target, from which a sampler started.

    A deterministic sampler that starts from other latents takes the difference for noise and lets
    it fade as noise does. So it is whole from the start step on, and less at earlier steps.

    Parameters
    ----------
    target, seen : Tensor (B, C, h, w)
        Where to go, and where the sampler started.
    time : Tensor of int (B,)
    scheduler : DDPMScheduler
    draw : Draw
        Says at which step each sampler started.
    """
    start = torch.rand(len(target), generator=draw.torch).to(target.device)
    start = (STARTS[0] + (STARTS[1] - STARTS[0]) * start).long()
    kept = scheduler.alphas_cumprod.to(target.device)
    noise_to_signal = ((1 - kept) / kept).sqrt()
    left = (noise_to_signal[time] / noise_to_signal[start]).clamp(max=1)
    return torch.lerp(target, seen, left[:, None, None, None])


def _noise_variance(between: tuple[float, float], n: int, draw: Draw) -> Tensor:
    low, high = np.log(between)
    return torch.exp(low + (high - low) * torch.rand(n, generator=draw.torch))
