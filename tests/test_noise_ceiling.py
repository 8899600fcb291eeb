"""Noise ceilings by hand, and recovery of a known signal-to-noise ratio."""

import numpy as np
import pytest

from havir_lib.errors import DataError
from havir_lib.noise_ceiling import estimate_ncsnr, noise_ceiling, zscore_within


def test_by_hand():
    ncsnr = np.array([0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(noise_ceiling(ncsnr, 3), [0, 100 * 3 / 7, 75, 100 * 12 / 13])
    np.testing.assert_allclose(noise_ceiling(ncsnr), [0, 20, 50, 80])


def test_mixed_repeats_average_the_reciprocals():
    # mean of 1/1, 1/2, 1/4 is 7/12, not 1 over the mean of 1, 2, 4
    np.testing.assert_allclose(noise_ceiling(np.ones(1), np.array([1, 2, 4])), [100 * 12 / 19])
    np.testing.assert_allclose(
        noise_ceiling(np.ones(2), np.full(9, 3)), noise_ceiling(np.ones(2), 3)
    )


@pytest.mark.parametrize("repeats", [0, np.array([3, 0]), np.array([])])
def test_impossible_repeats(repeats):
    with pytest.raises(ValueError, match="repeats must be at least 1"):
        noise_ceiling(np.ones(2), repeats)


def test_estimate_recovers_the_true_ratio(rng):
    images = rng.permutation(np.repeat(np.arange(900), 3))
    ratio = np.array([0.3, 1.0, 2.0])
    signal = rng.normal(size=(900, 3)) * ratio
    betas = signal[images] + rng.normal(size=(2700, 3))
    np.testing.assert_allclose(estimate_ncsnr(betas, images), ratio, atol=0.08)


def test_estimate_of_pure_noise_is_small_and_never_imaginary(rng):
    estimate = estimate_ncsnr(rng.normal(size=(900, 50)), np.repeat(np.arange(300), 3))
    assert np.isfinite(estimate).all()
    assert estimate.min() == 0
    assert estimate.max() < 0.4


def test_estimate_needs_repeats(rng):
    with pytest.raises(DataError, match="every image was seen once"):
        estimate_ncsnr(rng.normal(size=(6, 2)), np.arange(6))


def test_ncsnr_estimate_agrees_with_a_plain_loop(rng):
    images = np.array([4, 7, 4, 9, 7, 4, 9, 7, 9, 8])  # image 8 has no repeat
    sessions = np.array([1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    betas = np.round(500 * rng.standard_normal((10, 6)) + 300 * images[:, None]).astype(np.int16)
    z = np.concatenate(
        [
            (b - b.mean(0)) / b.std(0, ddof=1)
            for b in (betas[sessions == s].astype(float) for s in (1, 2))
        ]
    )
    noise = np.mean([z[images == i].var(0, ddof=1) for i in (4, 7, 9)], axis=0)
    expected = np.sqrt(np.maximum(z.var(0, ddof=1) - noise, 0) / noise)
    found = estimate_ncsnr(zscore_within(betas, sessions), images)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
