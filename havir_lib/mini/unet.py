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

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from havir_lib.diffusion import DualGuidedUNet, build_dual_unet
from havir_lib.io import save_arrays, write_json
from havir_lib.mini.data import SceneSet
from havir_lib.mini.fit import Draw, Loss
from havir_lib.mini.reading import READ, Reading, read_latents, read_tokens
from havir_lib.mini.vae import to_tensor
from havir_lib.provenance import digest
from havir_lib.targets.clip import ClipEncoder, text_tokens

CONFIG = {
    "sample_size": 16,
    "in_channels": 12,
    "out_channels": 12,
    "block_out_channels": [64, 128],
    "layers_per_block": 1,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
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

N_READING = 2048
"""Scenes that describe how targets vary."""


def build_unet(seed: int = 0) -> DualGuidedUNet:
    """A dual-guided UNet with fresh weights."""
    torch.manual_seed(seed)
    return build_dual_unet(CONFIG).to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Encoded:
    """What the UNet learns from, encoded once.

    Attributes
    ----------
    latents : ndarray, float16 (n, C, h, w)
        Scaled to unit standard deviation.
    image_tokens : ndarray, float16 (n, Ti, D)
    ids : Tensor, int64 (n, captions, Tt)
        Caption token ids; text tokens are computed when drawn, which costs less than reading them.
    twin_latents : ndarray, float16 (m, C, h, w)
    twin_ids : Tensor, int64 (m, captions, Tt)
        The same of the first m scenes' twins, with another main object.
    """

    latents: np.ndarray
    image_tokens: np.ndarray
    ids: Tensor
    twin_latents: np.ndarray
    twin_ids: Tensor


@torch.inference_mode()
def encode(
    folder: Path, scenes: SceneSet, vae: AutoencoderKL, clip: ClipEncoder, batch_size: int = 64
) -> Encoded:
    """Latents and tokens of all scenes, written to `folder` so that a resumed run reuses them."""
    path = folder / f"encoded-{_identity(vae, clip)}.npz"
    if not path.is_file():
        parts = list(_encode(scenes, vae, clip, batch_size))
        latents, tokens, ids = (np.concatenate(part) for part in zip(*parts, strict=True))
        save_arrays(path, latents=latents, image_tokens=tokens, ids=ids)
    with np.load(path, allow_pickle=False) as arrays:
        ids = torch.from_numpy(arrays["ids"]).long()
        return Encoded(arrays["latents"], arrays["image_tokens"], ids)


def _identity(vae: AutoencoderKL, clip: ClipEncoder) -> str:
    # The decoder is left out: refining it changes no latent.
    parts = (vae.encoder, vae.quant_conv, clip.model)
    tensors = [x.float().cpu().numpy() for part in parts for x in part.state_dict().values()]
    return digest([vae.config.scaling_factor, *tensors])


def _encode(
    scenes: SceneSet, vae: AutoencoderKL, clip: ClipEncoder, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for start in tqdm(range(0, len(scenes), batch_size), desc="encoding", unit=f"x{batch_size}"):
        part = slice(start, start + batch_size)
        images = np.array(scenes.images[part])
        x = to_tensor(images, vae.device)
        with torch.autocast(vae.device.type, torch.bfloat16):
            mean = vae.encode(x).latent_dist.mean.float()
        tokens = clip.image_tokens(images)
        captions = [caption for five in scenes.captions[part] for caption in five]
        ids = clip.tokenize(captions).unflatten(0, (len(images), -1))
        yield (
            (mean * vae.config.scaling_factor).cpu().numpy().astype(np.float16),
            tokens.cpu().numpy().astype(np.float16),
            ids.numpy().astype(np.int16),
        )


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


def unet_loss(
    unet: DualGuidedUNet,
    data: Encoded,
    clip: ClipEncoder,
    batch_size: int,
    as_decoded: bool = False,
) -> Loss:
    """Mean squared error of the predicted velocity at a random time step.

    Parameters
    ----------
    unet : DualGuidedUNet
    data : Encoded
    clip : ClipEncoder
    batch_size : int
    as_decoded : bool
        Second stage: show some tokens and latents as decoders read them. The velocity to predict is
        then the one that leads from the read, noisy latent to the true one.
    """
    device = next(unet.parameters()).device
    scheduler = DDPMScheduler.from_config(SCHEDULER)
    readings = Readings.of(data, clip, device) if as_decoded else None
    image_mean = torch.from_numpy(data.image_tokens[:2048].mean(0, dtype=np.float32)).to(device)
    with torch.inference_mode():
        text_mean = text_tokens(clip.model, data.ids[:512, 0].to(device)).mean(0)
    text_mean = text_mean.clone()

    def loss(draw: Draw) -> dict[str, Tensor]:
        index = np.sort(draw.numpy.choice(len(data.latents), batch_size, replace=False))
        z = torch.from_numpy(data.latents[index]).float().to(device)
        image, text, mixing = _conditions(draw, data, clip, index, image_mean, text_mean, readings)
        time = torch.randint(1000, (batch_size,), generator=draw.torch).to(device)
        noise = torch.randn(z.shape, generator=draw.torch).to(device)
        start = z
        if readings is not None:
            start = read_latents(z, time, scheduler, readings.latents, draw)
        noisy = scheduler.add_noise(start, noise, time)
        target = _velocity(z, noisy, time, scheduler)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            predicted = unet(noisy, time, image, text, mixing)
        each = F.mse_loss(predicted.float(), target, reduction="none").mean(dim=(1, 2, 3))
        return {"loss": each.mean()}

    return loss


def _velocity(z: Tensor, noisy: Tensor, time: Tensor, scheduler: DDPMScheduler) -> Tensor:
    """The velocity by which a denoiser gets from `noisy` to `z`."""
    kept = scheduler.alphas_cumprod.to(z.device)[time][:, None, None, None]
    return (kept.sqrt() * noisy - z) / (1 - kept).sqrt()


def _conditions(
    draw: Draw,
    data: Encoded,
    clip: ClipEncoder,
    index: np.ndarray,
    image_mean: Tensor,
    text_mean: Tensor,
    readings: Readings | None,
) -> tuple[Tensor | None, Tensor | None, float | Tensor]:
    """Image tokens, text tokens and mixing ratio of one batch."""
    branch = draw.numpy.choice(list(BRANCHES), p=list(BRANCHES.values()))
    device, n = image_mean.device, len(index)
    image = text = None
    drop_both = torch.rand(n, generator=draw.torch) < DROP
    if readings is not None:
        read = (torch.rand(n, generator=draw.torch) < READ).to(device)
    if branch != "text":
        image = torch.from_numpy(data.image_tokens[index]).float().to(device)
        if readings is not None:
            image = read_tokens(image, readings.image, read, draw)
        image = _weaken(image, image_mean, drop_both, draw)
    if branch != "image":
        caption = draw.numpy.integers(data.ids.shape[1], size=n)
        with torch.no_grad():
            text = text_tokens(clip.model, data.ids[index, caption].to(device))
        if readings is not None:
            text = read_tokens(text, readings.text, read, draw)
        text = _weaken(text, text_mean, drop_both, draw)
    return image, text, torch.rand(n, generator=draw.torch).to(device)


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
