"""Noise schedule: where denoising starts, how the start is noised, which update rule runs.

The paper's start step is ``tau = N - floor(N * s)`` for ``N`` steps and structural strength ``s``.
It can be read in two ways, because the text does not say whether tau counts steps skipped or run:

``"noise"`` (default)
    tau steps are *skipped*, ``floor(N * s)`` are run. ``s = 1`` starts from pure noise (no
    structure), ``s = 0`` returns the predicted latent. This is ``strength`` of diffusers'
    image-to-image pipelines and of the code of MindEye and MindBridge, which has the same formula,
    and it fits the paper's range ``s in (0, 1]``: only ``s = 0`` would leave nothing to denoise.
``"structure"``
    tau steps are *run*: tau is the noise level of "t in [tau, 0]". ``s = 1`` returns the predicted
    latent, ``s = 0`` starts from pure noise, as the name *structural strength* suggests.

Eq. (7) writes alpha_tau where the cumulative product alpha-bar_tau is meant (Eq. 9 tells them
apart); with alpha_tau alone the latent would hardly be noised at any step.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    SchedulerMixin,
    UniPCMultistepScheduler,
)
from torch import Tensor

from havir_lib.errors import ConfigError

# Latents are not bounded by 1, so no update may clip them. The paper's Eq. (9) adds noise of
# variance beta_t ("fixed_large"); with offset 0 the last step is t = 0, which adds none (as in
# algorithm 2 of Ho et al. 2020).
SCHEDULERS = {
    "ddpm": (
        DDPMScheduler,
        {"variance_type": "fixed_large", "clip_sample": False, "steps_offset": 0},
    ),
    "ddim": (DDIMScheduler, {"clip_sample": False}),
    "unipc": (UniPCMultistepScheduler, {}),
    "dpmsolver++": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++"}),
}
SOLVERS = ("unipc", "dpmsolver++")
FINAL_SIGMAS = ("sigma_min", "zero")


def make_scheduler(
    name: str, config: dict, steps: int, final_sigmas_type: str = "zero"
) -> SchedulerMixin:
    """A fresh scheduler with `steps` time steps.

    Parameters
    ----------
    name : str
        ``"ddpm"`` (the paper's Eq. 9), ``"ddim"``, ``"unipc"`` or ``"dpmsolver++"``.
    config : dict
        The model's own schedule: betas, number of training steps, kind of prediction.
    final_sigmas_type : {"zero", "sigma_min"}
        Noise level after the last step of the two solvers: none, as diffusers does from 0.27 on, or
        the schedule's smallest, as before, when the code of MindEye and MindBridge was written.
        The other two rules end where the model's own schedule says (``set_alpha_to_one``).

    Raises
    ------
    ConfigError
        If a name is unknown, or `steps` is not between 1 and the number of training steps.
    """
    if name not in SCHEDULERS:
        raise ConfigError(f"scheduler must be one of {sorted(SCHEDULERS)}, but {name!r} was given.")
    if final_sigmas_type not in FINAL_SIGMAS:
        raise ConfigError(
            f"final_sigmas_type must be one of {FINAL_SIGMAS}, but {final_sigmas_type!r} was given."
        )
    kind, overrides = SCHEDULERS[name]
    if name in SOLVERS:
        overrides = overrides | {"final_sigmas_type": final_sigmas_type}
    scheduler = kind.from_config(config, **overrides)
    most = scheduler.config.num_train_timesteps
    if not 1 <= steps <= most:
        raise ConfigError(f"steps must be between 1 and {most}, but {steps} was given.")
    scheduler.set_timesteps(steps)
    return scheduler


def n_steps_run(steps: int, strength: float, convention: str) -> int:
    """How many of `steps` denoising steps are run at a structural strength.

    Parameters
    ----------
    steps : int
        N, the length of the schedule.
    strength : float
        s, 0 to 1.
    convention : {"noise", "structure"}
        See the module's docstring.
    """
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength must be between 0 and 1, but {strength} was given.")
    scaled = math.floor(steps * strength + 1e-9)  # 100 * 0.29 is 28.999999999999996
    runs = {"noise": scaled, "structure": steps - scaled}
    if convention not in runs:
        raise ConfigError(
            f"strength_convention must be one of {sorted(runs)}, but {convention!r} was given."
        )
    return runs[convention]


def start_latents(
    scheduler: SchedulerMixin, latents: Tensor | None, noise: Tensor, n_run: int
) -> Tensor:
    """The latents that denoising starts from (Eq. 7), with `n_run` steps ahead.

    With all steps ahead the start is pure noise, whatever the latents: the noisiest step of a
    schedule still lets a trace of them through, and "no structure" should mean none.

    Parameters
    ----------
    latents : Tensor, shape (B, C, h, w), or None
        Predicted latents; none: start from pure noise.
    noise : Tensor, shape (B, C, h, w)
        Standard normal.
    """
    first = len(scheduler.timesteps) - n_run
    if hasattr(scheduler, "set_begin_index"):  # solvers with a memory count their steps
        scheduler.set_begin_index(first)
    if latents is None or first == 0:
        return noise * scheduler.init_noise_sigma
    if n_run == 0:
        return latents
    step = scheduler.timesteps[first].expand(len(latents))
    return scheduler.add_noise(latents, noise, step)


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One CPU generator per image: its noise depends on its own seed and on nothing else."""
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def draw_noise(own: list[torch.Generator], shape: Sequence[int]) -> Tensor:
    """Standard normal noise on the CPU, shape (B, *shape), each image from its own generator."""
    return torch.stack([torch.randn(*shape, generator=generator) for generator in own])


def step_arguments(scheduler: SchedulerMixin, own: list[torch.Generator]) -> dict:
    """Arguments of ``scheduler.step``: stochastic rules draw from the images' own generators."""
    known = inspect.signature(scheduler.step).parameters
    return {"generator": own} if "generator" in known else {}
