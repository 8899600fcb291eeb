"""The weights that the package ships: they fit, they are small, and they are trained."""

import numpy as np
import pytest

from havir_lib.config import Weights
from havir_lib.diffusion.model import load_diffusion
from havir_lib.mini.data import EVALUATION_SEED
from havir_lib.mini.evaluation import correlation_of_pictures
from havir_lib.paths import MINI_WEIGHTS
from havir_lib.simulation.scenes import make_scene, render
from havir_lib.targets.clip import load_clip

MEGABYTE = 1e6


@pytest.fixture(scope="module")
def scenes():
    return [make_scene(EVALUATION_SEED + i) for i in range(8)]


@pytest.fixture(scope="module")
def images(scenes):
    return np.stack([render(scene.svg, 128) for scene in scenes])


@pytest.fixture(scope="module")
def model():
    return load_diffusion(MINI_WEIGHTS)


def test_files_stay_small():
    sizes = [file.stat().st_size for file in MINI_WEIGHTS.rglob("*") if file.is_file()]
    assert max(sizes) <= 16 * MEGABYTE
    assert sum(sizes) <= 28 * MEGABYTE


def test_vae_copies_unseen_scenes(model, images):
    latents = model.encode(images)
    assert latents.std() == pytest.approx(1, abs=0.15)
    error = np.square(images.astype(float) - model.decode(latents)).mean(axis=(1, 2, 3))
    assert (10 * np.log10(255**2 / error)).mean() > 23


def test_clip_pairs_unseen_scenes_with_their_captions(scenes, images):
    encoder = load_clip(Weights())
    image = encoder.image_tokens(images)[:, 0]
    text = encoder.model.encode_text(
        encoder.tokenize([scene.captions[0] for scene in scenes]), normalize=True
    )
    ranked = (image @ text.T).argsort(dim=1, descending=True)[:, :2]
    hits = [row in pair for row, pair in enumerate(ranked.tolist())]
    assert np.mean(hits) >= 0.75


def test_recovery_from_true_targets(model, scenes, images):
    encoder = load_clip(Weights())
    text = encoder.text_tokens([scene.captions[0] for scene in scenes]).numpy()
    image = encoder.image_tokens(images).numpy()
    out = model.reconstruct(
        model.encode(images), image, text, seeds=range(8), steps=8, strength=0.5, progress=False
    )
    assert correlation_of_pictures(images, out) > 0.6
    assert correlation_of_pictures(images, np.roll(out, 1, axis=0)) < 0.5
