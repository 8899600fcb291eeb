"""Train the small models, one after the other: VAE and CLIP first, then the UNet on top of both.

::

    <folder>/scenes/    rendered pictures, cached
    <folder>/vae/       checkpoint.pt, log.csv; the same for clip/ and unet/
    <folder>/weights/   the result, in the layout that the package ships
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import torch

from havir_lib.config import Weights
from havir_lib.diffusion import load_vae, save_dual_unet
from havir_lib.errors import ConfigError, WeightsError
from havir_lib.mini import clip, unet, vae
from havir_lib.mini.data import SceneSet, load_scenes
from havir_lib.mini.fit import fit
from havir_lib.mini.recipe import WHICH, Recipe
from havir_lib.targets.clip import load_clip

log = logging.getLogger(__name__)

N_SCALING = 512
"""Scenes from which the latents' standard deviation is measured."""


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
    scenes = load_scenes(folder, recipe.n_scenes, workers=workers)
    schedule = recipe.schedule(which, effort, steps)
    options = {"schedule": schedule, "folder": folder / which, "minutes": minutes}
    TRAINERS[which](scenes, folder / "weights", torch.device(device), options)
    log.info("%s: weights written to %s", which, folder / "weights")
    return folder / "weights"


def _train_vae(scenes: SceneSet, weights: Path, device: torch.device, options: dict) -> None:
    schedule = options["schedule"]
    model = vae.build_vae(schedule.seed).to(device)
    loss = vae.vae_loss(model, scenes.images, schedule.batch_size, compiled=schedule.steps > 500)
    fit(model, loss, **options)
    vae.save_vae(model, weights / "vae", vae.measure_scaling(model, scenes.images[:N_SCALING]))


def _train_clip(scenes: SceneSet, weights: Path, device: torch.device, options: dict) -> None:
    schedule = options["schedule"]
    vocabulary = weights / "clip" / clip.MERGES_FILE
    clip.train_vocabulary([text for five in scenes.captions for text in five], vocabulary)
    tokenizer = clip.load_vocabulary(vocabulary)
    model = clip.Learner(tokenizer.vocab_size, scenes.patches.shape[-1], schedule.seed).to(device)
    fit(model, clip.clip_loss(model, scenes, tokenizer, schedule.batch_size), **options)
    clip.save_clip(model, weights / "clip")


def _train_unet(scenes: SceneSet, weights: Path, device: torch.device, options: dict) -> None:
    for name in ("vae/diffusion_pytorch_model.safetensors", f"clip/{clip.WEIGHTS_FILE}"):
        if not (weights / name).is_file():
            raise WeightsError(
                f"The UNet learns from latents and tokens: expected {weights / name}, but it does "
                "not exist. Train the VAE and CLIP first (havir mini train vae, ... clip)."
            )
    schedule = options["schedule"]
    encoder = load_clip(Weights(clip=str(weights / "clip")), device)
    data = unet.encode(options["folder"], scenes, load_vae(weights, device), encoder)
    model = unet.build_unet(schedule.seed).to(device)
    fit(model, unet.unet_loss(model, data, encoder, schedule.batch_size), **options)
    save_dual_unet(model, weights)
    unet.save_scheduler(weights / "scheduler")


TRAINERS = {"vae": _train_vae, "clip": _train_clip, "unet": _train_unet}
