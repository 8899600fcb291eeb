"""Train the small models, one after the other: VAE and CLIP first, then the UNet on top of both.

::

    <folder>/scenes/    rendered pictures, cached
    <folder>/vae/       checkpoint.pt, log.csv; the same for vae/decoder/, clip/, unet/
                        and unet/decoded/
    <folder>/weights/   the result, in the layout that the package ships
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from havir_lib.config import Weights
from havir_lib.diffusion import save_dual_unet
from havir_lib.errors import ConfigError, WeightsError
from havir_lib.mini import clip, unet, vae
from havir_lib.mini.data import SceneSet, load_scenes
from havir_lib.mini.fit import Schedule, fit
from havir_lib.mini.recipe import WHICH, Recipe
from havir_lib.targets.clip import load_clip
from havir_lib.targets.vae import load_vae

log = logging.getLogger(__name__)

N_SCALING = 512
"""Scenes from which the latents' standard deviation is measured."""

WORTH_COMPILING = 500
"""Compiling the VAE takes a minute or two and saves a quarter of each step."""


def train_all(folder: Path, device: torch.device | str = "cpu", **options) -> Path:
    """Train all three models; `options` as in :func:`train`. Returns the folder of weights."""
    for which in WHICH:
        train(which, folder, device, **options)
    return Path(folder) / "weights"


def train(
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
    which : {"vae", "clip", "unet"}
        The UNet needs the other two trained.
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
        If the UNet is to be trained before VAE and CLIP.
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
        n_scenes_vae=recipe.n_scenes_vae,
        schedule=lambda name: recipe.schedule(name, effort, steps),
        minutes=minutes,
    )
    TRAINERS[which](job)
    log.info("%s: weights written to %s", which, job.weights)
    return job.weights


@dataclass(frozen=True)
class Job:
    """What training one model needs; names as in :func:`train`."""

    scenes: SceneSet
    folder: Path
    weights: Path
    device: torch.device
    n_scenes_vae: int
    schedule: Callable[[str], Schedule]
    minutes: float | None


def _train_vae(job: Job) -> None:
    schedule, images = job.schedule("vae"), job.scenes.images[: job.n_scenes_vae]
    model = vae.build_vae(schedule.seed).to(job.device)
    compiled = schedule.steps >= WORTH_COMPILING
    loss = vae.vae_loss(model, images, schedule.batch_size, compiled)
    finished = fit(model, loss, schedule, job.folder, minutes=job.minutes)
    if finished:
        _refine_decoder(job, model)
    factor = vae.measure_scaling(model, images[:N_SCALING])
    vae.save_vae(model, job.weights / "vae", factor)


def _refine_decoder(job: Job, model: AutoencoderKL) -> None:
    # Only the decoder learns: the latents, on which the UNet depends, stay as they are.
    schedule = job.schedule("decoder")
    model.requires_grad_(False)
    for part in (model.decoder, model.post_quant_conv):
        part.requires_grad_(True)
    images = job.scenes.images[: job.n_scenes_vae]
    loss = vae.vae_loss(model, images, schedule.batch_size)
    fit(model, loss, schedule, job.folder / "decoder", minutes=job.minutes)


def _train_clip(job: Job) -> None:
    schedule, scenes = job.schedule("clip"), job.scenes
    vocabulary = job.weights / "clip" / clip.MERGES_FILE
    clip.train_vocabulary([text for five in scenes.captions for text in five], vocabulary)
    tokenizer = clip.load_vocabulary(vocabulary)
    n_categories = scenes.patches.shape[-1]
    model = clip.Learner(tokenizer.vocab_size, n_categories, schedule.seed).to(job.device)
    loss = clip.clip_loss(model, scenes, tokenizer, schedule.batch_size)
    fit(model, loss, schedule, job.folder, minutes=job.minutes)
    clip.save_clip(model, job.weights / "clip")


def _train_unet(job: Job) -> None:
    for name in ("vae/diffusion_pytorch_model.safetensors", f"clip/{clip.WEIGHTS_FILE}"):
        if not (job.weights / name).is_file():
            raise WeightsError(
                f"The UNet learns from latents and tokens: expected {job.weights / name}, but it "
                "does not exist. Train the VAE and CLIP first: havir mini train FOLDER --which vae"
            )
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


TRAINERS = {"vae": _train_vae, "clip": _train_clip, "unet": _train_unet}
