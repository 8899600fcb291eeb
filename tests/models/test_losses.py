"""Eqs. (1) to (6) against NumPy and SciPy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from havir_lib import config
from havir_lib.models import losses


def numpy_soft_clip(p, t, temperature):
    """Eq. (4) with loops, averaged over i."""
    p, t = (x.reshape(len(x), -1) for x in (p, t))
    p, t = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (p, t))
    n, total = len(p), 0.0
    for i in range(n):
        label = np.array([np.exp(t[i] @ t[j] / temperature) for j in range(n)])
        guess = np.array([np.exp(p[i] @ t[j] / temperature) for j in range(n)])
        total -= (label / label.sum()) @ np.log(guess / guess.sum())
    return total / n


@pytest.fixture
def tokens(rng):
    return [rng.standard_normal((5, 7, 8)) for _ in range(2)]


def test_soft_clip_forward_is_equation_4(tokens):
    p, t = tokens
    found = losses.soft_clip(torch.tensor(p), torch.tensor(t), 0.2, "forward").item()
    assert found == pytest.approx(numpy_soft_clip(p, t, 0.2), rel=1e-5)


def test_soft_clip_both_averages_the_two_directions(tokens):
    p, t = (x.reshape(5, -1) for x in tokens)
    p, t = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (p, t))
    labels = np.exp(t @ t.T / 0.2)
    labels /= labels.sum(1, keepdims=True)
    columns = np.exp(t @ p.T / 0.2)  # each target against all predictions
    backward = -(labels * np.log(columns / columns.sum(1, keepdims=True))).sum(1).mean()
    expected = (numpy_soft_clip(p, t, 0.2) + backward) / 2
    found = losses.soft_clip(torch.tensor(p), torch.tensor(t), 0.2).item()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("direction", ["both", "forward"])
def test_soft_clip_is_smallest_for_the_perfect_prediction(tokens, direction):
    t = torch.tensor(tokens[1], dtype=torch.float32)
    unit = torch.nn.functional.normalize(t.flatten(1), dim=1)
    labels = (unit @ unit.T / 0.5).softmax(-1)
    best = losses.soft_clip(t, t, 0.5, direction)
    torch.testing.assert_close(best, -(labels * labels.log()).sum(-1).mean())
    for scale in (0.1, 0.3, 3.0):
        assert losses.soft_clip(t + scale * torch.randn(t.shape), t, 0.5, direction) > best


def test_soft_clip_ignores_length_and_batch_order(tokens):
    p, t = (torch.tensor(x) for x in tokens)
    order = torch.tensor([3, 1, 4, 0, 2])
    expected = losses.soft_clip(p, t, 0.1)
    torch.testing.assert_close(losses.soft_clip(4 * p, 0.5 * t, 0.1), expected)
    torch.testing.assert_close(losses.soft_clip(p[order], t[order], 0.1), expected)


def test_sobel_is_scipys(rng):
    latent = rng.standard_normal((2, 3, 7, 8))
    found = losses.sobel_magnitude(torch.tensor(latent), eps=0).numpy()
    for image, channel in np.ndindex(2, 3):
        plane = latent[image, channel]
        gx, gy = (ndimage.sobel(plane, axis=axis, mode="nearest") / 8 for axis in (1, 0))
        np.testing.assert_allclose(found[image, channel], np.hypot(gx, gy), atol=1e-12)


def test_sobel_of_a_ramp_is_its_slope():
    ramp = torch.arange(8.0).expand(1, 1, 7, 8) * 0.5
    inner = losses.sobel_magnitude(ramp, eps=0)[..., 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5))


def test_structural_loss_weighs_its_terms(rng):
    z, guess = (torch.tensor(rng.standard_normal((4, 3, 7, 8))) for _ in range(2))
    terms = losses.structural_loss(guess, z, config.Losses(mse=2, sobel=3))
    assert terms["mse"].item() == pytest.approx(((guess - z) ** 2).mean().item())
    assert terms["loss"].item() == pytest.approx((2 * terms["mse"] + 3 * terms["sobel"]).item())
    assert losses.structural_loss(z, z, config.Losses())["loss"] == 0


def test_sobel_loss_has_a_gradient_on_flat_latents():
    guess = torch.zeros(1, 1, 7, 8, requires_grad=True)
    losses.sobel(guess, torch.randn(1, 1, 7, 8)).backward()
    assert torch.isfinite(guess.grad).all()


def test_semantic_loss_adds_equations_5_and_6(rng):
    image, text, image_p, text_p = (
        torch.tensor(rng.standard_normal(shape)) for shape in [(4, 7, 8), (4, 9, 8)] * 2
    )
    weights = config.Losses(token_mse=2, softclip=3, temperature=0.1)
    terms = losses.semantic_loss((image_p, text_p), (image, text), weights)
    per_image = ((image_p - image) ** 2).sum((1, 2)).mean()  # Eq. (1) with n = 4 images
    assert terms["image_mse"].item() == pytest.approx(per_image.item())
    expected = sum(
        2 * terms[f"{kind}_mse"] + 3 * losses.soft_clip(p, t, 0.1)
        for kind, p, t in [("image", image_p, image), ("text", text_p, text)]
    )
    assert terms["loss"].item() == pytest.approx(expected.item())


def test_without_weight_text_does_not_count_but_is_reported():
    prediction = (torch.randn(4, 7, 8), torch.randn(4, 9, 8, requires_grad=True))
    target = (torch.randn(4, 7, 8), torch.randn(4, 9, 8))
    terms = losses.semantic_loss(prediction, target, config.Losses(text=0))
    expected = terms["image_mse"] + terms["image_softclip"]
    torch.testing.assert_close(terms["loss"], expected)
    assert terms["text_mse"] > 0
    half = losses.semantic_loss(prediction, target, config.Losses(text=0.5))
    torch.testing.assert_close(
        half["loss"], expected + (terms["text_mse"] + terms["text_softclip"]) / 2
    )
