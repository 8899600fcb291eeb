"""Diffusers' own Versatile Diffusion pipeline, repaired, as the reference for our sampler.

The pipeline takes prompts and pictures; here it is given tokens in their place, and nothing else of
its loop is changed. The repair: its UNet's blocks pass ``encoder_attention_mask``, which
``DualTransformer2DModel.forward`` does not take (diffusers issue 13651).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.transformers.dual_transformer_2d import DualTransformer2DModel
from diffusers.pipelines.deprecated.versatile_diffusion import modeling_text_unet
from diffusers.pipelines.deprecated.versatile_diffusion import (
    pipeline_versatile_diffusion_dual_guided as stock,
)
from torch import Tensor

from havir_lib.diffusion import DualGuidedDiffusion
from havir_lib.diffusion.inputs import Inputs, conditions
from havir_lib.diffusion.sampler import Sampling, sample
from havir_lib.diffusion.schedule import draw_noise, generators, make_scheduler


@dataclass(frozen=True)
class Comparison:
    """Two images' or more tokens and the settings that both samplers get.

    Attributes
    ----------
    image, text : Tensor, shapes (B, Ti, D) and (B, Tt, D)
    seeds : sequence of int, length B
    latent_shape : tuple
        (C, h, w); h and w may be smaller than the model's own, whose arithmetic is the same.
    """

    image: Tensor
    text: Tensor
    seeds: Sequence[int]
    latent_shape: tuple[int, int, int]
    scheduler: str = "unipc"
    mixing: float = 0.5
    guidance_scale: float = 3.5
    steps: int = 4


@contextmanager
def repaired() -> Iterator[None]:
    """Inside the block, the stock dual transformer takes the argument that it is called with."""
    original = DualTransformer2DModel.forward

    def forward(self, *args, encoder_attention_mask=None, **kwargs):
        return original(self, *args, **kwargs)

    DualTransformer2DModel.forward = forward
    try:
        yield
    finally:
        DualTransformer2DModel.forward = original


def stock_pipeline(
    hub: Path, text_length: int, scheduler_config: dict
) -> stock.VersatileDiffusionDualGuidedPipeline:
    """The stock pipeline on the weights of a hub folder; call it inside :func:`repaired`."""
    pipe = stock.VersatileDiffusionDualGuidedPipeline(
        tokenizer=None,
        image_feature_extractor=None,
        text_encoder=None,
        image_encoder=None,
        image_unet=_load(UNet2DConditionModel, hub / "image_unet"),
        text_unet=_load(modeling_text_unet.UNetFlatConditionModel, hub / "text_unet"),
        vae=_load(AutoencoderKL, hub / "vae"),
        scheduler=make_scheduler("ddim", scheduler_config, 1),
    )
    pipe.text_encoder = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=text_length))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _load(kind: type, folder: Path) -> torch.nn.Module:
    safe = any(folder.glob("*.safetensors*"))
    return kind.from_pretrained(folder, local_files_only=True, use_safetensors=safe)


def stock_latents(
    pipeline: stock.VersatileDiffusionDualGuidedPipeline, schedule: dict, given: Comparison
) -> Tensor:
    """Final latents (B, C, h, w) of the stock pipeline's own loop."""
    own = generators(given.seeds)
    place = {"device": pipeline.device, "dtype": pipeline.image_unet.dtype}
    noise = draw_noise(own, given.latent_shape).to(**place)
    for name, tokens in (("text", given.text), ("image", given.image)):
        guided = given.guidance_scale > 1
        both = torch.cat([torch.zeros_like(tokens), tokens]) if guided else tokens
        both = both.to(**place)
        setattr(pipeline, f"_encode_{name}_prompt", lambda *_, both=both: both)
    pipeline.scheduler = make_scheduler(given.scheduler, schedule, given.steps)
    return pipeline(
        prompt=["?"] * len(given.seeds),
        image=["?"] * len(given.seeds),
        text_to_image_strength=given.mixing,
        height=8 * given.latent_shape[1],  # only checked: the latents decide
        width=8 * given.latent_shape[2],
        num_inference_steps=given.steps,
        guidance_scale=given.guidance_scale,
        generator=own,
        latents=noise,
        output_type="latent",
    ).images


@torch.inference_mode()
def own_latents(model: DualGuidedDiffusion, given: Comparison) -> Tensor:
    """Final latents (B, C, h, w) of our sampler, from pure noise as the stock pipeline starts."""
    tokens = (given.image, given.text)
    image, text = conditions(model.unet, tokens, (None, None), (True, True), len(given.seeds))
    inputs = Inputs(None, image, text, given.seeds, given.latent_shape)
    sampling = Sampling(
        given.steps, 1.0, "noise", given.guidance_scale, given.mixing, given.scheduler
    )
    (batch,) = inputs.batches(len(given.seeds), model.device)
    return sample(model.unet, model.scheduler_config, sampling, batch)
