"""The small dual-guided UNet, trained to denoise VAE latents under CLIP image and text tokens.

In use the tokens are predictions from noisy brain signals, paler than real ones. So some tokens are
pulled towards the mean token in training, and some are dropped: zeros mean "nothing known", the
null condition of classifier-free guidance. A second stage of training shows tokens and latents as
decoders read them, with errors (:mod:`havir_lib.mini.reading`), and the UNet learns to draw sharp
pictures from these too.

Shape words: n scenes, B batch, C latent channels, h w latent grid, Ti image tokens, Tt text tokens,
D token width.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler
from torch import Tensor
from torch.nn import functional as F

from havir_lib.devices import mixed_precision
from havir_lib.diffusion import DualGuidedUNet, build_dual_unet
from havir_lib.io import write_json
from havir_lib.mini.data import SceneSet
from havir_lib.mini.encoded import Encoded
from havir_lib.mini.fit import Draw, Loss
from havir_lib.mini.perceptual import PerceptualLoss
from havir_lib.mini.places import lookups
from havir_lib.mini.reading import READ, Reading, fading, read_latents, read_tokens
from havir_lib.mini.vae import to_tensor
from havir_lib.targets.clip import ClipEncoder, text_tokens

CONFIG = {
    "sample_size": 16,
    "in_channels": 12,
    "out_channels": 12,
    "block_out_channels": [64, 144],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 128,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
}
SCHEDULER = {
    "_class_name": "DDPMScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
BRANCHES = {"image": 0.35, "text": 0.25, "both": 0.4}
"""Share of steps that train one kind of tokens alone or a random mix of both."""

DROP = 0.1
PALE = 0.5
"""Share of samples whose tokens are pulled towards the mean, by up to half the way."""

TWINS = 0.3
"""Share of samples with text whose text is of the scene's twin: another main object."""
TEXT_WINS = (0.2, 0.6)
"""Mixing ratios between which it gets likelier, from never to always, that the twin's text wins."""

N_LOOKS = 4
LOOKS_WEIGHT = 0.1
"""Pictures per step of which the second stage compares looks, and how much these count."""

PLACES_WEIGHT = 0.05
"""How much it counts that heads look at the token of their own place."""

N_READING = 2048
"""Scenes that describe how targets vary."""


def build_unet(seed: int = 0) -> DualGuidedUNet:
    """A dual-guided UNet with fresh weights."""
    torch.manual_seed(seed)
    return build_dual_unet(CONFIG).to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Readings:
    """One :class:`Reading` for each kind of target."""

    latents: Reading
    image: Reading
    text: Reading

    @classmethod
    def of(cls, data: Encoded, clip: ClipEncoder, device: torch.device) -> Readings:
        """Describe the targets of the first scenes."""
        latents = torch.from_numpy(data.latents[:N_READING]).float().to(device)
        image = torch.from_numpy(data.image_tokens[:N_READING]).float().to(device)
        with torch.no_grad():
            parts = data.ids[:N_READING, 0].to(device).split(256)
            text = torch.cat([text_tokens(clip.model, part) for part in parts])
        return cls(Reading.of(latents), Reading.of(image), Reading.of(text))


@dataclass(frozen=True)
class Looks:
    """How alike pictures look that the decoder makes of denoised latents.

    Attributes
    ----------
    vae : AutoencoderKL
    scenes, twins : SceneSet
    perceptual : PerceptualLoss
    """

    vae: AutoencoderKL
    scenes: SceneSet
    twins: SceneSet
    perceptual: PerceptualLoss

    def __call__(self, latents: Tensor, index: np.ndarray, moved: Tensor) -> Tensor:
        """Distance of what latents (B, C, h, w) show from scenes, or their twins where `moved`."""
        images = [
            (self.twins if twin else self.scenes).images[i]
            for i, twin in zip(index, moved.tolist(), strict=True)
        ]
        truth = to_tensor(np.stack(images), latents.device)
        z = latents / self.vae.config.scaling_factor
        return self.perceptual(self.vae.decoder(self.vae.post_quant_conv(z)).float(), truth)


def unet_loss(
    unet: DualGuidedUNet,
    data: Encoded,
    clip: ClipEncoder,
    batch_size: int,
    looks: Looks | None = None,
) -> Loss:
    """Mean squared error of the predicted velocity at a random time step; and where heads look.

    Parameters
    ----------
    unet : DualGuidedUNet
    data : Encoded
    clip : ClipEncoder
    batch_size : int
    looks : Looks, optional
        Second stage: show some tokens and latents as decoders read them, and compare not only
        latents, but also what the decoder makes of some of them. The velocity to predict is then
        the one that leads from the read, noisy latent to the true one.
    """
    device = next(unet.parameters()).device
    scheduler = DDPMScheduler.from_config(SCHEDULER)
    readings = Readings.of(data, clip, device) if looks else None
    image_mean = torch.from_numpy(data.image_tokens[:2048].mean(0, dtype=np.float32)).to(device)
    with torch.inference_mode():
        text_mean = text_tokens(clip.model, data.ids[:512, 0].to(device)).mean(0)
    means = (image_mean, text_mean.clone())

    def loss(draw: Draw) -> dict[str, Tensor]:
        index = np.sort(draw.numpy.choice(len(data.latents), batch_size, replace=False))
        branch = draw.numpy.choice(list(BRANCHES), p=list(BRANCHES.values()))
        mixing = torch.rand(batch_size, generator=draw.torch)
        twin, moved = _twins(index, branch, mixing, len(data.twin_latents), draw)
        image, text = _conditions(draw, data, clip, index, branch, twin, means, readings)
        seen = torch.from_numpy(data.latents[index]).float().to(device)
        z = seen.clone()
        z[moved.to(device)] = torch.from_numpy(data.twin_latents[index[moved.numpy()]]).to(z)
        if readings is not None:
            seen = read_latents(seen, readings.latents, draw)
        time = torch.randint(1000, (batch_size,), generator=draw.torch).to(device)
        noise = torch.randn(z.shape, generator=draw.torch).to(device)
        noisy = scheduler.add_noise(fading(z, seen, time, scheduler, draw), noise, time)
        target = _velocity(z, noisy, time, scheduler)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        with mixed_precision(device), lookups(unet) as looked:
            predicted = unet(noisy, time, image, text, mixing.to(device)).float()
        each = F.mse_loss(predicted, target, reduction="none").mean(dim=(1, 2, 3))
        places = _mean_surprise(looked, image, each)
        total = each.mean() + PLACES_WEIGHT * places
        if looks is None:
            return {"loss": total, "latents": each.mean(), "places": places}
        some = draw.numpy.choice(batch_size, min(N_LOOKS, batch_size), replace=False)
        shown = _clean(predicted[some], noisy[some], time[some], scheduler)
        with mixed_precision(device):
            distance = looks(shown, index[some], moved[some])
        total = total + LOOKS_WEIGHT * distance
        return {"loss": total, "latents": each.mean(), "places": places, "looks": distance}

    return loss


def _mean_surprise(looked: list[Tensor], image: Tensor | None, like: Tensor) -> Tensor:
    """Mean over blocks and over the samples that have image tokens; 0 without any."""
    if image is None:
        return like.new_zeros(())
    there = image.flatten(1).any(dim=1)
    surprise = torch.stack(looked).mean(0)
    return (surprise * there).sum() / there.sum().clamp(min=1)


def _twins(
    index: np.ndarray, branch: str, mixing: Tensor, n_twins: int, draw: Draw
) -> tuple[Tensor, Tensor]:
    """Which samples' text is of their twin, and which of these are to become it: bool (B,) each."""
    share, wins = torch.rand(2, len(index), generator=draw.torch)
    twin = (share < TWINS) & torch.from_numpy(index < n_twins) & (branch != "image")
    low, high = TEXT_WINS
    probability = torch.ones(()) if branch == "text" else (mixing - low) / (high - low)
    return twin, twin & (wins < probability)


def _clean(velocity: Tensor, noisy: Tensor, time: Tensor, scheduler: DDPMScheduler) -> Tensor:
    """The latents to which a velocity leads."""
    kept = scheduler.alphas_cumprod.to(noisy.device)[time][:, None, None, None]
    return kept.sqrt() * noisy - (1 - kept).sqrt() * velocity


def _velocity(z: Tensor, noisy: Tensor, time: Tensor, scheduler: DDPMScheduler) -> Tensor:
    """The velocity by which a denoiser gets from `noisy` to `z`."""
    kept = scheduler.alphas_cumprod.to(z.device)[time][:, None, None, None]
    return (kept.sqrt() * noisy - z) / (1 - kept).sqrt()


def _conditions(
    draw: Draw,
    data: Encoded,
    clip: ClipEncoder,
    index: np.ndarray,
    branch: str,
    twin: Tensor,
    means: tuple[Tensor, Tensor],
    readings: Readings | None,
) -> tuple[Tensor | None, Tensor | None]:
    """Image and text tokens of one batch; the text of their twins where `twin` says so."""
    device, n = means[0].device, len(index)
    image = text = None
    drop_both = torch.rand(n, generator=draw.torch) < DROP
    read = (torch.rand(n, generator=draw.torch) < READ).to(device)
    if branch != "text":
        image = torch.from_numpy(data.image_tokens[index]).float().to(device)
        if readings is not None:
            image = read_tokens(image, readings.image, read, draw)
        image = _weaken(image, means[0], drop_both, draw)
    if branch != "image":
        caption = draw.numpy.integers(data.ids.shape[1], size=n)
        ids = data.ids[index, caption]
        ids[twin] = data.twin_ids[index[twin.numpy()], caption[twin.numpy()]]
        with torch.no_grad():
            text = text_tokens(clip.model, ids.to(device))
        if readings is not None:
            text = read_tokens(text, readings.text, read, draw)
        text = _weaken(text, means[1], drop_both, draw)
    return image, text


def _weaken(tokens: Tensor, mean: Tensor, drop_both: Tensor, draw: Draw) -> Tensor:
    """Pull some samples' tokens towards the mean and set some to zero."""
    n, device = len(tokens), tokens.device
    pull, pale, dropped = torch.rand(3, n, generator=draw.torch)
    pull = (0.5 * pull * (pale < PALE)).to(device)[:, None, None]
    keep = (~(drop_both | (dropped < DROP))).to(device)[:, None, None]
    return keep * torch.lerp(tokens, mean.expand_as(tokens), pull)


def save_scheduler(folder: Path) -> None:
    """Write the noise schedule as diffusers reads it."""
    write_json(Path(folder) / "scheduler_config.json", SCHEDULER)
