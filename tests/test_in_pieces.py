"""What is done piece by piece, because NSD's arrays are large, is what it is in one piece."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from havir_lib import config
from havir_lib.errors import DataError
from havir_lib.evaluation.preparation import resized
from havir_lib.interpretation import (
    activation_pattern,
    activation_pattern_norm,
    pattern_norm,
    patterns,
    permutation,
    permuted_label_maps,
)
from havir_lib.models import (
    SemanticExtractor,
    StructuralGenerator,
    build,
    build_embedding,
    fit_ridge,
    for_new_subject,
    predict_ridge,
    ridge,
)
from havir_lib.noise_ceiling import estimate_ncsnr, zscore_within
from havir_lib.simulation import tree
from havir_lib.targets import Targets
from havir_lib.training import data as training_data
from havir_lib.training import predict, token_lengths

# the package's function of that name hides the module
PREDICT = sys.modules["havir_lib.training.predict"]


@pytest.fixture
def targets(rng):
    """Targets of 11 images: latents (4, 6, 8), 9 image tokens and 2 x 7 text tokens of width 5."""
    shapes = {"latents": (4, 6, 8), "image_tokens": (9, 5), "text_tokens": (2, 7, 5)}
    arrays = {name: rng.standard_normal((11, *s)).astype(np.float16) for name, s in shapes.items()}
    return Targets(np.arange(11) * 3, arrays.get)


def test_token_lengths(targets, monkeypatch):
    ids = targets.image_ids[[7, 2, 3, 9, 10]]
    monkeypatch.setattr(PREDICT, "BATCH", 2)
    image, text = token_lengths(targets.image_tokens, targets.text_tokens, targets.rows(ids))
    chosen = targets.select(ids)
    expected = np.linalg.norm(chosen.image_tokens.astype("f4"), axis=-1).mean(0)
    np.testing.assert_array_equal(image, expected)
    expected = np.linalg.norm(chosen.text_tokens.astype("f4"), axis=-1).mean((0, 1))
    np.testing.assert_array_equal(text, expected)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 4), nn.Linear(6, 10)

    def forward(self, x):
        return self.a(x), self.b(x).unflatten(1, (2, 5))


@pytest.mark.parametrize("n", [0, 3, 8])
def test_predictions(n, rng, monkeypatch):
    monkeypatch.setattr(PREDICT, "BATCH", 3)
    model, betas = TwoHeads(), rng.standard_normal((n, 6)).astype("f4")
    first, second = predict(model, betas)
    assert (first.shape, second.shape) == ((n, 4), (n, 2, 5))
    expected = model.b(torch.from_numpy(betas)).detach().numpy().reshape(n, 2, 5)
    np.testing.assert_allclose(second, expected, rtol=1e-5, atol=1e-6)


def test_numbers_that_are_not_finite_are_counted_over_all_pieces(rng, monkeypatch):
    monkeypatch.setattr(training_data, "CHECKED_AT_ONCE", 30)  # two rows of (3, 5)
    values = rng.standard_normal((9, 3, 5))
    training_data.check_finite("values", values)
    values[5, 2, 1], values[8, 0, :3] = np.nan, np.inf
    with pytest.raises(DataError, match=r"found 4 that are .* among 135.*index \(5, 2, 1\)"):
        training_data.check_finite("values", values)


@pytest.mark.parametrize("n_voxels", [7, 40])  # fewer and more voxels than images
def test_ridge(n_voxels, rng, monkeypatch):
    betas = rng.standard_normal((24, n_voxels)).astype("f4")
    wanted = rng.standard_normal((20, 3, 7)).astype("f4")
    whole = fit_ridge(betas[:20], wanted).predict(betas[20:])
    monkeypatch.setattr(ridge, "TARGETS_BATCH", 8)
    found = predict_ridge(betas[:20], wanted, betas[20:])
    assert found.shape == (4, 3, 7)
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)


def test_pattern_norm(rng, monkeypatch):
    voxels = rng.standard_normal((20, 6))
    outputs = [rng.standard_normal((20, 9)), rng.standard_normal((20, 2, 4))]
    flat = np.concatenate([outputs[0], outputs[1].reshape(20, 8)], axis=1)
    monkeypatch.setattr(patterns, "OUTPUTS_AT_ONCE", 4)
    expected = pattern_norm(activation_pattern(voxels, flat))
    np.testing.assert_allclose(activation_pattern_norm(voxels, outputs), expected)


def test_permuted_labels(rng, monkeypatch):
    voxels, wanted = rng.standard_normal((20, 6)), rng.standard_normal((20, 5, 4))
    whole = permuted_label_maps(voxels, wanted, n_permutations=3)
    monkeypatch.setattr(permutation, "TARGETS_AT_ONCE", 7)
    found = permuted_label_maps(voxels, wanted, n_permutations=3)
    np.testing.assert_allclose(found.observed, whole.observed, rtol=1e-4)
    np.testing.assert_allclose(found.null, whole.null, rtol=1e-4)


def test_noise_ceilings_of_a_simulated_subject(rng, monkeypatch):
    design = SimpleNamespace(
        masterordering=rng.permutation(np.repeat(np.arange(1, 21), 3)),
        sessions=np.repeat([1, 2, 3], 20),
    )
    sessions = [rng.integers(-300, 300, (20, 11), dtype=np.int16) for _ in range(3)]
    whole = zscore_within(np.concatenate(sessions), design.sessions)
    monkeypatch.setattr(tree, "NCSNR_AT_ONCE", 60 * 4)
    found = tree._ncsnr(sessions, design)
    np.testing.assert_allclose(found, estimate_ncsnr(whole, design.masterordering), rtol=1e-6)


@pytest.fixture(params=["structural", "semantic", "pooled"])
def model(request):
    if request.param == "structural":
        sizes = {"hidden": 8, "n_blocks": 1, "map_channels": 4, "map_size": 3}
        settings = config.StructuralSettings(**sizes, decoder_channels=(4, 8))
        return StructuralGenerator(13, (4, 6, 6), settings)
    pooled = 9 if request.param == "pooled" else None
    settings = config.SemanticSettings(hidden=8, n_blocks=1, pooled_voxels=pooled)
    return SemanticExtractor(13, (9, 5), (7, 5), settings)


def test_an_embedding_alone_is_that_of_the_whole_model(model):
    whole = build(model.architecture, seed=4).embed.state_dict()
    alone = build_embedding(model.architecture, seed=4).state_dict()
    assert whole.keys() == alone.keys()
    assert all(torch.equal(whole[name], alone[name]) for name in whole)


def test_a_new_subject_gets_that_embedding_and_the_rest_of_the_base(model):
    fresh = for_new_subject(model, 17, seed=2)
    expected = build({**model.architecture, "n_voxels": 17}, seed=2).embed[0].weight
    assert torch.equal(fresh.embed[0].weight, expected)
    assert fresh.architecture["n_voxels"] == 17
    assert model.architecture["n_voxels"] == 13
    assert torch.equal(fresh.mlp.blocks[0][0].weight, model.mlp.blocks[0][0].weight)


def test_pictures_of_the_right_size_are_left_alone(rng):
    pictures = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    assert resized(pictures, 8) is pictures
    constant = np.full((1, 9, 9, 3), 77, np.uint8)
    np.testing.assert_array_equal(resized(constant, 6), np.full((1, 6, 6, 3), 77))
