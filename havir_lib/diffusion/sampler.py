"""Guided denoising (Eqs. 7 to 9) of one batch, as small functions.

The UNet computes in its own dtype, the sampler in float32.

Shape words: B batch, C latent channels, h w latent grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import SchedulerMixin
from torch import Tensor

from havir_lib.diffusion.guidance import DualGuidedUNet
from havir_lib.diffusion.inputs import Condition, Inputs
from havir_lib.diffusion.schedule import (
    draw_noise,
    generators,
    make_scheduler,
    n_steps_run,
    start_latents,
    step_arguments,
)
from havir_lib.errors import ConfigError


@dataclass(frozen=True)
class Sampling:
    """How to sample; see :meth:`havir_lib.diffusion.DualGuidedDiffusion.reconstruct`."""

    steps: int
    strength: float
    strength_convention: str
    guidance_scale: float
    mixing: float
    scheduler: str
    final_sigmas_type: str = "zero"

    def __post_init__(self) -> None:
        if not 0 <= self.mixing <= 1:
            raise ConfigError(f"mixing must be between 0 and 1, but {self.mixing} was given.")

    def n_run(self, with_latents: bool) -> int:
        """Number of UNet evaluations per image; pure noise needs the whole schedule."""
        planned = n_steps_run(self.steps, self.strength, self.strength_convention)
        return planned if with_latents else self.steps


def sample(
    unet: DualGuidedUNet,
    scheduler_config: dict,
    sampling: Sampling,
    inputs: Inputs,
    on_step: Callable[[], object] = lambda: None,
) -> Tensor:
    """Denoise one batch.

    Parameters
    ----------
    scheduler_config : dict
        The model's noise schedule.
    inputs : Inputs
        Of B images, on the UNet's device. Without latents, denoising starts from pure noise; a kind
        of tokens that is missing is not computed.
    on_step : callable
        Called after each step.

    Returns
    -------
    Tensor, float32, shape (B, C, h, w), on the UNet's device
    """
    scheduler = make_scheduler(
        sampling.scheduler, scheduler_config, sampling.steps, sampling.final_sigmas_type
    )
    n_run = sampling.n_run(inputs.latents is not None)
    own = generators(inputs.seeds)
    noise = draw_noise(own, inputs.latent_shape).to(next(unet.parameters()).device)
    start = start_latents(scheduler, inputs.latents, noise, n_run)
    predict = noise_predictor(unet, inputs, sampling.mixing, sampling.guidance_scale)
    return denoise(predict, scheduler, start, n_run, own, on_step)


def denoise(
    predict: Callable[[Tensor, Tensor], Tensor],
    scheduler: SchedulerMixin,
    latents: Tensor,
    n_run: int,
    own: list[torch.Generator],
    on_step: Callable[[], object] = lambda: None,
) -> Tensor:
    """Run the last `n_run` steps of the schedule on latents (B, C, h, w)."""
    extra = step_arguments(scheduler, own)
    for step in scheduler.timesteps[len(scheduler.timesteps) - n_run :]:
        noise = predict(scheduler.scale_model_input(latents, step), step)
        latents = scheduler.step(noise, step, latents, **extra, return_dict=False)[0]
        on_step()
    return latents


def noise_predictor(
    unet: DualGuidedUNet, inputs: Inputs, mixing: float, guidance_scale: float
) -> Callable[[Tensor, Tensor], Tensor]:
    """A function of (latents, time step) that predicts the noise, with classifier-free guidance.

    The prediction is ``null + guidance_scale * (conditional - null)``. At scale 1 that is the
    conditional prediction, and the other one is not computed.
    """
    guided = guidance_scale != 1
    dtype = next(unet.parameters()).dtype
    image_tokens = _tokens(inputs.image, guided, dtype)
    text_tokens = _tokens(inputs.text, guided, dtype)

    def predict(latents: Tensor, step: Tensor) -> Tensor:
        sample = torch.cat([latents, latents]) if guided else latents
        noise = unet(sample.to(dtype), step, image_tokens, text_tokens, mixing).float()
        if not guided:
            return noise
        null, conditional = noise.chunk(2)
        return null + guidance_scale * (conditional - null)

    return predict


def _tokens(condition: Condition | None, guided: bool, dtype: torch.dtype) -> Tensor | None:
    if condition is None:
        return None
    return (condition.doubled() if guided else condition.tokens).to(dtype)
