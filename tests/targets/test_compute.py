"""Computing, caching and selecting targets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from havir_lib import hub
from havir_lib.config import load_config
from havir_lib.errors import DataError, WeightsError
from havir_lib.io import read_json
from havir_lib.paths import MINI_WEIGHTS
from havir_lib.provenance import stamp
from havir_lib.targets import Targets, clip, compute_targets, vae
from havir_lib.targets.compute import picture_content


class Pictures:
    """Stimuli held in memory, with files that stand for them."""

    def __init__(self, tmp_path, rng, n=7):
        self.path = tmp_path / "stimuli.hdf5"
        self.path.write_bytes(b"pictures")
        self.pictures_stamp = lambda: stamp(self.path)
        self.caption_files = [tmp_path / "captions.json"]
        self.caption_files[0].write_text("captions")
        self.pixels = rng.integers(0, 256, (n, 24, 24, 3), dtype=np.uint8)
        self.words = ("cat", "dog")
        self.calls = 0

    def images(self, ids):
        self.calls += 1
        return self.pixels[ids]

    def captions(self, ids, n):
        cat, dog = self.words
        return [[" ".join([cat] * (image + 1) + [dog] * k) for k in range(n)] for image in ids]


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
ARRAYS = ("latents", "image_tokens", "text_tokens")


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
    second = compute_targets(config, stimuli, IDS, cache=tmp_path / "cache")
    for name in (*ARRAYS, "image_ids"):
        expected = getattr(fresh, name)
        np.testing.assert_array_equal(getattr(first, name), expected)
        calls = stimuli.calls
        np.testing.assert_array_equal(getattr(second, name), expected)
        assert stimuli.calls == calls


def test_each_model_runs_when_its_targets_are_asked_for(config, stimuli, tmp_path, monkeypatch):
    targets = compute_targets(config, stimuli, IDS, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()

    def broken(*args):
        raise AssertionError("CLIP is not needed for latents")

    monkeypatch.setattr(clip, "load_clip", broken)
    chosen = targets.select(IDS[:2])
    assert chosen.latents.shape == (2, 5, 6, 6)
    with pytest.raises(AssertionError, match="not needed"):
        chosen.text_tokens  # noqa: B018


def test_what_changes_is_encoded_again_and_nothing_else(config, stimuli, tmp_path):
    def encoded(config=config, ids=IDS):
        """How many batches of pictures an encoding took: none if it came from the cache."""
        targets = compute_targets(config, stimuli, ids, cache=tmp_path / "cache")
        picture_content(tmp_path / "cache", stimuli, ids)
        stimuli.calls = 0
        assert len(targets.text_tokens) == len(ids)
        return stimuli.calls

    assert encoded() == 2
    assert encoded() == 0
    assert encoded(ids=IDS[:4]) == 2
    fewer = config.targets.model_copy(update={"captions_per_image": 1})
    assert encoded(config.model_copy(update={"targets": fewer})) == 2
    weights = next(_clip_folder(config).glob("*.safetensors"))
    tensors = load_file(weights)
    tensors["ln_final.bias"] = tensors["ln_final.bias"] + 1
    save_file(tensors, weights, metadata={"format": "pt"})
    assert encoded() == 2
    stimuli.words = ("cat", "bird")
    assert encoded() == 2
    stimuli.pixels[IDS[0], 3, 4] += 1
    stimuli.path.write_bytes(b"other pictures")
    assert encoded() == 2


def test_a_copied_data_set_is_not_encoded_again(config, stimuli, tmp_path, monkeypatch):
    compute_targets(config, stimuli, IDS, cache=tmp_path / "cache").latents  # noqa: B018
    copy = tmp_path / "elsewhere" / "stimuli.hdf5"
    copy.parent.mkdir()
    copy.write_bytes(stimuli.path.read_bytes())
    stimuli.path = copy
    monkeypatch.setattr(vae, "load_vae", lambda *_: pytest.fail("encoded again"))
    again = compute_targets(config, stimuli, IDS, cache=tmp_path / "cache")
    assert again.latents.shape == (5, 5, 6, 6)
    with pytest.raises(ValueError, match="read-only"):
        again.latents[0] = 0


def _clip_folder(config):
    return Path(config.weights.clip)


def test_interrupted_computation_continues(config, stimuli, tmp_path):
    expected = compute_targets(config, stimuli, IDS)
    targets = compute_targets(config, stimuli, IDS, cache=tmp_path / "cache")
    images = stimuli.images

    def fail_in_second_batch(ids):
        if 2 in ids and len(ids) < len(IDS):  # a batch, not the reading of all
            raise KeyboardInterrupt
        return images(ids)

    for name in ("latents", "image_tokens"):
        wanted = getattr(expected, name)
        stimuli.images = fail_in_second_batch
        with pytest.raises(KeyboardInterrupt):
            getattr(targets, name)
        stimuli.images, stimuli.calls = images, 0
        np.testing.assert_allclose(getattr(targets, name), wanted, atol=2e-3)
        assert stimuli.calls == 1  # only the second batch of two
    np.testing.assert_allclose(targets.text_tokens, expected.text_tokens, atol=2e-3)


def test_duplicate_ids_are_refused(config, stimuli):
    with pytest.raises(DataError, match="1 of 3 occur again"):
        compute_targets(config, stimuli, np.array([1, 2, 1]))


def test_select_follows_the_ids(rng):
    arrays = {name: rng.random((4, 2)) for name in ARRAYS}
    targets = Targets(np.array([30, 10, 20, 40]), arrays.get)
    chosen = targets.select(np.array([20, 30]))
    np.testing.assert_array_equal(chosen.image_ids, [20, 30])
    np.testing.assert_array_equal(chosen.text_tokens, targets.text_tokens[[2, 0]])
    with pytest.raises(DataError, match="1 of 2 images have no targets, e.g. image 50"):
        targets.select(np.array([20, 50]))


def test_damaged_weights_are_named(config, stimuli, tmp_path):
    folder = vae.diffusion_folder(config.weights)
    hub.write_checksums(folder)
    assert compute_targets(config, stimuli, IDS, cache=tmp_path / "cache").latents.any()
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(WeightsError, match=r"safetensors is damaged.*SHA-256"):
        compute_targets(config, stimuli, IDS, cache=tmp_path / "cache").latents  # noqa: B018


def test_weights_of_a_hub_are_held_against_its_lock(tmp_path):
    commit = "c" * 40
    file = tmp_path / "models--a--b" / "snapshots" / commit / "vae" / "w.bin"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    digest = hub.checked_digest(file)
    known = hub.Revision(commit, {"vae/w.bin": hub.HubFile(7, "sha256", digest)})
    hub.lock("a/b", "main", known, str(tmp_path))
    assert hub.checked_digest(file) == digest
    file.write_bytes(b"weighty")
    with pytest.raises(WeightsError, match="havir download --what weights"):
        hub.checked_digest(file)


def test_the_shipped_weights_are_those_of_their_checksums():
    sums = read_json(MINI_WEIGHTS / hub.CHECKSUMS)
    assert len(sums) > 8
    for name, digest in sums.items():
        assert hub.checked_digest(MINI_WEIGHTS / name) == digest
