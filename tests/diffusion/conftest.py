"""A tiny Versatile Diffusion with random weights: the stock pipeline and its hub folder."""

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.pipelines.deprecated.versatile_diffusion import modeling_text_unet

from benchmarks.stock import repaired, stock_pipeline

# Unequal on purpose: batch 3, latent 5 x 6 x 8, image tokens 9 x 12, text tokens 7 x 12.
LATENT = (5, 6, 8)
N_IMAGE, N_TEXT, WIDTH = 9, 7, 12
UNET = {
    "sample_size": LATENT[1:],
    "block_out_channels": (16, 24),
    "layers_per_block": 1,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 2,  # diffusers' name for the number of heads
    "norm_num_groups": 4,
}


def image_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        in_channels=LATENT[0],
        out_channels=LATENT[0],
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        **UNET,
    )


def text_unet() -> modeling_text_unet.UNetFlatConditionModel:
    return modeling_text_unet.UNetFlatConditionModel(
        in_channels=WIDTH,
        out_channels=WIDTH,
        down_block_types=("CrossAttnDownBlockFlat", "DownBlockFlat"),
        up_block_types=("UpBlockFlat", "CrossAttnUpBlockFlat"),
        **UNET,
    )


def vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=LATENT[0],
        norm_num_groups=4,
        scaling_factor=0.7,
    )


def noise_schedule() -> DDIMScheduler:
    """Versatile Diffusion's own schedule."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A folder in Versatile Diffusion's hub layout."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("versatile-diffusion")
    image_unet().save_pretrained(folder / "image_unet")
    text_unet().save_pretrained(folder / "text_unet")
    vae().save_pretrained(folder / "vae")
    noise_schedule().save_pretrained(folder / "scheduler")
    return folder


@pytest.fixture
def pipeline(hub):
    """The stock pipeline on the same weights, with its attention block repaired."""
    with repaired():
        yield stock_pipeline(hub, N_TEXT, dict(noise_schedule().config))


@pytest.fixture
def inputs():
    """Latents, image tokens and text tokens of three images."""
    generator = torch.Generator().manual_seed(2)
    shapes = (LATENT, (N_IMAGE, WIDTH), (N_TEXT, WIDTH))
    return tuple(torch.randn(3, *shape, generator=generator) for shape in shapes)
