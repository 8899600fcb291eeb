"""Train the small models: VAE and CLIP first, the UNet on top of both, at last the VAE's decoder.

Each stage starts from the weights that earlier ones left, and leaves usable weights itself, so
that stages can be trained at different times and places.

::

    <folder>/scenes/    rendered pictures, cached
    <folder>/vae/       checkpoint.pt, log.csv; the same for every other stage
    <folder>/weights/   the result, in the layout that the package ships
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from havir_lib import hub
from havir_lib.config import Weights
from havir_lib.diffusion import DualGuidedUNet, load_dual_unet, save_dual_unet
from havir_lib.diffusion.model import load_diffusion
from havir_lib.errors import ConfigError, WeightsError
from havir_lib.evaluation.objects import READER
from havir_lib.mini import clip, denoised, reader, unet, vae
from havir_lib.mini.data import SceneSet, load_scenes
from havir_lib.mini.encoded import encode
from havir_lib.mini.fit import Schedule, fit
from havir_lib.mini.perceptual import PerceptualLoss
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
    which : {"vae", "clip", "unet", "decoded", "decoder", "reader"}
        The UNet needs VAE and CLIP trained; "decoded" goes on with the UNet, and "decoder" with the
        VAE's decoder after it; the reader of objects needs none.
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
        workers=workers,
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
    workers: int | None
    recipe: Recipe
    schedule: Callable[[str], Schedule]
    minutes: float | None


def _train_vae(job: Job) -> None:
    schedule, images = job.schedule("vae"), job.scenes.images
    model = vae.build_vae(schedule.seed).to(job.device)
    compiled = schedule.steps >= WORTH_COMPILING
    loss = vae.vae_loss(model, images, schedule.batch_size, compiled)
    fit(model, loss, schedule, job.folder, minutes=job.minutes)
    factor = vae.measure_scaling(model, images[: vae.N_SCALING])
    vae.save_vae(model, job.weights / "vae", factor)


def _train_decoder(job: Job) -> None:
    _require(job, "decoder", "vae", "clip", "unet")
    encoder = load_clip(Weights(clip=str(job.weights / "clip")), job.device)
    scenes = job.scenes.first(job.recipe.n_scenes_denoised)
    diffusion = load_diffusion(job.weights, job.device)
    latents = denoised.denoised_latents(
        job.folder, scenes.images, scenes.captions, diffusion, encoder
    )
    model, schedule = load_vae(job.weights, job.device), job.schedule("decoder")
    # Only the decoder learns: the latents, on which the UNet depends, stay as they are.
    model.requires_grad_(False)
    for part in (model.decoder, model.post_quant_conv):
        part.requires_grad_(True)
    compiled = schedule.steps >= WORTH_COMPILING
    loss = vae.decoder_loss(model, scenes.images, latents, schedule.batch_size, compiled)
    fit(model, loss, schedule, job.folder, minutes=job.minutes)
    vae.save_vae(model, job.weights / "vae", diffusion.vae.config.scaling_factor)


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
    _fit_unet(job, schedule, unet.build_unet(schedule.seed).to(job.device), as_decoded=False)


def _train_decoded(job: Job) -> None:
    _require(job, "decoded", "vae", "clip", "unet")
    model = load_dual_unet(job.weights, job.device).to(memory_format=torch.channels_last)
    _fit_unet(job, job.schedule("decoded"), model.requires_grad_(True).train(), as_decoded=True)


def _fit_unet(job: Job, schedule: Schedule, model: DualGuidedUNet, as_decoded: bool) -> None:
    encoder = load_clip(Weights(clip=str(job.weights / "clip")), job.device)
    autoencoder = load_vae(job.weights, job.device)
    n_twins = min(job.recipe.n_twins, len(job.scenes))
    twins = load_scenes(job.folder.parent, n_twins, workers=job.workers, twins=True)
    data = encode(job.folder.parent / "unet", job.scenes, twins, autoencoder, encoder)
    looks = None
    if as_decoded:
        perceptual = PerceptualLoss(job.device)
        looks = unet.Looks(autoencoder, job.scenes, twins, perceptual)
    loss = unet.unet_loss(model, data, encoder, schedule.batch_size, looks)
    fit(model, loss, schedule, job.folder, minutes=job.minutes)
    save_dual_unet(model, job.weights)
    unet.save_scheduler(job.weights / "scheduler")


def _train_reader(job: Job) -> None:
    fitted = reader.fit_reader(job.scenes.first(reader.N_LEARNING), job.device)
    reader.save_reader(fitted, job.weights / READER)


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
    "decoded": _train_decoded,
    "decoder": _train_decoder,
    "reader": _train_reader,
}
