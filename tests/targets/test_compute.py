"""Computing, caching and selecting targets."""

import numpy as np
import pytest
import torch

from havir_lib.config import load_config
from havir_lib.errors import DataError
from havir_lib.targets import Targets, clip, compute_targets, vae


class Pictures:
    """Stimuli held in memory, with a file that stands for them."""

    def __init__(self, tmp_path, rng, n=7):
        self.path = tmp_path / "stimuli.hdf5"
        self.path.write_bytes(b"pictures")
        self.caption_files = []
        self.pixels = rng.integers(0, 256, (n, 24, 24, 3), dtype=np.uint8)
        self.calls = 0

    def images(self, ids):
        self.calls += 1
        return self.pixels[ids]

    def captions(self, ids, n):
        return [[" ".join(["cat"] * (image + 1) + ["dog"] * k) for k in range(n)] for image in ids]


@pytest.fixture
def stimuli(tmp_path, rng):
    return Pictures(tmp_path, rng)


@pytest.fixture
def config(clip_folder, diffusion_folder):
    return load_config(
        "smoke",
        {
            "weights.clip": str(clip_folder),
            "weights.diffusion": str(diffusion_folder),
            "targets.captions_per_image": 2,
            "targets.batch_size": 3,
        },
    )


IDS = np.array([5, 0, 6, 2, 1])


def test_each_row_belongs_to_its_image_and_caption(config, stimuli):
    targets = compute_targets(config, stimuli, IDS)
    assert targets.latents.shape == (5, 5, 6, 6)
    assert targets.image_tokens.shape == (5, 10, 12)
    assert targets.text_tokens.shape == (5, 2, 9, 12)
    encoder = clip.load_clip(config.weights)
    autoencoder = vae.load_vae(vae.diffusion_folder(config.weights))
    with torch.no_grad():
        text = encoder.text_tokens(["cat cat cat dog"])[0]  # image 2, second caption
        latent = vae.latents(autoencoder, stimuli.pixels[6:7], 24)[0]
        tokens = encoder.image_tokens(stimuli.pixels[6:7])[0]
    np.testing.assert_allclose(targets.text_tokens[3, 1], text, atol=2e-3)
    np.testing.assert_allclose(targets.latents[2], latent, atol=2e-3)
    np.testing.assert_allclose(targets.image_tokens[2], tokens, atol=2e-3)


def test_cache_returns_the_same_without_encoding_again(config, stimuli, tmp_path):
    fresh = compute_targets(config, stimuli, IDS)
    first = compute_targets(config, stimuli, IDS, cache=tmp_path / "cache")
    calls = stimuli.calls
    second = compute_targets(config, stimuli, IDS, cache=tmp_path / "cache")
    assert stimuli.calls == calls
    assert first.key == second.key != ""
    for name in ("latents", "image_tokens", "text_tokens", "image_ids"):
        np.testing.assert_array_equal(getattr(second, name), getattr(fresh, name))


def test_cache_depends_on_images_weights_and_settings(config, stimuli, tmp_path):
    def key(config, ids=IDS):
        return compute_targets(config, stimuli, ids, cache=tmp_path / "cache").key

    keys = {key(config), key(config, IDS[:4])}
    fewer = config.targets.model_copy(update={"captions_per_image": 1})
    keys.add(key(config.model_copy(update={"targets": fewer})))
    folder = vae.diffusion_folder(config.weights)
    (folder / "vae" / "config.json").write_text(
        (folder / "vae" / "config.json").read_text().replace("0.7", "0.6")
    )
    keys.add(key(config))
    assert len(keys) == 4


def test_interrupted_computation_continues(config, stimuli, tmp_path):
    expected = compute_targets(config, stimuli, IDS)
    captions = stimuli.captions

    def fail_in_second_batch(ids, n):
        if 2 in ids:
            raise KeyboardInterrupt
        return captions(ids, n)

    stimuli.captions = fail_in_second_batch
    with pytest.raises(KeyboardInterrupt):
        compute_targets(config, stimuli, IDS, cache=tmp_path / "cache")
    stimuli.captions, stimuli.calls = captions, 0
    targets = compute_targets(config, stimuli, IDS, cache=tmp_path / "cache")
    assert stimuli.calls == 1  # only the second batch of two
    for name in ("latents", "image_tokens", "text_tokens"):
        found, wanted = getattr(targets, name), getattr(expected, name)
        np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_duplicate_ids_are_refused(config, stimuli):
    with pytest.raises(DataError, match="1 of 3 occur again"):
        compute_targets(config, stimuli, np.array([1, 2, 1]))


def test_select_follows_the_ids(rng):
    targets = Targets(*(rng.random((4, 2)) for _ in range(3)), np.array([30, 10, 20, 40]), "key")
    chosen = targets.select(np.array([20, 30]))
    np.testing.assert_array_equal(chosen.image_ids, [20, 30])
    np.testing.assert_array_equal(chosen.text_tokens, targets.text_tokens[[2, 0]])
    with pytest.raises(DataError, match="1 of 2 images have no targets, e.g. image 50"):
        targets.select(np.array([20, 50]))
