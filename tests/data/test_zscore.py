"""Z-scoring against scikit-learn, and what it must not look at."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from havir_lib.data.zscore import (
    apply_statistics,
    pooled_statistics,
    statistics_of,
    unusable_voxels,
    zscore_sessions,
)
from havir_lib.errors import DataError

SESSIONS = np.repeat([1, 2, 3], [7, 8, 9])


@pytest.fixture
def trials(rng):
    betas = rng.integers(-900, 900, (24, 5)).astype(np.int16)
    is_train = rng.random(24) < 0.7
    return betas, is_train


def test_equals_standard_scaler_per_session(trials):
    betas, is_train = trials
    result = zscore_sessions(betas, SESSIONS, is_train)
    assert result.dtype == np.float32
    for session in (1, 2, 3):
        rows = session == SESSIONS
        scaler = StandardScaler().fit(betas[rows & is_train].astype(float))
        np.testing.assert_allclose(result[rows], scaler.transform(betas[rows]), rtol=1e-5)


def test_test_trials_do_not_influence_any_training_value(trials):
    betas, is_train = trials
    changed = betas.copy()
    changed[~is_train] += 500
    before = zscore_sessions(betas, SESSIONS, is_train)
    after = zscore_sessions(changed, SESSIONS, is_train)
    np.testing.assert_array_equal(after[is_train], before[is_train])
    assert (after[~is_train] > before[~is_train]).all()


def test_session_without_training_trials_takes_the_average_session(trials):
    betas, _ = trials
    is_train = np.isin(SESSIONS, [1, 3])
    result = zscore_sessions(betas, SESSIONS, is_train)
    one, three = (betas[session == SESSIONS].astype(float) for session in (1, 3))
    mean = (one.mean(0) + three.mean(0)) / 2
    deviation = np.sqrt((one.var(0) + three.var(0)) / 2)
    np.testing.assert_allclose(
        result[SESSIONS == 2], (betas[SESSIONS == 2] - mean) / deviation, rtol=1e-5
    )


def test_average_of_one_session_is_that_session(rng):
    mean, deviation = rng.random((2, 5))
    np.testing.assert_allclose(pooled_statistics({4: (mean, deviation)}), (mean, deviation))


def test_common_scale_cancels(trials):
    betas, is_train = trials
    np.testing.assert_allclose(
        zscore_sessions(betas / 300, SESSIONS, is_train),
        zscore_sessions(betas, SESSIONS, is_train),
        rtol=1e-4,
    )


def test_constant_nan_and_no_training_are_errors(trials):
    betas, is_train = trials
    constant = betas.copy()
    constant[SESSIONS == 2, 3] = 17
    with pytest.raises(DataError, match="1 voxels are NaN or constant.*session 2"):
        zscore_sessions(constant, SESSIONS, is_train)
    with pytest.raises(DataError, match="no training trials"):
        zscore_sessions(betas, SESSIONS, np.zeros(24, bool))


def test_unusable_voxels_tells_nan_from_constant():
    betas = np.array([[1, 2, 3, np.nan], [1, 5, 3, 3], [9, 5, 3, 3]], dtype=np.float32)
    not_finite, constant = unusable_voxels(betas, np.array([True, True, False]))
    assert not_finite.tolist() == [False, False, False, True]
    assert constant.tolist() == [True, False, True, False]  # a test trial cannot rescue a voxel
    assert not unusable_voxels(betas, np.zeros(3, bool))[1].any()


def test_the_published_way_scales_every_session_by_all_its_trials(trials):
    betas, is_train = trials
    is_train = is_train & (SESSIONS == 1)  # one hour
    statistics = statistics_of("session_all", betas, SESSIONS, is_train)
    result = apply_statistics(betas, SESSIONS, statistics, np.arange(len(betas)))
    for session in (1, 2, 3):
        rows = session == SESSIONS
        expected = StandardScaler().fit_transform(betas[rows].astype(float))
        np.testing.assert_allclose(result[rows], expected, rtol=1e-4, atol=1e-5)
    ours = statistics_of("session", betas, SESSIONS, is_train)
    assert set(ours) == {1}  # knows nothing of other hours, nor of test trials
