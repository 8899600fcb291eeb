"""Rank correlation against SciPy, and its interval and test against known cases."""

import numpy as np
import pytest
from scipy import stats

from havir_lib.errors import ShapeError
from havir_lib.evaluation.association import rank_association


def test_correlation_and_p_are_scipys(rng):
    x = rng.normal(size=40)
    y = 0.3 * x + rng.normal(size=40)
    found = rank_association(y, x)
    expected = stats.spearmanr(y, x)
    assert found.rho == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue, abs=0.02)


def test_interval_is_scipys_bootstrap(rng):
    x = rng.normal(size=50)
    y = 0.6 * x + rng.normal(size=50)
    found = rank_association(y, x, n_bootstrap=4000)
    expected = stats.bootstrap(
        (y, x), lambda a, b: stats.spearmanr(a, b).statistic, paired=True, vectorized=False,
        n_resamples=2000, method="percentile", rng=rng,
    ).confidence_interval  # fmt: skip
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high], abs=0.04)


def test_subjects_are_averaged_and_widen_the_interval(rng):
    x = rng.normal(size=30)
    alike = np.repeat((x + rng.normal(0, 0.5, 30))[:, None], 3, axis=1)
    one = rank_association(alike[:, 0], x)
    three = rank_association(alike, x)
    assert three.rho == pytest.approx(one.rho)
    assert three.high - three.low == pytest.approx(one.high - one.low, abs=0.05)
    differing = np.stack([x, -2 * x, 3 * x], axis=1) + rng.normal(0, 0.1, (30, 3))
    assert rank_association(differing, x).low < 0 < rank_association(differing, x).high


def test_unseen_images_are_left_out(rng):
    x = rng.normal(size=20)
    values = np.stack([x, x], axis=1)
    values[3, 1] = np.nan
    found = rank_association(values, x, n_bootstrap=200)
    assert found.rho == pytest.approx(1)
    assert found.low > 0.99


def test_permutation_p_is_uniform_without_association(rng):
    p = [rank_association(*rng.normal(size=(2, 15)), 100, n_permutations=200).p for _ in range(200)]
    assert np.mean(np.array(p) < 0.1) < 0.17


def test_constant_complexity_has_no_correlation():
    assert np.isnan(rank_association(np.arange(5.0), np.ones(5))).all()
    with pytest.raises(ShapeError, match="found 4 for 5 images"):
        rank_association(np.arange(5.0), np.ones(4))
