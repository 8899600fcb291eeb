"""Train the small models: VAE and CLIP first, the UNet on top of both, at last the VAE's decoder.

::

    <folder>/scenes/    rendered pictures, cached
    <folder>/vae/       checkpoint.pt, log.csv; the same for vae/sharpen/, clip/, unet/,
                        unet/decoded/ and decoder/
    <folder>/weights/   the result, in the layout that the package ships
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from havir_lib import hub
from havir_lib.config import Weights
from havir_lib.diffusion import save_dual_unet
from havir_lib.diffusion.model import load_diffusion
from havir_lib.errors import ConfigError, WeightsError
from havir_lib.mini import clip, denoised, unet, vae
from havir_lib.mini.data import SceneSet, load_scenes
from havir_lib.mini.fit import Schedule, averaged, fit
from havir_lib.mini.recipe import WHICH, Recipe
from havir_lib.targets.clip import load_clip
from havir_lib.targets.tokenizer import load_tokenizer
from havir_lib.targets.vae import load_vae

log = logging.getLogger(__name__)

WORTH_COMPILING = 500
"""Compiling the VAE takes a minute or two and saves a quarter of each step."""


def train_all(folder: Path, device: torch.device | str = "cpu", **options) -> Path:
    """Train all of them; `options` as in :func:`train_mini`. Returns the folder of weights."""
    for which in WHICH:
        train_mini(which, folder, device, **options)
    return Path(folder) / "weights"


def train_mini(
    which: str,
    folder: Path,
    device: torch.device | str = "cpu",
    *,
    minutes: float | None = None,
    steps: int | None = None,
    effort: float = 1.0,
    resume: bool = True,
    recipe: Recipe | None = None,
    workers: int | None = None,
) -> Path:
    """Train one model by the recipe and write its weights.

    Parameters
    ----------
    which : {"vae", "clip", "unet", "decoder"}
        The UNet needs VAE and CLIP trained, the decoder all three; it replaces that of the VAE.
    folder : Path
        Checkpoints, logs and weights; see the module's description.
    device : torch.device or str
    minutes : float, optional
        Stop after this long. What is written then is usable, and a later call goes on.
    steps : int, optional
        Instead of the recipe's.
    effort : float
        Multiplies the recipe's steps.
    resume : bool
        Go on from the checkpoint if there is one; False starts anew.
    recipe : Recipe, optional
    workers : int, optional
        Processes that render scenes; default: one per core.

    Returns
    -------
    Path
        Folder of weights.

    Raises
    ------
    ConfigError
        If there is no such model.
    WeightsError
        If a model is to be trained before those it needs.
    """
    if which not in WHICH:
        raise ConfigError(f"Expected one of {', '.join(WHICH)}, found {which!r}.")
    folder, recipe = Path(folder), recipe or Recipe()
    if not resume:
        shutil.rmtree(folder / which, ignore_errors=True)
    job = Job(
        scenes=load_scenes(folder, recipe.n_scenes, workers=workers),
        folder=folder / which,
        weights=folder / "weights",
        device=torch.device(device),
        recipe=recipe,
        schedule=lambda name: recipe.schedule(name, effort, steps),
        minutes=minutes,
    )
    TRAINERS[which](job)
    hub.write_checksums(job.weights)
    log.info("%s: weights written to %s", which, job.weights)
    return job.weights


@dataclass(frozen=True)
class Job:
    """What training one model needs; names as in :func:`train_mini`."""

    scenes: SceneSet
    folder: Path
    weights: Path
    device: torch.device
    recipe: Recipe
    schedule: Callable[[str], Schedule]
    minutes: float | None


def _train_vae(job: Job) -> None:
    schedule, images = job.schedule("vae"), job.scenes.images[: job.recipe.n_scenes_vae]
    model = vae.build_vae(schedule.seed).to(job.device)
    compiled = schedule.steps >= WORTH_COMPILING
    loss = vae.vae_loss(model, images, schedule.batch_size, compiled)
    finished = fit(model, loss, schedule, job.folder, minutes=job.minutes)
    if finished:
        _fit_decoder(job, model, "sharpen", job.folder / "sharpen", images)
    factor = vae.measure_scaling(model, images[: vae.N_SCALING])
    vae.save_vae(model, job.weights / "vae", factor)


def _train_decoder(job: Job) -> None:
    _require(job, "decoder", "vae", "clip", "unet")
    encoder = load_clip(Weights(clip=str(job.weights / "clip")), job.device)
    images = job.scenes.images[: job.recipe.n_scenes_denoised]
    captions = job.scenes.captions[: job.recipe.n_scenes_denoised]
    diffusion = load_diffusion(job.weights, job.device)
    latents = denoised.denoised_latents(job.folder, images, captions, diffusion, encoder)
    model = vae.build_vae().to(job.device)
    model.load_state_dict(averaged(job.folder.parent / "vae" / "sharpen", job.device))
    _fit_decoder(job, model, "decoder", job.folder, images, latents)
    vae.save_vae(model, job.weights / "vae", diffusion.vae.config.scaling_factor)


def _fit_decoder(
    job: Job,
    model: AutoencoderKL,
    name: str,
    folder: Path,
    images: np.ndarray,
    latents: np.ndarray | None = None,
) -> None:
    # Only the decoder learns: the latents, on which the UNet depends, stay as they are.
    schedule = job.schedule(name)
    model.requires_grad_(False)
    for part in (model.decoder, model.post_quant_conv):
        part.requires_grad_(True)
    compiled = schedule.steps >= WORTH_COMPILING
    loss = vae.decoder_loss(model, images, schedule.batch_size, compiled, latents)
    fit(model, loss, schedule, folder, minutes=job.minutes)


def _train_clip(job: Job) -> None:
    schedule, scenes = job.schedule("clip"), job.scenes
    clip.train_vocabulary([text for five in scenes.captions for text in five], job.weights / "clip")
    tokenizer = load_tokenizer(job.weights / "clip", clip.CONTEXT)
    n_categories = scenes.patches.shape[-1]
    model = clip.Learner(tokenizer.vocab_size, n_categories, schedule.seed).to(job.device)
    loss = clip.clip_loss(model, scenes, tokenizer, schedule.batch_size)
    fit(model, loss, schedule, job.folder, minutes=job.minutes)
    clip.save_clip(model, job.weights / "clip")


def _train_unet(job: Job) -> None:
    _require(job, "unet", "vae", "clip")
    schedule = job.schedule("unet")
    encoder = load_clip(Weights(clip=str(job.weights / "clip")), job.device)
    autoencoder = load_vae(job.weights, job.device)
    data = unet.encode(job.folder, job.scenes, autoencoder, encoder)
    model = unet.build_unet(schedule.seed).to(job.device)
    loss = unet.unet_loss(model, data, encoder, schedule.batch_size)
    if fit(model, loss, schedule, job.folder, minutes=job.minutes):
        schedule = job.schedule("decoded")
        loss = unet.unet_loss(model, data, encoder, schedule.batch_size, as_decoded=True)
        fit(model, loss, schedule, job.folder / "decoded", minutes=job.minutes)
    save_dual_unet(model, job.weights)
    unet.save_scheduler(job.weights / "scheduler")


def _require(job: Job, which: str, *others: str) -> None:
    for other in others:
        path = job.weights / WEIGHTS[other]
        if not path.is_file():
            raise WeightsError(
                f"The {which} learns from what the {other} gives: expected {path}, but it does not "
                f"exist. Train it first: havir mini train FOLDER --which {other}"
            )


WEIGHTS = {
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "clip": f"clip/{clip.WEIGHTS_FILE}",
    "unet": "image_unet/diffusion_pytorch_model.safetensors",
}
TRAINERS = {
    "vae": _train_vae,
    "clip": _train_clip,
    "unet": _train_unet,
    "decoder": _train_decoder,
}
