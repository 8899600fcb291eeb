"""Readings behave like the best linear estimate from noisy values."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from havir_lib.mini.fit import Draw
from havir_lib.mini.reading import Reading, fading, read_latents, read_tokens
from havir_lib.mini.unet import SCHEDULER

SCALES = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.1, 0.02])


@pytest.fixture(scope="module")
def targets():
    """Targets (n, 2, 3) whose six elements vary by SCALES, around 3."""
    generator = torch.Generator().manual_seed(0)
    return 3 + (torch.randn(20000, 6, generator=generator) * SCALES).unflatten(1, (2, 3))


@pytest.fixture(scope="module")
def reading(targets):
    return Reading.of(targets)


def test_components_are_those_of_the_targets(reading):
    torch.testing.assert_close(reading.variance.sqrt(), SCALES, rtol=0.02, atol=0)
    torch.testing.assert_close(reading.basis.flatten(1).abs(), torch.eye(6), rtol=0, atol=0.02)
    torch.testing.assert_close(reading.mean, torch.full((2, 3), 3.0), rtol=0, atol=0.1)


def test_without_noise_everything_is_read(targets, reading):
    read = reading(targets, torch.full((len(targets),), 1e-12), Draw(0, 0))
    torch.testing.assert_close(read, targets, rtol=0, atol=1e-4)


@pytest.mark.parametrize("noise_variance", [0.05, 1.0, 16.0])
def test_gain_and_error_are_those_of_the_best_linear_estimate(targets, reading, noise_variance):
    read = reading(targets, torch.full((len(targets),), noise_variance), Draw(0, 0))
    true, estimate = (targets - 3).flatten(1), (read - 3).flatten(1)
    gain = (true * estimate).sum(0) / true.square().sum(0)
    expected = SCALES**2 / (SCALES**2 + noise_variance)
    torch.testing.assert_close(gain, expected, rtol=0, atol=0.03)
    error = (estimate - true).square().mean(0)
    torch.testing.assert_close(error, expected * noise_variance, rtol=0.1, atol=1e-3)


def test_every_sample_has_its_own_noise(targets, reading):
    noise = torch.tensor([1e-12, 100.0]).repeat(1000)
    off = (reading(targets[:2000], noise, Draw(0, 0)) - targets[:2000]).square().mean((1, 2))
    assert off[::2].max() < 1e-6 < off[1::2].mean()


def test_read_tokens_keep_their_length_and_others_stay(targets, reading):
    tokens, marked = targets[:64], torch.arange(64) % 2 == 0
    out = read_tokens(tokens, reading, marked, Draw(0, 0))
    assert torch.equal(out[~marked], tokens[~marked])
    assert (out[marked] != tokens[marked]).any(dim=(1, 2)).all()
    torch.testing.assert_close(out.norm(dim=-1), tokens.norm(dim=-1))


def test_the_error_of_read_latents_fades_as_noise_does():
    z = torch.randn(256, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    scheduler, reading = DDPMScheduler.from_config(SCHEDULER), Reading.of(z)

    seen = read_latents(z, reading, Draw(0, 0))

    def error(time):
        times = torch.full((len(z),), time)
        return (fading(z, seen, times, scheduler, Draw(0, 1)) - z).square().mean((1, 2, 3))

    errors = [error(time) for time in (0, 200, 400, 800, 999)]
    assert all((a <= b + 1e-9).all() for a, b in zip(errors, errors[1:], strict=False))
    assert errors[0].mean() < 1e-3 * errors[-1].mean()
    assert torch.equal(errors[3], errors[4])  # later than any start: whole
    np.testing.assert_allclose((errors[4] > 0).float().mean(), 0.6, atol=0.1)
