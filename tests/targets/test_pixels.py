"""What the encoders read against the processors that Versatile Diffusion's layout names."""

import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from transformers import CLIPImageProcessor, CLIPImageProcessorPil

from havir_lib.evaluation.folder import read_picture_folder
from havir_lib.targets import pixels, vae

SIZE = 24
SIDES = [(24, 24), (425, 425), (48, 48), (23, 23), (24, 25), (25, 24), (60, 41), (41, 60)]
SIDES += [(100, 30), (31, 97), (12, 12), (7, 90), (240, 320), (333, 250), (64, 36), (37, 61)]
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SETTINGS = {"size": SIZE, "mean": MEAN, "std": STD}
PUBLISHED = {
    "crop_size": {"height": SIZE, "width": SIZE},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": list(MEAN),
    "image_std": list(STD),
    "resample": 3,
    "size": {"shortest_edge": SIZE},
}


def write_files(folder, rng):
    """Pictures of many sizes in colour, grey and 16 bits, as files."""
    folder.mkdir()
    for number, sides in enumerate(SIDES):
        Image.fromarray(smooth(rng, sides)).save(folder / f"{number:02}.png")
    for number, sides in enumerate(SIDES[4:8], len(SIDES)):
        grey = smooth(rng, sides)[..., 0]
        Image.fromarray(grey).save(folder / f"{number:02}.png")
        Image.fromarray(grey.astype(np.uint16) * 257).save(folder / f"{number:02}-16bit.png")
    return sorted(folder.iterdir())


def smooth(rng, sides):
    """Random blobs, since Pillow cuts off what white noise overshoots after each direction."""
    few = rng.integers(0, 256, (*(1 + side // 5 for side in sides), 3), dtype=np.uint8)
    return np.array(Image.fromarray(few).resize(sides[::-1], Image.Resampling.BILINEAR))


@pytest.fixture
def pictures(tmp_path, rng):
    """Paths, and the pictures as uint8 (1, H, W, 3)."""
    paths = write_files(tmp_path / "pictures", rng)
    return {path: read_picture_folder([path]) for path in paths}


def test_clip_pixels_are_the_published_processors(pictures):
    assert len(pictures) >= 20
    fast, slow = CLIPImageProcessor(**PUBLISHED), CLIPImageProcessorPil(**PUBLISHED)
    for path, image in pictures.items():
        found = pixels.clip_pixels(torch.from_numpy(image), SETTINGS)
        picture = Image.fromarray(image[0])
        torch.testing.assert_close(
            found, fast(picture, return_tensors="pt")["pixel_values"], rtol=0, atol=0
        )
        expected = torch.as_tensor(slow(picture, return_tensors="pt")["pixel_values"])
        levels = (found - expected).abs() * torch.tensor(STD)[:, None, None] * 255
        assert float(levels.max()) <= 1.001, path  # Pillow rounds between the two directions


def test_16_bits_are_read_as_8(pictures):
    deep = {path: image for path, image in pictures.items() if "16bit" in path.name}
    assert len(deep) == 4
    for path, image in deep.items():
        plain = path.with_name(path.name.replace("-16bit", ""))
        np.testing.assert_array_equal(image, pictures[plain])


@torch.no_grad()
def test_latents_are_those_of_the_published_processor_and_vae(diffusion_folder, pictures):
    model = vae.load_vae(diffusion_folder)
    processor = VaeImageProcessor(vae_scale_factor=4, resample="bilinear")
    for path, image in pictures.items():
        small = processor.preprocess(Image.fromarray(image[0]), SIZE, SIZE)
        found = pixels.vae_pixels(torch.from_numpy(image), SIZE)
        levels = (found - small).abs() * 255 / 2
        same_size = image.shape[1:3] == (SIZE, SIZE)
        assert float(levels.max()) <= (1e-4 if same_size else 1.5), path  # Pillow rounds to 8 bits
        expected = model.encode(found).latent_dist.mode() * model.config.scaling_factor
        torch.testing.assert_close(vae.latents(model, image, SIZE), expected)
