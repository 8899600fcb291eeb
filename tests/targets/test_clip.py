"""CLIP tokens against transformers' CLIP classes with the same random weights."""

import numpy as np
import pytest
import torch
from open_clip.transform import image_transform
from PIL import Image
from safetensors.torch import save_file

from benchmarks import clip_conversion
from havir_lib.config import Weights
from havir_lib.errors import ShapeError, WeightsError
from havir_lib.mini.clip import write_tokenizer
from havir_lib.targets import clip

IMAGE, PATCH, JOINT, CONTEXT = 24, 8, 12, 9
VOCABULARY = 518
START, END = 516, 517


@pytest.mark.parametrize("quick_gelu", [True, False])
@torch.no_grad()
def test_image_tokens_equal_transformers(quick_gelu, make_clip):
    model = make_clip(quick_gelu)
    vision, _ = clip_conversion.as_transformers(model, quick_gelu)
    images = torch.randn(5, 3, IMAGE, IMAGE)
    found = clip.image_tokens(model, images)
    assert found.shape == (5, (IMAGE // PATCH) ** 2 + 1, JOINT)
    expected = clip_conversion.image_tokens(vision, images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("quick_gelu", [True, False])
@torch.no_grad()
def test_text_tokens_equal_transformers(quick_gelu, make_clip):
    model = make_clip(quick_gelu)
    _, text = clip_conversion.as_transformers(model, quick_gelu)
    lengths = [1, 4, 2, CONTEXT - 2]
    ids = clip_conversion.random_ids(model, lengths, torch.Generator().manual_seed(5))
    found = clip.text_tokens(model, ids)
    assert found.shape == (4, CONTEXT, JOINT)
    expected = clip_conversion.text_tokens(text, ids)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_class_and_end_tokens_have_length_one_and_the_pooled_direction(clip_folder):
    encoder = clip.load_clip(Weights(clip=str(clip_folder)))
    images = np.random.default_rng(0).integers(0, 256, (3, 31, 40, 3), dtype=np.uint8)
    pooled = encoder.model.encode_image(
        encoder.preprocess(torch.from_numpy(images)), normalize=True
    )
    torch.testing.assert_close(encoder.image_tokens(images)[:, 0], pooled)
    captions = ["cat dog", "dog"]
    ids = encoder.tokenize(captions)
    ends = encoder.text_tokens(captions)[torch.arange(2), (ids != 0).sum(1) - 1]
    torch.testing.assert_close(ends, encoder.model.encode_text(ids, normalize=True))


def test_preprocessing_is_open_clips(clip_folder, rng):
    encoder = clip.load_clip(Weights(clip=str(clip_folder)))
    picture = rng.integers(0, 256, (58, 58, 3), dtype=np.uint8)
    expected = image_transform(IMAGE, is_train=False)(Image.fromarray(picture))
    found = encoder.preprocess(torch.from_numpy(picture[None]))[0]
    assert found.shape == expected.shape
    levels = (found - expected).abs() * 255 * 0.28  # standard deviations are below .28
    assert float(levels.max()) < 1.1  # Pillow rounds some ties the other way


def test_folder_brings_its_own_merges(clip_folder):
    ids = clip.load_clip(Weights(clip=str(clip_folder))).tokenize(["cat dog"])
    cat, dog = 513, 515  # second and fourth merge, after 512 single letters
    assert ids[0].tolist() == [START, cat, dog, END, *[0] * (CONTEXT - 4)]


def test_tokenizer_of_another_model_is_refused(clip_folder):
    write_tokenizer(clip_folder, [("a", "t</w>")], pad="!")
    with pytest.raises(WeightsError, match=f"knows 515 tokens.*made for {VOCABULARY}"):
        clip.load_clip(Weights(clip=str(clip_folder)))


def test_incomplete_weights_are_refused(clip_folder, make_clip):
    tensors = {name: x.contiguous() for name, x in make_clip().state_dict().items()}
    del tensors["visual.proj"]
    save_file(tensors, clip_folder / "open_clip_model.safetensors")
    with pytest.raises(WeightsError, match=r"visual\.proj"):
        clip.load_clip(Weights(clip=str(clip_folder)))


def test_folder_without_weights_is_refused(clip_folder):
    (clip_folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(WeightsError, match="could not be loaded"):
        clip.load_clip(Weights(clip=str(clip_folder)))


def test_unknown_model_says_what_is_possible():
    with pytest.raises(WeightsError, match=r"no-such-model.*weights\.clip must be"):
        clip.load_clip(Weights(clip="no-such-model"))


def test_wrong_image_size_is_refused(make_clip):
    with pytest.raises(ShapeError, match="24"):
        clip.image_tokens(make_clip(), torch.zeros(1, 3, 16, 16))


def test_identity_follows_the_content(clip_folder):
    weights = Weights(clip=str(clip_folder))
    before = clip.clip_content(weights)
    assert clip.clip_content(weights) == before
    write_tokenizer(clip_folder, [])
    assert clip.clip_content(weights) != before
