"""VAE latents."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from havir_lib.config import Weights
from havir_lib.errors import WeightsError
from havir_lib.targets import vae


def pictures(rng, side):
    return rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8)


@torch.no_grad()
def test_latents_are_the_scaled_mode_of_the_signed_image(diffusion_folder, rng):
    model, images = vae.load_vae(diffusion_folder), pictures(rng, 24)
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    expected = model.encode(x).latent_dist.mean * 0.7
    found = vae.latents(model, images, 24)
    assert found.shape == (2, 5, 6, 6)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_image_size_is_the_unets(diffusion_folder):
    assert vae.image_size(diffusion_folder, vae.load_vae(diffusion_folder)) == 6 * 4


@torch.no_grad()
def test_other_image_sizes_are_resized(diffusion_folder, rng):
    model = vae.load_vae(diffusion_folder)
    flat = np.full((1, 17, 31, 3), 90, np.uint8)
    square = np.full((1, 24, 24, 3), 90, np.uint8)
    torch.testing.assert_close(vae.latents(model, flat, 24), vae.latents(model, square, 24))


def test_missing_folder_says_what_to_set(tmp_path):
    with pytest.raises(WeightsError, match=r"weights\.diffusion.*config\.json does not exist"):
        vae.diffusion_folder(Weights(diffusion=str(tmp_path)))


def test_incomplete_weights_are_refused_not_filled_with_random_ones(diffusion_folder):
    path = diffusion_folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["quant_conv.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"quant_conv\.weight"):
        vae.load_vae(diffusion_folder)


def test_corrupt_weights_name_the_folder(diffusion_folder):
    path = diffusion_folder / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(WeightsError, match="vae could not be loaded"):
        vae.load_vae(diffusion_folder)
