"""Tiny models in the layouts that the loaders read."""

import json

import open_clip
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from havir_lib.mini.clip import write_tokenizer

MERGES = ["a t</w>", "c at</w>", "d o", "do g</w>"]
VOCABULARY = 512 + len(MERGES) + 2  # letters, letters at the end of a word, merges, start and end
SIZES = {"width": 16, "layers": 3}
JOINT, IMAGE, PATCH, CONTEXT, HEADS = 12, 24, 8, 9, 2


def clip_config(quick_gelu=True):
    """An open_clip configuration with 10 image tokens and 9 text tokens of width 12."""
    vision = {**SIZES, "image_size": IMAGE, "patch_size": PATCH, "head_width": 16 // HEADS}
    text = {**SIZES, "context_length": CONTEXT, "vocab_size": VOCABULARY, "heads": HEADS}
    return {
        "embed_dim": JOINT,
        "quick_gelu": quick_gelu,
        "vision_cfg": vision,
        "text_cfg": text,
    }


def random_clip(quick_gelu=True):
    """A CLIP model whose biases and norms are random, too, or a forgotten one would not show."""
    model = open_clip.CLIP(**clip_config(quick_gelu)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.fixture
def make_clip():
    """Function that makes a CLIP model with random weights."""
    return random_clip


@pytest.fixture
def clip_folder(tmp_path):
    """A model in the layout of the small CLIP that the package ships."""
    folder = tmp_path / "clip"
    folder.mkdir()
    content = {"model_cfg": clip_config(), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    tensors = {name: x.half().contiguous() for name, x in random_clip().state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    write_tokenizer(folder, [pair.split() for pair in MERGES], pad="!")
    return folder


@pytest.fixture
def diffusion_folder(tmp_path):
    """A VAE with latents (5, 6, 6) for images of 24 pixels, and the UNet's configuration."""
    folder = tmp_path / "diffusion"
    model = AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        latent_channels=5,
        norm_num_groups=4,
        scaling_factor=0.7,
        layers_per_block=1,
    )
    model.save_pretrained(folder / "vae")
    (folder / "image_unet").mkdir()
    (folder / "image_unet" / "config.json").write_text(json.dumps({"sample_size": 6}))
    return folder
