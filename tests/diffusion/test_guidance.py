"""Dual guidance against diffusers' own dual pipeline and its plain image UNet."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from havir_lib.diffusion import build_dual_unet, load_dual_unet
from havir_lib.errors import ShapeError

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture
def unet(hub):
    return load_dual_unet(hub)


def count_calls(unet):
    """How often each branch's transformers run."""
    calls = {"image": 0, "text": 0}

    def counter(branch):
        def count(*_):
            calls[branch] += 1

        return count

    for block in unet.dual_blocks:
        block.image.register_forward_hook(counter("image"))
        block.text.register_forward_hook(counter("text"))
    return calls


@torch.no_grad()
def stock_prediction(pipeline, sample, step, image, text, mixing):
    pipeline.set_transformer_params(mixing, ("text", "image"))
    both = torch.cat([text, image], dim=1)
    return pipeline.image_unet(sample, step, encoder_hidden_states=both).sample


@pytest.mark.parametrize("mixing", [0.0, 0.3, 1.0])
@torch.no_grad()
def test_prediction_equals_the_stock_conversion(unet, pipeline, inputs, mixing):
    sample, image, text = inputs
    expected = stock_prediction(pipeline, sample, 321, image, text, mixing)
    torch.testing.assert_close(unet(sample, 321, image, text, mixing), expected, **TOLERANCE)


@torch.no_grad()
def test_each_sample_can_have_its_own_mixing_and_time(unet, inputs):
    sample, image, text = inputs
    mixing, steps = torch.tensor([0.0, 0.25, 1.0]), torch.tensor([1, 400, 999])
    together = unet(sample, steps, image, text, mixing)
    alone = [
        unet(sample[i : i + 1], steps[i], image[i : i + 1], text[i : i + 1], mixing[i].item())
        for i in range(3)
    ]
    torch.testing.assert_close(together, torch.cat(alone), **TOLERANCE)


@torch.no_grad()
def test_image_tokens_alone_give_the_plain_image_unet(hub, unet, inputs):
    sample, image, _ = inputs
    plain = UNet2DConditionModel.from_pretrained(hub / "image_unet")
    expected = plain(sample, 50, encoder_hidden_states=image).sample
    torch.testing.assert_close(unet(sample, 50, image, None), expected, **TOLERANCE)


@torch.no_grad()
def test_text_tokens_alone_equal_full_text_weight(unet, pipeline, inputs):
    sample, image, text = inputs
    expected = stock_prediction(pipeline, sample, 50, image, text, 1.0)
    torch.testing.assert_close(unet(sample, 50, None, text, 0.2), expected, **TOLERANCE)


@pytest.mark.parametrize(
    ("use_image", "use_text", "mixing", "image_runs", "text_runs"),
    [
        (True, True, 0.5, 1, 1),
        (True, True, 0, 1, 0),
        (True, True, 1.0, 0, 1),
        (True, False, 0.5, 1, 0),
        (False, True, 0.5, 0, 1),
    ],
)
@torch.no_grad()
def test_branches_without_weight_are_not_computed(
    unet, inputs, use_image, use_text, mixing, image_runs, text_runs
):
    sample, image, text = inputs
    calls = count_calls(unet)
    unet(sample, 3, image if use_image else None, text if use_text else None, mixing)
    n_blocks = len(unet.dual_blocks)
    assert n_blocks == 4  # one down, one in the middle, two up
    assert calls == {"image": image_runs * n_blocks, "text": text_runs * n_blocks}


def test_no_tokens_at_all_is_an_error(unet, inputs):
    with pytest.raises(ShapeError, match="found neither"):
        unet(inputs[0], 3)


def test_fresh_text_blocks_are_like_the_image_blocks_but_independent(unet):
    torch.manual_seed(0)
    fresh = build_dual_unet(unet.config, text_cross_attention_dim=20)
    for block in fresh.dual_blocks:
        image, text = block.image.transformer_blocks[0], block.text.transformer_blocks[0]
        assert image.attn1.to_q.weight.shape == text.attn1.to_q.weight.shape
        assert image.attn1.heads == text.attn1.heads == 2
        assert not torch.equal(image.attn1.to_q.weight, text.attn1.to_q.weight)
        assert (image.attn2.to_k.in_features, text.attn2.to_k.in_features) == (12, 20)


def test_every_weight_is_trained_at_an_intermediate_mixing(unet, inputs):
    sample, image, text = inputs
    unet(sample, 3, image, text, torch.tensor([0.2, 0.5, 0.8])).square().mean().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None] == []


@torch.no_grad()
def test_half_precision_features_stay_half_precision(unet, inputs):
    sample, image, text = (x.bfloat16() for x in inputs)
    prediction = unet.bfloat16()(sample, 3, image, text, torch.tensor([0.2, 0.5, 0.8]))
    assert prediction.dtype == torch.bfloat16
