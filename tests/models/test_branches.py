"""Structural Generator and Semantic Extractor: layers, sizes, errors."""

import pytest
import torch
from torch import nn

from havir_lib import config
from havir_lib.errors import ConfigError, ShapeError
from havir_lib.models import SemanticExtractor, StructuralGenerator, build, for_new_subject

SMALL_S = config.StructuralSettings(
    hidden=16, n_blocks=2, map_channels=8, map_size=3, decoder_channels=(8, 16)
)
SMALL_E = config.SemanticSettings(hidden=16, n_blocks=2)


def structural(n_voxels=11):
    return StructuralGenerator(n_voxels, (5, 6, 6), SMALL_S)


def semantic(n_voxels=11):
    return SemanticExtractor(n_voxels, (7, 8), (9, 8), SMALL_E)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("n_voxels", "millions"),
    [(15724, 205.5), (14278, 199.6), (13039, 194.5), (12682, 193.0), (4657, 160.2), (3201, 154.2)],
)
def test_paper_sized_generator_has_the_parameters_of_mindeyes_low_level_model(n_voxels, millions):
    with torch.device("meta"):
        model = StructuralGenerator(n_voxels, (4, 64, 64))
    assert round(count(model) / 1e6, 1) == millions
    assert count(model.upsampler) == 6_841_668


def test_paper_sized_extractor_has_the_parameters_of_mindbridge():
    with torch.device("meta"):
        model = SemanticExtractor(8192, (257, 768), (77, 768))
    assert round(count(model.mlp) / 1e6, 2) == 16.80
    assert round(count(model.image_head) / 1e6, 1) == 404.4
    assert round(count(model.text_head) / 1e6, 1) == 121.2


def test_shapes():
    betas = torch.randn(3, 11)
    assert structural()(betas).shape == (3, 5, 6, 6)
    image, text = semantic()(betas)
    assert image.shape == (3, 7, 8)
    assert text.shape == (3, 9, 8)


@pytest.mark.parametrize("make", [structural, semantic])
def test_embedding_follows_the_appendix(make):
    linear, norm, activation, dropout = make().embed
    assert linear.weight.shape == (16, 11)
    assert isinstance(norm, nn.LayerNorm)
    assert isinstance(activation, nn.SiLU if make is structural else nn.GELU)
    assert dropout.p == 0.5


def test_residual_blocks_add_to_their_input():
    model = semantic().eval()
    for block in model.mlp.blocks:
        nn.init.zeros_(block[1].weight)  # gain of the LayerNorm; GELU(0) = 0
    x = torch.randn(3, 16)
    torch.testing.assert_close(model.mlp(x), x)


def test_tokens_keep_their_order():
    model = semantic().eval()
    with torch.no_grad():
        model.image_head.weight.zero_()
        model.image_head.bias.copy_(torch.arange(56.0))
    image, _ = model(torch.randn(2, 11))
    torch.testing.assert_close(image[1], torch.arange(56.0).reshape(7, 8))


def test_first_predictions_have_about_the_length_of_tokens():
    model = SemanticExtractor(200, (7, 64), (9, 64), config.SemanticSettings(hidden=128)).eval()
    for tokens in model(torch.randn(20, 200)):
        assert 0.3 < tokens.norm(dim=-1).mean() < 3


def test_both_heads_and_every_layer_learn():
    model = semantic()
    image, text = model(torch.randn(4, 11))
    (image.square().mean() + text.square().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("make", [structural, semantic])
def test_wrong_number_of_voxels_states_both_numbers(make):
    with pytest.raises(ShapeError, match=r"\(B, 11\).*\(3, 12\)"):
        make()(torch.randn(3, 12))


def test_upsampler_must_reach_the_latent_grid():
    with pytest.raises(ConfigError, match=r"6 x 6, but the latents are 8 x 8"):
        StructuralGenerator(11, (5, 8, 8), SMALL_S)


@pytest.mark.parametrize("make", [structural, semantic])
def test_build_restores_the_architecture_and_is_seeded(make):
    described = make().architecture
    one, same, other = build(described, 1), build(described, 1), build(described, 2)
    assert one.architecture == described
    assert all(map(torch.equal, one.parameters(), same.parameters()))
    assert not torch.equal(one.embed[0].weight, other.embed[0].weight)


def test_build_leaves_the_global_generator_alone():
    described = structural().architecture
    before = torch.get_rng_state()
    build(described, 1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("make", [structural, semantic])
def test_new_subject_gets_a_new_embedding_only(make):
    base = make()
    model = for_new_subject(base, 13, seed=3)
    old, new = base.state_dict(), model.state_dict()
    changed = {name for name in new if new[name].shape != old[name].shape}
    assert changed == {"embed.0.weight"}
    assert model.embed[0].weight.shape == (16, 13)
    kept = [name for name in new if not name.startswith("embed.")]
    assert all(torch.equal(new[name], old[name]) for name in kept)
    model(torch.randn(2, 13))
    base(torch.randn(2, 11))  # the base model still takes its own voxels


def test_pooling_takes_the_largest_beta_of_each_piece():
    pooled = config.SemanticSettings(hidden=16, n_blocks=1, pooled_voxels=8)
    model = SemanticExtractor(19, (7, 8), (9, 8), pooled).eval()
    assert model.embed[0].in_features == 8
    betas = torch.randn(3, 19)
    # Piece k covers voxels floor(19 k / 8) up to ceil(19 (k + 1) / 8), as PyTorch documents it.
    edges = [(19 * k // 8, -(-19 * (k + 1) // 8)) for k in range(8)]
    by_hand = torch.stack([betas[:, a:b].amax(1) for a, b in edges], dim=1)
    expected = model.image_head(model.mlp(model.embed(by_hand))).unflatten(1, (7, 8))
    torch.testing.assert_close(model(betas)[0], expected)


def test_pooling_to_more_voxels_than_there_are_is_refused():
    pooled = config.SemanticSettings(hidden=16, pooled_voxels=11)
    with pytest.raises(ConfigError, match="pooled_voxels is 11, but there are only 11"):
        SemanticExtractor(11, (7, 8), (9, 8), pooled)
