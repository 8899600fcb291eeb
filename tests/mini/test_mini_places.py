"""Where heads look: own tokens, how surprising they are, and that training makes them less so."""

import math

import numpy as np
import pytest
import torch

from havir_lib.diffusion import build_dual_unet
from havir_lib.mini import unet
from havir_lib.mini.places import lookups, own_token, surprise

SMALL = unet.CONFIG | {"block_out_channels": [16, 16], "cross_attention_dim": 8}


@pytest.mark.parametrize("side", [8, 16])
def test_each_place_has_the_token_of_its_patch(side):
    own = own_token(side * side, 65).numpy().reshape(side, side)
    row, column = np.indices((side, side)) * 8 // side
    np.testing.assert_array_equal(own, 1 + 8 * row + column)


def _attention():
    model = build_dual_unet(SMALL)
    return model.dual_blocks[0].image.transformer_blocks[0].attn2


def test_the_surprise_is_that_of_the_attention_itself(rng):
    """By the library's own scores of the first half of the heads."""
    attention = _attention()
    x = torch.from_numpy(rng.normal(size=(3, 64, 16))).float()
    tokens = torch.from_numpy(rng.normal(size=(3, 65, 8))).float()
    query = attention.head_to_batch_dim(attention.to_q(x))
    key = attention.head_to_batch_dim(attention.to_k(tokens))
    share = attention.get_attention_scores(query, key).unflatten(0, (3, attention.heads))
    own = own_token(64, 65)
    expected = -share[:, : attention.heads // 2, torch.arange(64), own].log().mean(dim=(1, 2))
    torch.testing.assert_close(surprise(attention, x, tokens), expected)


def test_looking_everywhere_is_the_logarithm_of_all_tokens():
    attention = _attention()
    torch.nn.init.zeros_(attention.to_q.weight)
    x, tokens = torch.ones(2, 64, 16), torch.ones(2, 65, 8)
    np.testing.assert_allclose(surprise(attention, x, tokens).detach(), math.log(65), rtol=1e-5)


def test_all_blocks_are_watched_and_only_during_the_block():
    model = build_dual_unet(SMALL)
    x, t = torch.zeros(2, 12, 16, 16), torch.zeros(2)
    image, text = torch.ones(2, 65, 8), torch.ones(2, 32, 8)
    with lookups(model) as found:
        model(x, t, image, text)
        assert [y.shape for y in found] == [(2,)] * len(model.dual_blocks)
        model(x, t, None, text)  # text has no places
        assert len(found) == len(model.dual_blocks)
    model(x, t, image, text)
    assert len(found) == len(model.dual_blocks)


def test_samples_without_tokens_do_not_count():
    image = torch.tensor([[[1.0]], [[0.0]]])
    looked = [torch.tensor([2.0, 100.0]), torch.tensor([4.0, 100.0])]
    assert float(unet._mean_surprise(looked, image, image)) == 3.0
    assert float(unet._mean_surprise([], None, image)) == 0.0
    assert float(unet._mean_surprise(looked, 0 * image, image)) == 0.0
